// Frames from a caller's thread to the background thread: bounded, wait-free for the caller, the newest wins.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace posebridge {

// One observed pose in MediaPipe's axes and metres.
struct FrameHead {
  std::uint64_t sequence = 0;
  std::uint64_t timestamp_us = 0;
  std::uint64_t given_us = 0;  // when posebridge_send_frame was called
  double root[3] = {0.0, 0.0, 0.0};
  bool detected = false;
  bool has_root = false;
};

// Single producer, single consumer. A full ring gives up its oldest frame: the producer writes over it, the consumer notices (each slot
// carries the number of the frame that is in it, odd while it is written) and goes on with the next. All payload words are atomics, since
// the consumer may read a slot that is being written over; what it read is then thrown away.
class FrameRing {
 public:
  // landmarks: J. capacity: a power of two.
  FrameRing(std::size_t landmarks, std::size_t capacity);

  // Producer. False if the oldest frame was dropped for this one.
  bool push(const FrameHead& head, const float* landmarks);

  // Consumer. Takes the oldest frame; landmarks (J, 4) are written where it was detected. False if there is none.
  bool pop(FrameHead& head, float* landmarks);

  bool empty() const { return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire); }

  // Consumer: frames that were written over before they were taken.
  std::uint64_t overwritten() const { return overwritten_; }

 private:
  static constexpr std::size_t kHeadWords = 14;
  using Word = std::atomic<std::uint32_t>;

  const std::size_t landmark_words_;
  const std::size_t words_;
  const std::uint64_t capacity_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> versions_;
  std::unique_ptr<Word[]> slots_;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t overwritten_ = 0;
};

}  // namespace posebridge
