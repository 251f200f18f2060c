#include "forecast_slots.h"

namespace posebridge {

bool ForecastSlot::reserve(const ForecastShape& shape) {
  const std::size_t k = shape.futures;
  const std::size_t h = shape.steps;
  const std::size_t j = shape.landmarks;
  const std::size_t needed = 3 * k * h * j + 3 * k * h + h * j + k;
  shape_ = shape;
  if (needed <= capacity_) {
    return false;
  }
  floats_.reset();
  capacity_ = 0;
  floats_.reset(new float[needed]);
  capacity_ = needed;
  return true;
}

ForecastSlot* ForecastSlots::begin() {
  const std::int32_t newest = newest_.load(std::memory_order_relaxed);
  for (std::int32_t i = 0; i < kSlots; ++i) {
    // Sequentially consistent with `borrow`: either it sees that another slot is the newest, or we see that it counted itself in.
    if (i != newest && slots_[i].borrowed.load() == 0) {
      return &slots_[i];
    }
  }
  return nullptr;
}

void ForecastSlots::publish(ForecastSlot* slot) {
  slot->view.number = number_.load(std::memory_order_relaxed) + 1;
  newest_.store(static_cast<std::int32_t>(slot - slots_));
  number_.store(slot->view.number, std::memory_order_release);
}

const posebridge_forecast* ForecastSlots::borrow() {
  if (full()) {
    return nullptr;
  }
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const std::int32_t newest = newest_.load();
    if (newest < 0) {
      return nullptr;
    }
    ForecastSlot& slot = slots_[newest];
    slot.borrowed.fetch_add(1);
    if (newest_.load() == newest) {
      borrowed_.fetch_add(1, std::memory_order_relaxed);
      return &slot.view;
    }
    slot.borrowed.fetch_sub(1);
  }
  return nullptr;
}

bool ForecastSlots::release(const posebridge_forecast* forecast) {
  for (ForecastSlot& slot : slots_) {
    if (&slot.view == forecast && slot.borrowed.load(std::memory_order_relaxed) > 0) {
      slot.borrowed.fetch_sub(1);
      borrowed_.fetch_sub(1, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

}  // namespace posebridge
