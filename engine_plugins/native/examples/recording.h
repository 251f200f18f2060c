// Recordings as `pose-bridge replay --export FILE.pbr` writes them.
//
// Little-endian: 8 bytes "PBREC\0\0\1", uint32 landmarks J, uint32 flags (bit 0: frames carry a root), uint64 frames, 64 bytes layout id
// (padded with zero bytes); then every frame: uint64 timestamp_us, uint8 detected, 7 zero bytes, J * 4 float32 (x, y, z in metres in
// MediaPipe's axes, visibility) and, with a root, 3 float64.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

struct RecordedFrame {
  std::uint64_t timestamp_us = 0;
  bool detected = false;
  std::vector<float> landmarks;  // (J, 4)
  std::array<double, 3> root{};
};

struct Recording {
  std::string layout_id;
  std::uint32_t landmarks = 0;
  bool has_root = false;
  std::vector<RecordedFrame> frames;
};

// Read a file. Throws std::runtime_error, which says what is wrong with it.
Recording load_recording(const std::string& path);
