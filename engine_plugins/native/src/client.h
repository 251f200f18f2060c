// A client: its avatars, its background thread, and what both sides know of each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "avatar.h"
#include "settings.h"
#include "wakeup.h"
#include "wire.h"

namespace posebridge {

std::uint64_t now_us();

// Written by one side, read by the other; posebridge_stats is made of them.
struct Counters {
  std::atomic<std::uint64_t> sessions{0}, frames_given{0}, frames_sent{0}, frames_resent{0}, frames_dropped{0}, forecasts{0},
      forecasts_skipped{0}, frame_errors{0}, malformed{0}, alerts{0}, alerts_dropped{0}, bytes_sent{0}, bytes_received{0}, allocations{0},
      latency_us{0}, round_trip_us{0};
  std::atomic<std::int64_t> clock_offset_us{0};
  std::atomic<bool> clock_known{false};
};

// Changes of alerts between the two threads; the oldest are forgotten when nobody polls.
class AlertQueue {
 public:
  // False if the oldest was forgotten for it.
  bool push(const posebridge_alert& alert);
  bool pop(posebridge_alert& alert);

 private:
  static constexpr std::size_t kMost = 256;

  std::mutex mutex_;
  std::unique_ptr<posebridge_alert[]> alerts_{new posebridge_alert[kMost]};
  std::uint64_t head_ = 0, tail_ = 0;
};

class Client {
 public:
  explicit Client(Settings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool ok() const;

  bool connect();
  void disconnect();

  std::int32_t add_avatar(const char* id);
  Avatar* avatar(std::int32_t handle);
  std::int32_t send(Avatar& avatar, std::uint64_t timestamp_us, const float* landmarks, const double* root, std::uint64_t* sequence);

  // What goes wrong is noted here, by either side.
  void fail(std::int32_t code, const char* field, const char* problem, const char* expected);
  void fail(const posebridge_error& error);
  bool last_error(posebridge_error& error) const;
  bool session(posebridge_session& session) const;
  void log(std::int32_t level, const char* message) const;

  const Settings settings;
  std::atomic<std::int32_t> state{POSEBRIDGE_DISCONNECTED};
  Counters counters;
  AlertQueue alerts;

 private:
  friend class Connection;

  std::vector<std::unique_ptr<Avatar>> avatars_;  // max_avatars places; the first `avatar_count_` are taken
  std::atomic<std::int32_t> avatar_count_{0};
  mutable std::mutex mutex_;  // of the two below; never held for longer than a copy
  posebridge_error error_{};
  posebridge_session session_{};
  Wakeup wakeup_;
  void* context_ = nullptr;  // of libzmq
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace posebridge
