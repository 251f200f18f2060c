// The C interface: arguments checked, nothing thrown across it.
#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>

#include "axes.h"
#include "client.h"
#include "posebridge/posebridge.h"

struct posebridge_client {
  explicit posebridge_client(posebridge::Settings settings) : impl(std::move(settings)) {}
  posebridge::Client impl;
};

namespace {

constexpr std::size_t kLeastSize = sizeof(std::size_t);

// Our struct into a caller's, which may be of another version: as much as both know of.
template <typename Struct>
bool hand_out(const Struct& ours, Struct* theirs) {
  if (theirs == nullptr || theirs->size < kLeastSize) {
    return false;
  }
  const std::size_t size = theirs->size;
  std::memcpy(theirs, &ours, std::min(size, sizeof ours));
  theirs->size = size;
  return true;
}

std::int32_t wrong(posebridge_client* client, const char* field, const char* problem, const char* expected) {
  if (client != nullptr) {
    client->impl.fail(POSEBRIDGE_ERROR_INVALID_ARGUMENT, field, problem, expected);
  }
  return POSEBRIDGE_INVALID_ARGUMENT;
}

posebridge::Avatar* avatar_of(posebridge_client* client, std::int32_t handle) {
  posebridge::Avatar* avatar = client == nullptr ? nullptr : client->impl.avatar(handle);
  if (avatar == nullptr) {
    wrong(client, "avatar", "is no handle of this client", "what posebridge_add_avatar returned");
  }
  return avatar;
}

}  // namespace

extern "C" {

const char* posebridge_version(void) {
#define POSEBRIDGE_TEXT_OF(number) #number
#define POSEBRIDGE_TEXT(number) POSEBRIDGE_TEXT_OF(number)
  return POSEBRIDGE_TEXT(POSEBRIDGE_VERSION_MAJOR) "." POSEBRIDGE_TEXT(POSEBRIDGE_VERSION_MINOR) "." POSEBRIDGE_TEXT(
      POSEBRIDGE_VERSION_PATCH);
}

std::uint64_t posebridge_now_us(void) { return posebridge::now_us(); }

std::int32_t posebridge_default_config(posebridge_config* config) {
  return hand_out(posebridge::default_config(), config) ? POSEBRIDGE_OK : POSEBRIDGE_INVALID_ARGUMENT;
}

std::int32_t posebridge_create(const posebridge_config* config, posebridge_client** client, posebridge_error* error) {
  posebridge_error problem{};
  std::int32_t result = POSEBRIDGE_OK;
  if (client == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  *client = nullptr;
  try {
    posebridge::Settings settings;
    if (config == nullptr) {
      posebridge::set_error(problem, POSEBRIDGE_ERROR_INVALID_ARGUMENT, "config", "is NULL", "a posebridge_config");
      result = POSEBRIDGE_INVALID_ARGUMENT;
    } else if (!posebridge::read_settings(*config, settings, problem)) {
      result = POSEBRIDGE_INVALID_ARGUMENT;
    } else {
      auto made = std::make_unique<posebridge_client>(std::move(settings));
      if (made->impl.ok()) {
        *client = made.release();
      } else {
        posebridge::set_error(problem, POSEBRIDGE_ERROR_RESOURCE_EXHAUSTED, "", "no socket context or event descriptor is to be had", "");
        result = POSEBRIDGE_OUT_OF_RESOURCES;
      }
    }
  } catch (const std::exception& exception) {
    posebridge::set_error(problem, POSEBRIDGE_ERROR_RESOURCE_EXHAUSTED, "", exception.what(), "");
    result = POSEBRIDGE_OUT_OF_RESOURCES;
  }
  if (result != POSEBRIDGE_OK && error != nullptr) {
    problem.count = 1;
    hand_out(problem, error);
  }
  return result;
}

void posebridge_destroy(posebridge_client* client) { delete client; }

std::int32_t posebridge_connect(posebridge_client* client) {
  if (client == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  try {
    return client->impl.connect() ? POSEBRIDGE_OK : POSEBRIDGE_FAILED_PRECONDITION;
  } catch (const std::exception& exception) {
    client->impl.fail(POSEBRIDGE_ERROR_RESOURCE_EXHAUSTED, "", exception.what(), "");
    return POSEBRIDGE_OUT_OF_RESOURCES;
  }
}

std::int32_t posebridge_disconnect(posebridge_client* client) {
  if (client == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  client->impl.disconnect();
  return POSEBRIDGE_OK;
}

std::int32_t posebridge_get_state(const posebridge_client* client) {
  return client == nullptr ? static_cast<std::int32_t>(POSEBRIDGE_DISCONNECTED) : client->impl.state.load();
}

std::int32_t posebridge_last_error(const posebridge_client* client, posebridge_error* error) {
  posebridge_error last{};
  const bool there = client != nullptr && client->impl.last_error(last);
  if (client == nullptr || !hand_out(last, error)) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  return there ? POSEBRIDGE_OK : POSEBRIDGE_EMPTY;
}

std::int32_t posebridge_get_session(const posebridge_client* client, posebridge_session* session) {
  posebridge_session current{};
  const bool there = client != nullptr && client->impl.session(current);
  if (client == nullptr || !hand_out(current, session)) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  return there ? POSEBRIDGE_OK : POSEBRIDGE_EMPTY;
}

std::int32_t posebridge_get_stats(const posebridge_client* client, posebridge_stats* stats) {
  if (client == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  const posebridge::Counters& counters = client->impl.counters;
  const auto value = [](const std::atomic<std::uint64_t>& counter) { return counter.load(std::memory_order_relaxed); };
  posebridge_stats now{};
  now.size = sizeof now;
  now.state = client->impl.state.load();
  now.sessions = value(counters.sessions);
  now.frames_given = value(counters.frames_given);
  now.frames_sent = value(counters.frames_sent);
  now.frames_resent = value(counters.frames_resent);
  now.frames_dropped = value(counters.frames_dropped);
  now.forecasts = value(counters.forecasts);
  now.forecasts_skipped = value(counters.forecasts_skipped);
  now.frame_errors = value(counters.frame_errors);
  now.malformed = value(counters.malformed);
  now.alerts = value(counters.alerts);
  now.alerts_dropped = value(counters.alerts_dropped);
  now.bytes_sent = value(counters.bytes_sent);
  now.bytes_received = value(counters.bytes_received);
  now.allocations = value(counters.allocations);
  now.latency_us = value(counters.latency_us);
  now.clock_known = counters.clock_known.load(std::memory_order_acquire) ? 1 : 0;
  now.round_trip_us = value(counters.round_trip_us);
  now.clock_offset_us = counters.clock_offset_us.load(std::memory_order_relaxed);
  return hand_out(now, stats) ? POSEBRIDGE_OK : POSEBRIDGE_INVALID_ARGUMENT;
}

std::int32_t posebridge_add_avatar(posebridge_client* client, const char* avatar_id) {
  if (client == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  try {
    return client->impl.add_avatar(avatar_id);
  } catch (const std::exception& exception) {
    client->impl.fail(POSEBRIDGE_ERROR_RESOURCE_EXHAUSTED, "avatar_id", exception.what(), "");
    return POSEBRIDGE_OUT_OF_RESOURCES;
  }
}

std::int32_t posebridge_send_frame(posebridge_client* client, std::int32_t avatar, std::uint64_t timestamp_us, const float* landmarks,
                                   const double* root, std::uint64_t* sequence) {
  posebridge::Avatar* whose = avatar_of(client, avatar);
  return whose == nullptr ? static_cast<std::int32_t>(POSEBRIDGE_INVALID_ARGUMENT)
                          : client->impl.send(*whose, timestamp_us, landmarks, root, sequence);
}

std::int32_t posebridge_borrow_forecast(posebridge_client* client, std::int32_t avatar, const posebridge_forecast** forecast) {
  posebridge::Avatar* whose = avatar_of(client, avatar);
  if (whose == nullptr || forecast == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  *forecast = nullptr;
  if (whose->forecasts.full()) {
    return POSEBRIDGE_FAILED_PRECONDITION;
  }
  *forecast = whose->forecasts.borrow();
  return *forecast == nullptr ? POSEBRIDGE_EMPTY : POSEBRIDGE_OK;
}

std::int32_t posebridge_release_forecast(posebridge_client* client, std::int32_t avatar, const posebridge_forecast* forecast) {
  posebridge::Avatar* whose = avatar_of(client, avatar);
  if (whose == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  return whose->forecasts.release(forecast) ? static_cast<std::int32_t>(POSEBRIDGE_OK)
                                            : wrong(client, "forecast", "is not borrowed", "what posebridge_borrow_forecast gave");
}

std::int32_t posebridge_latest_forecast(posebridge_client* client, std::int32_t avatar, posebridge_forecast* forecast, void* buffer,
                                        std::size_t* buffer_bytes) {
  posebridge::Avatar* whose = avatar_of(client, avatar);
  if (whose == nullptr || forecast == nullptr || forecast->size < kLeastSize || buffer_bytes == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  const posebridge_forecast* newest = whose->forecasts.borrow();
  if (newest == nullptr) {
    return whose->forecasts.full() ? POSEBRIDGE_FAILED_PRECONDITION : POSEBRIDGE_EMPTY;
  }
  const std::size_t k = newest->futures;
  const std::size_t h = newest->steps;
  const std::size_t j = newest->landmarks;
  const std::size_t sizes[] = {3 * k * h * j, newest->roots == nullptr ? 0 : 3 * k * h, h * j, k, k};
  const void* arrays[] = {newest->positions, newest->roots, newest->spread, newest->probabilities, newest->mode_ids};
  std::size_t needed = 0;
  for (const std::size_t size : sizes) {
    needed += 4 * size;
  }
  std::int32_t result = POSEBRIDGE_OK;
  if (buffer == nullptr || *buffer_bytes < needed) {
    result = POSEBRIDGE_RESOURCE_EXHAUSTED;
  } else {
    posebridge_forecast copy = *newest;
    void* copies[5] = {};
    auto* out = static_cast<unsigned char*>(buffer);
    for (int i = 0; i < 5; ++i) {
      if (sizes[i] > 0) {
        std::memcpy(out, arrays[i], 4 * sizes[i]);
        copies[i] = out;
      }
      out += 4 * sizes[i];
    }
    copy.positions = static_cast<const float*>(copies[0]);
    copy.roots = static_cast<const float*>(copies[1]);
    copy.spread = static_cast<const float*>(copies[2]);
    copy.probabilities = static_cast<const float*>(copies[3]);
    copy.mode_ids = static_cast<const std::uint32_t*>(copies[4]);
    hand_out(copy, forecast);
  }
  whose->forecasts.release(newest);
  *buffer_bytes = needed;
  return result;
}

std::uint64_t posebridge_forecast_number(const posebridge_client* client, std::int32_t avatar) {
  // The client is only read.
  const posebridge::Avatar* whose = client == nullptr ? nullptr : const_cast<posebridge_client*>(client)->impl.avatar(avatar);
  return whose == nullptr ? 0 : whose->forecasts.number();
}

std::int32_t posebridge_pose_at(posebridge_client* client, std::int32_t avatar, std::uint64_t time_us, std::int32_t future,
                                posebridge_pose* pose) {
  posebridge::Avatar* whose = avatar_of(client, avatar);
  if (whose == nullptr || pose == nullptr || pose->size < sizeof(posebridge_pose) || pose->positions == nullptr) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  const posebridge_forecast* newest = whose->forecasts.borrow();
  if (newest == nullptr) {
    return whose->forecasts.full() ? POSEBRIDGE_FAILED_PRECONDITION : POSEBRIDGE_EMPTY;
  }
  std::int32_t result = POSEBRIDGE_OK;
  if (future < POSEBRIDGE_MEAN_FUTURE || future >= static_cast<std::int32_t>(newest->futures)) {
    result = wrong(client, "future", "there is no such future", "POSEBRIDGE_MEAN_FUTURE, or 0 to K - 1");
  } else {
    whose->player.pose_at(*newest, whose->sent.find(newest->based_on_sequence), time_us, future, *pose);
  }
  whose->forecasts.release(newest);
  return result;
}

std::int32_t posebridge_poll_alert(posebridge_client* client, posebridge_alert* alert) {
  if (client == nullptr || alert == nullptr || alert->size < kLeastSize) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  posebridge_alert oldest{};
  if (!client->impl.alerts.pop(oldest)) {
    return POSEBRIDGE_EMPTY;
  }
  hand_out(oldest, alert);
  return POSEBRIDGE_OK;
}

std::int32_t posebridge_convert_points(std::int32_t from_axes, std::int32_t to_axes, const float* in, float* out, std::uint32_t count) {
  if (!posebridge::is_axes(from_axes) || !posebridge::is_axes(to_axes) || (count > 0 && (in == nullptr || out == nullptr))) {
    return POSEBRIDGE_INVALID_ARGUMENT;
  }
  posebridge::to_mediapipe(posebridge::axes_of(from_axes), in, 3, out, 3, count);
  posebridge::from_mediapipe(posebridge::axes_of(to_axes), out, out, count);
  return POSEBRIDGE_OK;
}

}  // extern "C"
