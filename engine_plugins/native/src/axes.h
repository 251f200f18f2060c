// Axes and units; see posebridge_axes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace posebridge {

// How a set of axes is made from MediaPipe's: component c is sign[c] * scale * mediapipe[from[c]].
struct Axes {
  std::uint8_t from[3];
  float sign[3];
  float scale;
};

bool is_axes(std::int32_t number);
const Axes& axes_of(std::int32_t number);

// Points (count, 3), `stride` floats apart, between MediaPipe's axes and others; in and out may be the same memory.
void from_mediapipe(const Axes& axes, const float* in, float* out, std::size_t count);
void to_mediapipe(const Axes& axes, const float* in, std::size_t in_stride, float* out, std::size_t out_stride, std::size_t count);

}  // namespace posebridge
