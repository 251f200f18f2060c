#include "half.h"

#include <cstring>

namespace posebridge {

void halves_to_floats(const std::uint8_t* in, float* out, std::size_t count) {
  // Exponent and mantissa moved to where single precision has them, then scaled by 2^112: right for normal and subnormal numbers alike.
  // Infinities and NaN have an exponent of all ones and get single precision's.
  constexpr std::uint32_t kScaleWord = (112U + 127U) << 23U;
  float scale = 0.0F;
  std::memcpy(&scale, &kScaleWord, sizeof scale);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t half = static_cast<std::uint32_t>(in[2 * i]) | (static_cast<std::uint32_t>(in[2 * i + 1]) << 8U);
    const std::uint32_t magnitude = (half & 0x7FFFU) << 13U;
    float value = 0.0F;
    std::memcpy(&value, &magnitude, sizeof value);
    value *= scale;
    std::uint32_t word = 0;
    std::memcpy(&word, &value, sizeof word);
    word |= (half & 0x7C00U) == 0x7C00U ? 0x7F800000U : 0U;
    word |= (half & 0x8000U) << 16U;
    std::memcpy(&out[i], &word, sizeof word);
  }
}

}  // namespace posebridge
