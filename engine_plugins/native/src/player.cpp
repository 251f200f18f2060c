#include "player.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace posebridge {
namespace {

// After a longer pause there is nothing on the screen that a jump could be seen against.
constexpr std::uint64_t kLongestPauseUs = 500'000;

// Where a time lies between the steps of a forecast: step `left` (-1: the pose it sets out from) and the share of the way to the next.
struct Position {
  std::int32_t left;
  float share;
};

Position locate(const posebridge_forecast& forecast, std::uint64_t time_us, std::uint64_t extrapolate_us) {
  const auto steps = static_cast<std::int32_t>(forecast.steps);
  if (time_us <= forecast.based_on_timestamp_us) {
    return {-1, 0.0F};
  }
  const double longest = static_cast<double>(forecast.steps) + static_cast<double>(extrapolate_us) / forecast.step_us;
  const double ahead = std::min(static_cast<double>(time_us - forecast.based_on_timestamp_us) / forecast.step_us, longest);
  // Position 1 is step 0. Past the end the last two steps go on as a line: a share above 1.
  const std::int32_t left = std::max(-1, std::min(static_cast<std::int32_t>(ahead) - 1, steps - 2));
  return {left, static_cast<float>(ahead - (left + 1))};
}

}  // namespace

SentPoses::SentPoses(std::size_t landmarks, int left_hip, int right_hip, float visibility_threshold)
    : landmarks_(landmarks),
      left_hip_(static_cast<std::size_t>(std::max(0, left_hip))),
      right_hip_(static_cast<std::size_t>(std::max(0, right_hip))),
      threshold_(visibility_threshold),
      poses_(left_hip < 0 ? 0 : kKept * landmarks * 3) {}

void SentPoses::add(std::uint64_t sequence, const float* landmarks) {
  if (poses_.empty() || landmarks == nullptr) {
    return;
  }
  const std::size_t index = static_cast<std::size_t>(sequence % kKept);
  for (const std::size_t hip : {left_hip_, right_hip_}) {
    // Without its hips nobody knows where the middle of the body is.
    if (!(landmarks[4 * hip + 3] >= threshold_ && landmarks[4 * hip + 3] > 0.0F)) {
      sequences_[index] = 0;
      return;
    }
  }
  float* pose = &poses_[index * landmarks_ * 3];
  sequences_[index] = sequence;
  float middle[3];
  for (std::size_t c = 0; c < 3; ++c) {
    middle[c] = 0.5F * (landmarks[4 * left_hip_ + c] + landmarks[4 * right_hip_ + c]);
  }
  for (std::size_t j = 0; j < landmarks_; ++j) {
    const bool seen = landmarks[4 * j + 3] >= threshold_ && landmarks[4 * j + 3] > 0.0F;
    for (std::size_t c = 0; c < 3; ++c) {
      pose[3 * j + c] = seen ? landmarks[4 * j + c] - middle[c] : std::numeric_limits<float>::quiet_NaN();
    }
  }
}

const float* SentPoses::find(std::uint64_t sequence) const {
  const std::size_t index = static_cast<std::size_t>(sequence % kKept);
  return poses_.empty() || sequences_[index] != sequence ? nullptr : &poses_[index * landmarks_ * 3];
}

Player::Player(std::size_t landmarks, std::uint32_t blend_ms, std::uint32_t extrapolate_ms)
    : floats_(3 * landmarks),
      blend_us_(std::uint64_t{1000} * blend_ms),
      extrapolate_us_(std::uint64_t{1000} * extrapolate_ms),
      scratch_(floats_),
      shown_(POSEBRIDGE_MAX_FUTURES + 1) {
  for (Shown& shown : shown_) {
    shown.pose.resize(floats_);
    shown.offset.resize(floats_);
  }
}

void Player::evaluate(const posebridge_forecast& forecast, const float* start, std::uint64_t time_us, std::int32_t future,
                      float* out) const {
  const Position at = locate(forecast, time_us, extrapolate_us_);
  const std::int32_t first = future < 0 ? 0 : future;
  const std::int32_t last = future < 0 ? static_cast<std::int32_t>(forecast.futures) - 1 : future;
  const auto steps = static_cast<std::int32_t>(forecast.steps);
  if (first != last) {
    std::fill(out, out + floats_, 0.0F);
  }
  for (std::int32_t k = first; k <= last; ++k) {
    const float* path = forecast.positions + static_cast<std::size_t>(k) * forecast.steps * floats_;
    const float weight = first == last ? 1.0F : forecast.probabilities[k];
    const float* right = path + static_cast<std::size_t>(std::min(at.left + 1, steps - 1)) * floats_;
    // Before the first step, where the pose that it sets out from is not known: the line through the first two steps.
    const float* second = path + (steps > 1 ? floats_ : 0);
    const float* left = at.left < 0 ? nullptr : path + static_cast<std::size_t>(at.left) * floats_;
    for (std::size_t i = 0; i < floats_; ++i) {
      float from = 0.0F;
      if (left != nullptr) {
        from = left[i];
      } else if (start != nullptr && std::isfinite(start[i])) {
        from = start[i];
      } else {
        from = 2.0F * path[i] - second[i];
      }
      const float value = from + at.share * (right[i] - from);
      if (first == last) {
        out[i] = value;
      } else {
        out[i] += weight * value;
      }
    }
  }
}

void Player::evaluate_root(const posebridge_forecast& forecast, std::uint64_t time_us, std::int32_t future, float* out) const {
  const Position at = locate(forecast, time_us, extrapolate_us_);
  const std::int32_t first = future < 0 ? 0 : future;
  const std::int32_t last = future < 0 ? static_cast<std::int32_t>(forecast.futures) - 1 : future;
  const auto steps = static_cast<std::int32_t>(forecast.steps);
  for (int c = 0; c < 3; ++c) {
    out[c] = 0.0F;
    for (std::int32_t k = first; k <= last; ++k) {
      const float* path = forecast.roots + static_cast<std::size_t>(k) * forecast.steps * 3;
      const float right = path[std::size_t{3} * static_cast<std::size_t>(std::min(at.left + 1, steps - 1)) + static_cast<std::size_t>(c)];
      const float left = at.left < 0 ? 2.0F * path[c] - path[(steps > 1 ? 3 : 0) + c]
                                     : path[std::size_t{3} * static_cast<std::size_t>(at.left) + static_cast<std::size_t>(c)];
      out[c] += (first == last ? 1.0F : forecast.probabilities[k]) * (left + at.share * (right - left));
    }
  }
}

void Player::pose_at(const posebridge_forecast& forecast, const float* start, std::uint64_t time_us, std::int32_t future,
                     posebridge_pose& out) {
  Shown& shown = shown_[static_cast<std::size_t>(future) + 1];  // -1 wraps round to 0
  evaluate(forecast, start, time_us, future, out.positions);
  const bool goes_on = shown.number != 0 && time_us >= shown.time_us && time_us - shown.time_us <= kLongestPauseUs;
  if (!goes_on) {
    shown.has_offset = false;
  } else if (shown.number != forecast.number) {
    // What was shown last, against what this forecast says of that very time: the difference fades from there.
    evaluate(forecast, start, shown.time_us, future, scratch_.data());
    for (std::size_t i = 0; i < floats_; ++i) {
      shown.offset[i] = shown.pose[i] - scratch_[i];
    }
    shown.offset_from_us = shown.time_us;
    shown.has_offset = true;
  }
  if (shown.has_offset) {
    const std::uint64_t since_us = time_us - shown.offset_from_us;
    if (since_us >= blend_us_) {
      shown.has_offset = false;
    } else {
      const float share = static_cast<float>(since_us) / static_cast<float>(blend_us_);
      const float left = 1.0F - share * share * (3.0F - 2.0F * share);
      for (std::size_t i = 0; i < floats_; ++i) {
        out.positions[i] += left * shown.offset[i];
      }
    }
  }
  std::copy(out.positions, out.positions + floats_, shown.pose.begin());
  shown.number = forecast.number;
  shown.time_us = time_us;

  out.has_root = forecast.roots == nullptr ? 0 : 1;
  std::fill(out.root, out.root + 3, 0.0F);
  if (forecast.roots != nullptr) {
    evaluate_root(forecast, time_us, future, out.root);
  }
  out.probability = future < 0 ? 1.0F : forecast.probabilities[future];
  out.mode_id = future < 0 ? 0 : forecast.mode_ids[future];
  out.ahead_us = static_cast<std::int64_t>(time_us - forecast.based_on_timestamp_us);
  out.beyond_us = std::max<std::int64_t>(0, out.ahead_us - static_cast<std::int64_t>(forecast.steps) * forecast.step_us);
  out.number = forecast.number;
}

}  // namespace posebridge
