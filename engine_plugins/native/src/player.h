// A pose at any time out of forecasts at fixed steps; passes from one forecast to the next without a jump.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "posebridge/posebridge.h"

namespace posebridge {

// Poses that were sent lately, hip-centred, in the client's axes: where a forecast sets out from. The caller's thread only.
class SentPoses {
 public:
  // hips: indices of the two hips; negative where they are not known, and nothing is kept.
  SentPoses(std::size_t landmarks, int left_hip, int right_hip, float visibility_threshold);

  // landmarks: (J, 4), nullptr where nobody was detected. A pose whose hips were not seen is not kept.
  void add(std::uint64_t sequence, const float* landmarks);

  // (J, 3) with NaN where a landmark was not seen; nullptr if the pose is not kept.
  const float* find(std::uint64_t sequence) const;

 private:
  static constexpr std::size_t kKept = 32;

  const std::size_t landmarks_;
  const std::size_t left_hip_, right_hip_;
  const float threshold_;
  std::uint64_t sequences_[kKept] = {};
  std::vector<float> poses_;
};

class Player {
 public:
  Player(std::size_t landmarks, std::uint32_t blend_ms, std::uint32_t extrapolate_ms);

  // future: -1 (mean) to K - 1. out: `positions` is set. Of one thread at a time.
  void pose_at(const posebridge_forecast& forecast, const float* start, std::uint64_t time_us, std::int32_t future, posebridge_pose& out);

 private:
  struct Shown {
    std::uint64_t number = 0;  // of the forecast that was shown last, 0: none
    std::uint64_t time_us = 0;
    std::uint64_t offset_from_us = 0;
    bool has_offset = false;
    std::vector<float> pose, offset;  // (J, 3)
  };

  void evaluate(const posebridge_forecast& forecast, const float* start, std::uint64_t time_us, std::int32_t future, float* out) const;
  void evaluate_root(const posebridge_forecast& forecast, std::uint64_t time_us, std::int32_t future, float* out) const;

  const std::size_t floats_;
  const std::uint64_t blend_us_, extrapolate_us_;
  std::vector<float> scratch_;
  std::vector<Shown> shown_;
};

}  // namespace posebridge
