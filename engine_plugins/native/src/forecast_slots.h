// Forecasts of one avatar from the background thread to the caller's: borrowed without a copy, never waited for.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "posebridge/posebridge.h"

namespace posebridge {

struct ForecastShape {
  std::uint32_t futures = 0;
  std::uint32_t steps = 0;
  std::uint32_t landmarks = 0;
};

// Memory of one forecast. `view` is what callers see.
class ForecastSlot {
 public:
  // Room for a shape. True if memory had to be taken for it.
  bool reserve(const ForecastShape& shape);

  float* positions() { return floats_.get(); }
  float* roots() { return positions() + std::size_t{3} * shape_.futures * shape_.steps * shape_.landmarks; }
  float* spread() { return roots() + std::size_t{3} * shape_.futures * shape_.steps; }
  float* probabilities() { return spread() + std::size_t{shape_.steps} * shape_.landmarks; }
  std::uint32_t* mode_ids() { return mode_ids_; }

  posebridge_forecast view{};
  std::atomic<std::int32_t> borrowed{0};

 private:
  ForecastShape shape_;
  std::size_t capacity_ = 0;
  std::unique_ptr<float[]> floats_;
  std::uint32_t mode_ids_[POSEBRIDGE_MAX_FUTURES] = {};
};

// One writer; one borrower at a time (of several forecasts), who may release from any thread.
//
// A slot that is the newest, or borrowed, is not written. A borrower counts itself in first and then looks whether the slot is still the
// newest; if not it steps back, having read nothing. That happens only when a forecast is published in those nanoseconds, and after
// `kTries` times the call gives up: it never waits.
class ForecastSlots {
 public:
  static constexpr int kMostBorrowed = 4;

  // Writer: a slot to write to, nullptr if all are in use.
  ForecastSlot* begin();
  // Writer: the slot from `begin` is the newest now.
  void publish(ForecastSlot* slot);

  // Borrower. nullptr: nothing there, or (see `full`) too many are borrowed.
  const posebridge_forecast* borrow();
  bool release(const posebridge_forecast* forecast);
  bool full() const { return borrowed_.load(std::memory_order_relaxed) >= kMostBorrowed; }

  std::uint64_t number() const { return number_.load(std::memory_order_acquire); }

 private:
  static constexpr int kTries = 8;
  static constexpr int kSlots = kMostBorrowed + 3;  // the newest, the one being written, one for a reader that steps back

  ForecastSlot slots_[kSlots];
  std::atomic<std::int32_t> newest_{-1};
  std::atomic<std::int32_t> borrowed_{0};
  std::atomic<std::uint64_t> number_{0};
};

}  // namespace posebridge
