#include "client.h"

#include <zmq.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "axes.h"
#include "connection.h"

namespace posebridge {
namespace {

constexpr std::uint64_t kLatestTimestampUs = std::uint64_t{1} << 62U;
constexpr float kFurthestM = 100.0F;
constexpr double kFurthestRootM = 100'000.0;

}  // namespace

std::uint64_t now_us() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

bool AlertQueue::push(const posebridge_alert& alert) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool room = head_ - tail_ < kMost;
  if (!room) {
    ++tail_;
  }
  alerts_[head_++ % kMost] = alert;
  return room;
}

bool AlertQueue::pop(posebridge_alert& alert) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (head_ == tail_) {
    return false;
  }
  alert = alerts_[tail_++ % kMost];
  return true;
}

Client::Client(Settings given) : settings(std::move(given)), avatars_(settings.numbers.max_avatars) { context_ = zmq_ctx_new(); }

Client::~Client() {
  disconnect();
  if (context_ != nullptr) {
    zmq_ctx_term(context_);
  }
}

bool Client::ok() const { return context_ != nullptr && wakeup_.ok(); }

bool Client::connect() {
  if (thread_.joinable()) {
    if (state.load() != POSEBRIDGE_REFUSED) {
      return false;
    }
    disconnect();
  }
  stop_.store(false);
  state.store(POSEBRIDGE_CONNECTING);
  thread_ = std::thread([this] { Connection(*this).run(); });
  return true;
}

void Client::disconnect() {
  if (thread_.joinable()) {
    stop_.store(true);
    wakeup_.ring();
    thread_.join();
  }
  state.store(POSEBRIDGE_DISCONNECTED);
}

std::int32_t Client::add_avatar(const char* id) {
  if (!is_name(id)) {
    fail(POSEBRIDGE_ERROR_INVALID_ARGUMENT, "avatar_id", id == nullptr ? "is NULL" : id, "1 to 64 of A-Z a-z 0-9 _ . : -");
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  const std::int32_t count = avatar_count_.load(std::memory_order_relaxed);
  for (std::int32_t i = 0; i < count; ++i) {
    if (avatars_[static_cast<std::size_t>(i)]->id == id) {
      return i;
    }
  }
  if (static_cast<std::size_t>(count) == avatars_.size()) {
    fail(POSEBRIDGE_ERROR_RESOURCE_EXHAUSTED, "avatar_id", "there are as many avatars as config.max_avatars allows",
         "a larger max_avatars");
    return POSEBRIDGE_RESOURCE_EXHAUSTED;
  }
  avatars_[static_cast<std::size_t>(count)] = std::make_unique<Avatar>(id, settings);
  avatar_count_.store(count + 1, std::memory_order_release);
  return count;
}

Avatar* Client::avatar(std::int32_t handle) {
  const bool known = handle >= 0 && handle < avatar_count_.load(std::memory_order_acquire);
  return known ? avatars_[static_cast<std::size_t>(handle)].get() : nullptr;
}

std::int32_t Client::send(Avatar& avatar, std::uint64_t timestamp_us, const float* landmarks, const double* root, std::uint64_t* sequence) {
  const auto refuse = [this](const char* field, const char* problem, const char* expected) {
    fail(POSEBRIDGE_ERROR_INVALID_ARGUMENT, field, problem, expected);
    return static_cast<std::int32_t>(POSEBRIDGE_INVALID_ARGUMENT);
  };
  if (timestamp_us == 0 || timestamp_us > kLatestTimestampUs) {
    return refuse("timestamp_us", "is out of range", "1 to 2^62");
  }
  const Axes& axes = axes_of(settings.numbers.axes);
  const std::size_t count = settings.numbers.landmarks;
  FrameHead head;
  head.timestamp_us = timestamp_us;
  head.detected = landmarks != nullptr;
  if (landmarks != nullptr) {
    float* out = avatar.converted.data();
    to_mediapipe(axes, landmarks, 4, out, 4, count);
    for (std::size_t j = 0; j < count; ++j) {
      // A landmark that is not seen may have any numbers; on the wire they are zero.
      const float visibility = landmarks[4 * j + 3];
      const bool seen = visibility > 0.0F;
      if (!(visibility >= 0.0F && visibility <= 1.0F)) {
        return refuse("landmarks", "a visibility is not between 0 and 1", "0 to 1");
      }
      for (std::size_t c = 0; c < 3; ++c) {
        float& value = out[4 * j + c];
        if (!seen) {
          value = 0.0F;
        } else if (!(std::fabs(value) <= kFurthestM)) {
          return refuse("landmarks", "a coordinate is not finite or further than 100 m from the origin",
                        "finite numbers within 100 m; visibility 0 where a landmark is not seen");
        }
      }
      out[4 * j + 3] = visibility;
    }
  }
  if (root != nullptr) {
    head.has_root = true;
    for (int c = 0; c < 3; ++c) {
      const double value = root[c] * static_cast<double>(axes.sign[c]) / static_cast<double>(axes.scale);
      if (!(std::fabs(value) <= kFurthestRootM)) {
        return refuse("root", "a coordinate is not finite or further than 100 km from the origin", "finite numbers within 100 km");
      }
      head.root[axes.from[c]] = value;
    }
  }
  head.sequence = avatar.next_sequence++;
  head.given_us = now_us();
  avatar.sent.add(head.sequence, landmarks);
  if (sequence != nullptr) {
    *sequence = head.sequence;
  }
  counters.frames_given.fetch_add(1, std::memory_order_relaxed);
  const bool kept_all = avatar.ring.push(head, avatar.converted.data());
  wakeup_.ring();
  return kept_all ? POSEBRIDGE_OK : POSEBRIDGE_DROPPED_OLDEST;
}

void Client::fail(std::int32_t code, const char* field, const char* problem, const char* expected) {
  posebridge_error error{};
  set_error(error, code, field, problem, expected);
  fail(error);
}

void Client::fail(const posebridge_error& error) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::uint64_t count = error_.count + 1;
  error_ = error;
  error_.size = sizeof error_;
  error_.count = count;
}

bool Client::last_error(posebridge_error& error) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  error = error_;
  return error_.count > 0;
}

bool Client::session(posebridge_session& session) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  session = session_;
  return session_.protocol_version > 0;
}

void Client::log(std::int32_t level, const char* message) const {
  if (settings.numbers.log != nullptr) {
    settings.numbers.log(settings.numbers.log_user, level, message);
  }
}

}  // namespace posebridge
