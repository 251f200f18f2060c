#include "avatar.h"

#include <utility>

namespace posebridge {
namespace {

constexpr int kLeftHip = 23;
constexpr int kRightHip = 24;

bool has_known_hips(const Settings& settings) { return settings.layout_id == default_config().layout_id; }

}  // namespace

Avatar::Avatar(std::string name, const Settings& settings)
    : id(std::move(name)),
      hash(hash_of(id.data(), id.size())),
      sent(settings.numbers.landmarks, has_known_hips(settings) ? kLeftHip : -1, has_known_hips(settings) ? kRightHip : -1,
           settings.numbers.visibility_threshold),
      player(settings.numbers.landmarks, settings.numbers.blend_ms, settings.numbers.extrapolate_ms),
      converted(std::size_t{4} * settings.numbers.landmarks),
      ring(settings.numbers.landmarks, settings.numbers.send_queue_frames),
      kept(settings.numbers.resend_frames),
      kept_landmarks(std::size_t{4} * settings.numbers.landmarks * settings.numbers.resend_frames) {}

std::uint64_t hash_of(const void* data, std::size_t size) {
  // FNV-1a, 64 bits.
  std::uint64_t hash = 0xCBF29CE484222325U;
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) {
    hash = (hash ^ bytes[i]) * 0x100000001B3U;
  }
  return hash;
}

}  // namespace posebridge
