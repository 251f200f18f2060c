// What comes in over a connection: where each of the server's messages goes.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

#include "axes.h"
#include "connection.h"

namespace posebridge {
namespace {

// Errors that will not go away by asking again.
bool is_final(std::int32_t code) {
  switch (code) {
    case POSEBRIDGE_ERROR_INVALID_ARGUMENT:
    case POSEBRIDGE_ERROR_NOT_FOUND:
    case POSEBRIDGE_ERROR_VERSION_MISMATCH:
    case POSEBRIDGE_ERROR_UNAUTHENTICATED:
    case POSEBRIDGE_ERROR_PERMISSION_DENIED:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Connection::on_accepted(const posebridge_session& session) {
  if (session.protocol_version != POSEBRIDGE_PROTOCOL_VERSION) {
    char problem[160];
    std::snprintf(problem, sizeof problem, "the server (%s) speaks protocol %u, this library (%d.%d.%d) protocol %d",
                  session.server_version, session.protocol_version, POSEBRIDGE_VERSION_MAJOR, POSEBRIDGE_VERSION_MINOR,
                  POSEBRIDGE_VERSION_PATCH, POSEBRIDGE_PROTOCOL_VERSION);
    client_.fail(POSEBRIDGE_ERROR_VERSION_MISMATCH, "protocol_version", problem, "a server and a plugin of the same protocol version");
    refused_ = over_ = true;
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(client_.mutex_);
    client_.session_ = session;
  }
  accepted_ = true;
  clock_count_ = 0;
  client_.counters.sessions.fetch_add(1);
  client_.state.store(POSEBRIDGE_READY);
  char message[160];
  std::snprintf(message, sizeof message, "session %s with server %s", session.session_id, session.server_version);
  client_.log(POSEBRIDGE_LOG_INFO, message);
}

void Connection::on_frame_error(const posebridge_error& error) {
  client_.counters.frame_errors.fetch_add(1, std::memory_order_relaxed);
  client_.fail(error);
}

void Connection::on_draining() {
  client_.state.store(POSEBRIDGE_DRAINING);
  client_.log(POSEBRIDGE_LOG_INFO, "the server is about to stop");
}

void Connection::on_clock_pong(const wire::ClockPong& pong) {
  const auto now = static_cast<std::int64_t>(now_us());
  const auto sent = static_cast<std::int64_t>(pong.client_time_us);
  const auto server_in = static_cast<std::int64_t>(pong.server_received_us);
  const auto server_out = static_cast<std::int64_t>(pong.server_sent_us);
  const std::int64_t round_trip = (now - sent) - (server_out - server_in);
  if (sent <= 0 || sent > now || round_trip < 0) {
    return;
  }
  clock_[clock_count_++ % kClockSamples] = {static_cast<std::uint64_t>(round_trip), ((server_in - sent) + (server_out - now)) / 2};
  // The quickest of the last few was delayed least on either way.
  const ClockSample* end = clock_ + std::min(clock_count_, kClockSamples);
  const ClockSample* best = std::min_element(static_cast<const ClockSample*>(clock_), end,
                                             [](const ClockSample& a, const ClockSample& b) { return a.round_trip_us < b.round_trip_us; });
  client_.counters.round_trip_us.store(best->round_trip_us, std::memory_order_relaxed);
  client_.counters.clock_offset_us.store(best->offset_us, std::memory_order_relaxed);
  client_.counters.clock_known.store(true, std::memory_order_release);
}

void Connection::on_alert(const posebridge_alert& alert) {
  client_.counters.alerts.fetch_add(1, std::memory_order_relaxed);
  if (!client_.alerts.push(alert)) {
    client_.counters.alerts_dropped.fetch_add(1, std::memory_order_relaxed);
  }
}

void Connection::on_call_error(const posebridge_error& error, bool session_ended) {
  client_.fail(error);
  client_.log(POSEBRIDGE_LOG_WARNING, error.problem);
  if (!accepted_) {
    over_ = true;
    refused_ = is_final(error.code);
  } else if (session_ended) {
    over_ = true;
  }
}

Avatar* Connection::find(wire::View avatar_id) {
  const std::uint64_t hash = hash_of(avatar_id.data, avatar_id.size);
  const std::int32_t count = client_.avatar_count_.load(std::memory_order_acquire);
  for (std::int32_t i = 0; i < count; ++i) {
    Avatar& avatar = *client_.avatars_[static_cast<std::size_t>(i)];
    if (avatar.hash == hash && avatar.id.size() == avatar_id.size && std::memcmp(avatar.id.data(), avatar_id.data, avatar_id.size) == 0) {
      return &avatar;
    }
  }
  return nullptr;
}

void Connection::on_forecast(const wire::Forecast& forecast) {
  const auto skip = [this] { client_.counters.forecasts_skipped.fetch_add(1, std::memory_order_relaxed); };
  const std::uint32_t landmarks = client_.settings.numbers.landmarks;
  const ForecastShape shape{forecast.futures.shape[0], forecast.futures.shape[1], landmarks};
  const bool sensible = shape.futures >= 1 && shape.futures <= POSEBRIDGE_MAX_FUTURES && shape.steps >= 1 &&
                        shape.steps <= POSEBRIDGE_MAX_STEPS && forecast.step_us >= 1 && forecast.step_us <= 1'000'000 &&
                        forecast.futures.is(shape.futures, shape.steps, landmarks, 3) && forecast.spread.is(shape.steps, landmarks, 0, 0) &&
                        forecast.probabilities == shape.futures && forecast.modes == shape.futures &&
                        (!forecast.has_roots || forecast.roots.is(shape.futures, shape.steps, 3, 0));
  if (!sensible) {
    client_.counters.malformed.fetch_add(1, std::memory_order_relaxed);
    client_.fail(POSEBRIDGE_ERROR_MALFORMED, "forecast", "its arrays do not fit together, or not this client's landmarks",
                 "futures (K, H, J, 3), spread (H, J), K probabilities and mode ids");
    skip();
    return;
  }
  client_.counters.forecasts.fetch_add(1, std::memory_order_relaxed);
  Avatar* avatar = find(forecast.avatar_id);
  ForecastSlot* slot = avatar == nullptr ? nullptr : avatar->forecasts.begin();
  if (slot == nullptr) {
    skip();
    return;
  }
  try {
    if (slot->reserve(shape)) {
      client_.counters.allocations.fetch_add(1, std::memory_order_relaxed);
    }
  } catch (const std::bad_alloc&) {
    client_.fail(POSEBRIDGE_ERROR_RESOURCE_EXHAUSTED, "forecast", "there is no memory for it", "");
    skip();
    return;
  }
  fill(*slot, forecast, shape);
  const std::size_t size = avatar->kept.size();
  for (std::uint64_t back = 1; back <= std::min<std::uint64_t>(size, avatar->kept_count); ++back) {
    const FrameHead& head = avatar->kept[static_cast<std::size_t>((avatar->kept_count - back) % size)].head;
    if (head.sequence == forecast.based_on_sequence) {
      client_.counters.latency_us.store(slot->view.received_us - head.given_us, std::memory_order_relaxed);
      break;
    }
  }
  avatar->forecasts.publish(slot);
}

void Connection::fill(ForecastSlot& slot, const wire::Forecast& forecast, const ForecastShape& shape) const {
  const Axes& axes = axes_of(client_.settings.numbers.axes);
  const std::size_t k = shape.futures;
  const std::size_t h = shape.steps;
  const std::size_t j = shape.landmarks;
  forecast.futures.read(slot.positions());
  from_mediapipe(axes, slot.positions(), slot.positions(), k * h * j);
  forecast.spread.read(slot.spread());
  if (axes.scale != 1.0F) {
    for (std::size_t i = 0; i < h * j; ++i) {
      slot.spread()[i] *= axes.scale;
    }
  }
  if (forecast.has_roots) {
    forecast.roots.read(slot.roots());
    from_mediapipe(axes, slot.roots(), slot.roots(), k * h);
  }
  std::copy(forecast.probability, forecast.probability + k, slot.probabilities());
  std::copy(forecast.mode_id, forecast.mode_id + k, slot.mode_ids());
  posebridge_forecast& view = slot.view;
  view.size = sizeof view;
  view.based_on_sequence = forecast.based_on_sequence;
  view.based_on_timestamp_us = forecast.based_on_timestamp_us;
  view.step_us = static_cast<std::uint32_t>(forecast.step_us);
  view.futures = shape.futures;
  view.steps = shape.steps;
  view.landmarks = shape.landmarks;
  view.positions = slot.positions();
  view.roots = forecast.has_roots ? slot.roots() : nullptr;
  view.probabilities = slot.probabilities();
  view.mode_ids = slot.mode_ids();
  view.spread = slot.spread();
  view.p_value = forecast.p_value;
  view.evidence = forecast.evidence;
  view.degraded = forecast.degraded ? 1 : 0;
  view.age_us = forecast.age_us;
  view.received_us = now_us();
}

}  // namespace posebridge
