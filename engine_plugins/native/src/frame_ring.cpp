#include "frame_ring.h"

#include <cstring>

namespace posebridge {
namespace {

// A frame's head as words; what is copied through atomics.
struct Packed {
  std::uint64_t sequence, timestamp_us, given_us;
  double root[3];
  std::uint32_t detected, has_root;
};

std::uint32_t word_of(float value) {
  std::uint32_t word = 0;
  std::memcpy(&word, &value, sizeof word);
  return word;
}

}  // namespace

FrameRing::FrameRing(std::size_t landmarks, std::size_t capacity)
    : landmark_words_(4 * landmarks),
      words_(kHeadWords + landmark_words_),
      capacity_(capacity),
      versions_(new std::atomic<std::uint64_t>[capacity]()),
      slots_(new Word[capacity * words_]()) {
  static_assert(sizeof(Packed) == kHeadWords * sizeof(std::uint32_t), "the head's words are counted wrongly");
}

bool FrameRing::push(const FrameHead& head, const float* landmarks) {
  const std::uint64_t number = head_.load(std::memory_order_relaxed);
  const std::size_t index = static_cast<std::size_t>(number & (capacity_ - 1));
  const Packed packed{head.sequence,           head.timestamp_us,      head.given_us, {head.root[0], head.root[1], head.root[2]},
                      head.detected ? 1U : 0U, head.has_root ? 1U : 0U};
  std::uint32_t words[kHeadWords];
  std::memcpy(words, &packed, sizeof packed);
  Word* slot = &slots_[index * words_];
  // Every store after this one is a release, so a reader that sees any of them sees that the slot is being written.
  versions_[index].store(2 * number + 1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < kHeadWords; ++i) {
    slot[i].store(words[i], std::memory_order_release);
  }
  if (head.detected) {
    for (std::size_t i = 0; i < landmark_words_; ++i) {
      slot[kHeadWords + i].store(word_of(landmarks[i]), std::memory_order_release);
    }
  }
  versions_[index].store(2 * number + 2, std::memory_order_release);
  head_.store(number + 1, std::memory_order_release);
  return number - tail_.load(std::memory_order_acquire) < capacity_;
}

bool FrameRing::pop(FrameHead& head, float* landmarks) {
  std::uint64_t number = tail_.load(std::memory_order_relaxed);
  while (true) {
    const std::uint64_t end = head_.load(std::memory_order_acquire);
    if (number == end) {
      tail_.store(number, std::memory_order_release);
      return false;
    }
    if (end - number > capacity_) {
      overwritten_ += end - capacity_ - number;
      number = end - capacity_;
    }
    const std::size_t index = static_cast<std::size_t>(number & (capacity_ - 1));
    if (versions_[index].load(std::memory_order_acquire) == 2 * number + 2) {
      const Word* slot = &slots_[index * words_];
      std::uint32_t words[kHeadWords];
      for (std::size_t i = 0; i < kHeadWords; ++i) {
        words[i] = slot[i].load(std::memory_order_acquire);
      }
      Packed packed;
      std::memcpy(&packed, words, sizeof packed);
      if (packed.detected != 0) {
        for (std::size_t i = 0; i < landmark_words_; ++i) {
          const std::uint32_t word = slot[kHeadWords + i].load(std::memory_order_acquire);
          std::memcpy(&landmarks[i], &word, sizeof word);
        }
      }
      // The loads above are acquires: this one comes after them.
      if (versions_[index].load(std::memory_order_relaxed) == 2 * number + 2) {
        head.sequence = packed.sequence;
        head.timestamp_us = packed.timestamp_us;
        head.given_us = packed.given_us;
        std::memcpy(head.root, packed.root, sizeof head.root);
        head.detected = packed.detected != 0;
        head.has_root = packed.has_root != 0;
        tail_.store(number + 1, std::memory_order_release);
        return true;
      }
    }
    ++overwritten_;
    ++number;
  }
}

}  // namespace posebridge
