// One avatar: what goes between the caller's thread and the background thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "forecast_slots.h"
#include "frame_ring.h"
#include "player.h"
#include "settings.h"

namespace posebridge {

// Frames as the background thread keeps them, to send them again in a new session.
struct KeptFrame {
  FrameHead head;
  bool sent = false;
};

struct Avatar {
  Avatar(std::string name, const Settings& settings);

  const std::string id;
  const std::uint64_t hash;

  // The caller's thread.
  std::uint64_t next_sequence = 1;
  SentPoses sent;
  Player player;
  std::vector<float> converted;  // (J, 4)

  // Both.
  FrameRing ring;
  ForecastSlots forecasts;

  // The background thread.
  std::vector<KeptFrame> kept;         // a ring of resend_frames
  std::vector<float> kept_landmarks;   // (resend_frames, J, 4)
  std::uint64_t kept_count = 0;        // since the start
  std::uint64_t overwritten_seen = 0;  // of FrameRing::overwritten
};

std::uint64_t hash_of(const void* data, std::size_t size);

}  // namespace posebridge
