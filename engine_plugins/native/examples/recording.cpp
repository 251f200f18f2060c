#include "recording.h"

#include <cstring>
#include <fstream>
#include <stdexcept>

namespace {

constexpr char kMagic[8] = {'P', 'B', 'R', 'E', 'C', '\0', '\0', '\1'};
constexpr std::size_t kLayoutBytes = 64;
constexpr std::uint32_t kMostLandmarks = 600;
constexpr std::uint64_t kMostFrames = 10'000'000;

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    if (!file_) {
      throw std::runtime_error(path + " cannot be opened");
    }
  }

  void bytes(void* out, std::size_t size) {
    file_.read(static_cast<char*>(out), static_cast<std::streamsize>(size));
    if (static_cast<std::size_t>(file_.gcount()) != size) {
      fail("ends too early");
    }
  }

  template <typename Number>
  Number number() {
    Number value{};
    bytes(&value, sizeof value);
    return value;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw std::runtime_error(path_ + ": " + problem + "; expected what `pose-bridge replay --export` writes");
  }

 private:
  std::string path_;
  std::ifstream file_;
};

}  // namespace

Recording load_recording(const std::string& path) {
  Reader reader(path);
  char magic[sizeof kMagic];
  reader.bytes(magic, sizeof magic);
  if (std::memcmp(magic, kMagic, sizeof magic) != 0) {
    reader.fail("is no recording of version 1");
  }
  Recording recording;
  recording.landmarks = reader.number<std::uint32_t>();
  const auto flags = reader.number<std::uint32_t>();
  const auto frames = reader.number<std::uint64_t>();
  if (recording.landmarks == 0 || recording.landmarks > kMostLandmarks || flags > 1 || frames > kMostFrames) {
    reader.fail("has a header that makes no sense");
  }
  recording.has_root = flags == 1;
  char layout[kLayoutBytes + 1] = {};
  reader.bytes(layout, kLayoutBytes);
  recording.layout_id = layout;
  for (std::uint64_t i = 0; i < frames; ++i) {
    RecordedFrame frame;
    frame.timestamp_us = reader.number<std::uint64_t>();
    frame.detected = (reader.number<std::uint64_t>() & 0xFFU) != 0;
    frame.landmarks.resize(std::size_t{4} * recording.landmarks);
    reader.bytes(frame.landmarks.data(), frame.landmarks.size() * sizeof(float));
    if (recording.has_root) {
      reader.bytes(frame.root.data(), sizeof frame.root);
    }
    recording.frames.push_back(std::move(frame));
  }
  return recording;
}
