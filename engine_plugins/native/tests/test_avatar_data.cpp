// What passes between threads, and poses between steps.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "forecast_slots.h"
#include "frame_ring.h"
#include "player.h"

using namespace posebridge;

TEST_CASE("a full ring gives up its oldest frame and says so") {
  FrameRing ring(2, 4);
  float landmarks[8] = {};
  for (std::uint64_t i = 1; i <= 6; ++i) {
    FrameHead head;
    head.sequence = i;
    head.detected = true;
    landmarks[0] = static_cast<float>(i);
    CHECK(ring.push(head, landmarks) == (i <= 4));
  }
  std::vector<std::uint64_t> seen;
  FrameHead head;
  float out[8];
  while (ring.pop(head, out)) {
    seen.push_back(head.sequence);
    CHECK(out[0] == static_cast<float>(head.sequence));
  }
  CHECK(seen == std::vector<std::uint64_t>{3, 4, 5, 6});
  CHECK(ring.overwritten() == 2);
  CHECK(ring.empty());
}

TEST_CASE("frames cross threads whole and in order, whatever is dropped") {
  constexpr std::uint64_t kFrames = 100'000;
  FrameRing ring(33, 8);
  std::atomic<bool> done{false};
  std::thread producer([&] {
    std::vector<float> landmarks(132);
    for (std::uint64_t i = 1; i <= kFrames; ++i) {
      FrameHead head;
      head.sequence = i;
      head.timestamp_us = i * 7;
      head.detected = i % 5 != 0;
      std::fill(landmarks.begin(), landmarks.end(), static_cast<float>(i % 1000));
      ring.push(head, landmarks.data());
    }
    done.store(true);
  });
  std::uint64_t last = 0, taken = 0;
  bool sound = true;
  FrameHead head;
  std::vector<float> landmarks(132);
  while (true) {
    const bool ended = done.load();
    if (!ring.pop(head, landmarks.data())) {
      if (ended) {
        break;
      }
      continue;
    }
    ++taken;
    sound = sound && head.sequence > last && head.timestamp_us == head.sequence * 7;
    last = head.sequence;
    for (const float value : landmarks) {
      sound = sound && (!head.detected || value == static_cast<float>(head.sequence % 1000));
    }
  }
  producer.join();
  CHECK(sound);
  CHECK(last == kFrames);
  CHECK(taken + ring.overwritten() == kFrames);
}

TEST_CASE("a borrowed forecast does not change while newer ones come") {
  ForecastSlots slots;
  const ForecastShape shape{2, 3, 4};
  const auto publish = [&](float value) {
    ForecastSlot* slot = slots.begin();
    if (slot == nullptr) {
      return false;
    }
    slot->reserve(shape);
    std::fill(slot->positions(), slot->positions() + 72, value);
    slot->view.positions = slot->positions();
    slots.publish(slot);
    return true;
  };
  CHECK(slots.borrow() == nullptr);
  REQUIRE(publish(1.0F));
  const posebridge_forecast* first = slots.borrow();
  REQUIRE(first != nullptr);
  std::vector<const posebridge_forecast*> held{first};
  for (int i = 2; i < 50; ++i) {
    REQUIRE(publish(static_cast<float>(i)));
    if (held.size() < 4) {
      held.push_back(slots.borrow());
    }
  }
  for (std::size_t i = 0; i < held.size(); ++i) {
    CHECK(held[i]->positions[71] == static_cast<float>(i + 1));
    CHECK(held[i]->number == i + 1);
  }
  CHECK(slots.full());
  CHECK(slots.borrow() == nullptr);
  for (const posebridge_forecast* forecast : held) {
    CHECK(slots.release(forecast));
  }
  CHECK_FALSE(slots.release(first));
  const posebridge_forecast* newest = slots.borrow();
  CHECK(newest->positions[0] == 49.0F);
  slots.release(newest);
}

TEST_CASE("readers on another thread see whole forecasts only") {
  ForecastSlots slots;
  const ForecastShape shape{1, 10, 33};
  std::atomic<bool> stop{false};
  std::atomic<int> reads{0};
  bool sound = true;
  std::thread reader([&] {
    std::uint64_t last = 0;
    while (!stop.load()) {
      const posebridge_forecast* forecast = slots.borrow();
      if (forecast == nullptr) {
        continue;
      }
      const float expected = static_cast<float>(forecast->number % 1000);
      for (int i = 0; i < 990; ++i) {
        sound = sound && forecast->positions[i] == expected;
      }
      sound = sound && forecast->number >= last;
      last = forecast->number;
      slots.release(forecast);
      reads.fetch_add(1);
    }
  });
  std::uint64_t number = 0;
  while (number < 20'000 || reads.load() < 100) {
    ForecastSlot* slot = slots.begin();
    REQUIRE(slot != nullptr);
    slot->reserve(shape);
    ++number;
    std::fill(slot->positions(), slot->positions() + 990, static_cast<float>(number % 1000));
    slot->view.positions = slot->positions();
    slots.publish(slot);
  }
  stop.store(true);
  reader.join();
  CHECK(sound);
}

namespace {

// Two futures of one landmark over four steps, 100 ms apart, based on 1 s: the first goes along x, the second along y.
struct Paths {
  Paths(std::uint64_t number, float from, float speed) {
    for (int h = 0; h < 4; ++h) {
      positions[3 * h] = from + speed * static_cast<float>(h + 1);
      positions[12 + 3 * h + 1] = 2.0F * static_cast<float>(h + 1);
      roots[3 * h] = 10.0F + static_cast<float>(h);
    }
    forecast.size = sizeof forecast;
    forecast.based_on_timestamp_us = 1'000'000;
    forecast.step_us = 100'000;
    forecast.futures = 2;
    forecast.steps = 4;
    forecast.landmarks = 1;
    forecast.positions = positions;
    forecast.roots = roots;
    forecast.probabilities = probabilities;
    forecast.mode_ids = modes;
    forecast.number = number;
  }
  float positions[24] = {};
  float roots[24] = {};
  float probabilities[2] = {0.75F, 0.25F};
  std::uint32_t modes[2] = {4, 9};
  posebridge_forecast forecast{};
};

struct Shown {
  float at[3];
  posebridge_pose pose{};
  Shown() {
    pose.size = sizeof pose;
    pose.positions = at;
  }
};

}  // namespace

TEST_CASE("a pose moves linearly between steps, goes on for a while past the end, then holds") {
  const Paths paths(1, 0.0F, 1.0F);
  const float start[3] = {0.5F, 0.0F, 0.0F};
  Player player(1, 100, 100);
  Shown shown;
  const auto x_at = [&](std::uint64_t time_us) {
    Player fresh(1, 100, 100);
    fresh.pose_at(paths.forecast, start, time_us, 0, shown.pose);
    return shown.at[0];
  };
  CHECK(x_at(900'000) == doctest::Approx(0.5F));
  CHECK(x_at(1'000'000) == doctest::Approx(0.5F));
  CHECK(x_at(1'050'000) == doctest::Approx(0.75F));
  CHECK(x_at(1'100'000) == doctest::Approx(1.0F));
  CHECK(x_at(1'250'000) == doctest::Approx(2.5F));
  CHECK(shown.pose.ahead_us == 250'000);
  CHECK(shown.pose.beyond_us == 0);
  CHECK(x_at(1'450'000) == doctest::Approx(4.5F));
  CHECK(shown.pose.beyond_us == 50'000);
  CHECK(x_at(1'500'000) == doctest::Approx(5.0F));
  CHECK(x_at(9'000'000) == doctest::Approx(5.0F));
  CHECK(shown.pose.probability == 0.75F);
  CHECK(shown.pose.mode_id == 4);
  CHECK(shown.pose.has_root == 1);
  player.pose_at(paths.forecast, nullptr, 1'050'000, 0, shown.pose);
  CHECK(shown.at[0] == doctest::Approx(0.5F));  // without a start: along the line of the first two steps
  CHECK(shown.pose.root[0] == doctest::Approx(9.5F));
}

TEST_CASE("the mean future is weighted by the probabilities") {
  const Paths paths(1, 0.0F, 1.0F);
  Player player(1, 100, 100);
  Shown shown;
  player.pose_at(paths.forecast, nullptr, 1'200'000, POSEBRIDGE_MEAN_FUTURE, shown.pose);
  CHECK(shown.at[0] == doctest::Approx(0.75F * 2.0F));
  CHECK(shown.at[1] == doctest::Approx(0.25F * 4.0F));
  CHECK(shown.pose.probability == 1.0F);
}

TEST_CASE("a newer forecast takes over without a jump and is reached after the blend") {
  const Paths older(1, 0.0F, 1.0F);
  const Paths newer(2, 5.0F, 1.0F);  // five units away
  Player player(1, 100, 100);
  Shown shown;
  float last = 0.0F;
  float largest = 0.0F;
  for (std::uint64_t time_us = 1'100'000; time_us <= 1'400'000; time_us += 1'000) {
    const Paths& paths = time_us < 1'200'000 ? older : newer;
    player.pose_at(paths.forecast, nullptr, time_us, 0, shown.pose);
    if (time_us > 1'100'000) {
      largest = std::max(largest, std::fabs(shown.at[0] - last));
    }
    last = shown.at[0];
  }
  CHECK(largest < 0.1F);  // per millisecond; the jump would be 5
  player.pose_at(newer.forecast, nullptr, 1'310'000, 0, shown.pose);
  CHECK(shown.at[0] == doctest::Approx(8.1F));
}

TEST_CASE("poses that were sent are where a forecast sets out from") {
  SentPoses sent(3, 0, 1, 0.1F);
  const float landmarks[12] = {-1, 0, 0, 1, 1, 2, 0, 1, 5, 5, 5, 0.05F};
  sent.add(7, landmarks);
  const float* pose = sent.find(7);
  REQUIRE(pose != nullptr);
  CHECK(pose[0] == -1.0F);
  CHECK(pose[1] == -1.0F);
  CHECK(std::isnan(pose[6]));
  CHECK(sent.find(8) == nullptr);
  const float no_hip[12] = {-1, 0, 0, 1, 1, 2, 0, 0.05F, 5, 5, 5, 1};
  sent.add(9, no_hip);
  CHECK(sent.find(9) == nullptr);
  sent.add(7 + 32, landmarks);
  CHECK(sent.find(7) == nullptr);
}
