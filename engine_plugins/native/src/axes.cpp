#include "axes.h"

namespace posebridge {
namespace {

constexpr Axes kAxes[] = {
    {{0, 1, 2}, {1.0F, 1.0F, 1.0F}, 1.0F},     // MEDIAPIPE
    {{0, 1, 2}, {1.0F, -1.0F, 1.0F}, 1.0F},    // UNITY: (x, -y, z)
    {{2, 0, 1}, {1.0F, 1.0F, -1.0F}, 100.0F},  // UNREAL: (100 z, 100 x, -100 y)
};

}  // namespace

bool is_axes(std::int32_t number) { return number >= 0 && number < static_cast<std::int32_t>(sizeof kAxes / sizeof kAxes[0]); }

const Axes& axes_of(std::int32_t number) { return kAxes[number]; }

void from_mediapipe(const Axes& axes, const float* in, float* out, std::size_t count) {
  const float gain[3] = {axes.sign[0] * axes.scale, axes.sign[1] * axes.scale, axes.sign[2] * axes.scale};
  for (std::size_t i = 0; i < count; ++i) {
    const float point[3] = {in[3 * i], in[3 * i + 1], in[3 * i + 2]};
    for (std::size_t c = 0; c < 3; ++c) {
      out[3 * i + c] = gain[c] * point[axes.from[c]];
    }
  }
}

void to_mediapipe(const Axes& axes, const float* in, std::size_t in_stride, float* out, std::size_t out_stride, std::size_t count) {
  const float gain[3] = {axes.sign[0] / axes.scale, axes.sign[1] / axes.scale, axes.sign[2] / axes.scale};
  for (std::size_t i = 0; i < count; ++i) {
    const float* there = in + i * in_stride;
    const float point[3] = {there[0], there[1], there[2]};
    for (std::size_t c = 0; c < 3; ++c) {
      out[i * out_stride + axes.from[c]] = gain[c] * point[c];
    }
  }
}

}  // namespace posebridge
