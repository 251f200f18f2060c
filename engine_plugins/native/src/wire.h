// The wire: posebridge.v1 messages to and from bytes, over nanopb's streams. No memory is taken.
#pragma once

#include <cstddef>
#include <cstdint>

#include "frame_ring.h"
#include "posebridge/posebridge.h"

namespace posebridge::wire {

// Bytes of a message that stand somewhere else.
struct View {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
};

// A dense array as it stands in a message.
struct Tensor {
  std::uint32_t dtype = 0;
  std::uint32_t shape[4] = {};
  std::uint32_t axes = 0;
  View data;

  // Whether the shape is this one and the data are as long as it says.
  bool is(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) const;
  // The numbers as floats; `is` must hold.
  void read(float* out) const;
  std::size_t count() const;
};

// A PoseForecast; arrays and texts still stand in the message.
struct Forecast {
  View avatar_id;
  std::uint64_t based_on_sequence = 0;
  std::uint64_t based_on_timestamp_us = 0;
  std::uint64_t step_us = 0;
  Tensor futures, roots, spread;
  bool has_roots = false;
  std::uint32_t probabilities = 0;  // how many
  float probability[POSEBRIDGE_MAX_FUTURES] = {};
  std::uint32_t modes = 0;
  std::uint32_t mode_id[POSEBRIDGE_MAX_FUTURES] = {};
  std::uint64_t age_us = 0;
  bool degraded = false;
  float p_value = -1.0F;
  float evidence = 0.0F;
};

struct ClockPong {
  std::uint64_t client_time_us = 0, server_received_us = 0, server_sent_us = 0;
};

// What comes out of a message; each is called at most once.
class Sink {
 public:
  virtual void on_accepted(const posebridge_session& session) = 0;
  virtual void on_forecast(const Forecast& forecast) = 0;
  // A frame that was not used, or got no forecast.
  virtual void on_frame_error(const posebridge_error& error) = 0;
  virtual void on_draining() = 0;
  virtual void on_clock_pong(const ClockPong& pong) = 0;
  virtual void on_alert(const posebridge_alert& alert) = 0;
  virtual void on_call_error(const posebridge_error& error, bool session_ended) = 0;

 protected:
  ~Sink() = default;
};

// Read a ServerEnvelope. False if the bytes are none. Fields that a newer server added are passed over.
bool read_server_message(const std::uint8_t* data, std::size_t size, Sink& sink);

// What a session asks for; see posebridge_config. Zero: the server's default.
struct SessionRequest {
  std::uint32_t protocol_version = POSEBRIDGE_PROTOCOL_VERSION;
  const char* client_name = "";
  const char* layout_id = "";
  const char* token = "";
  float forecast_rate_hz = 0.0F;
  std::uint32_t horizon_ms = 0, samples = 0, futures = 0, deadline_ms = 0;
  std::uint64_t seed = 0;
  float visibility_threshold = 0.0F;
  bool anomaly = true;
  float false_alarms_per_hour = 0.0F;
};

// One frame to be written; landmarks (J, 4), MediaPipe's axes.
struct Frame {
  const char* avatar_id = "";
  const FrameHead* head = nullptr;
  const float* landmarks = nullptr;
};

// Write a ClientEnvelope into a buffer; returns its length, 0 if it does not fit.
std::size_t write_config(const SessionRequest& request, std::uint8_t* out, std::size_t capacity);
std::size_t write_frames(const Frame* frames, std::size_t count, std::size_t landmarks, std::uint8_t* out, std::size_t capacity);
std::size_t write_ping(std::uint64_t client_time_us, std::uint8_t* out, std::size_t capacity);
std::size_t write_goodbye(std::uint8_t* out, std::size_t capacity);

// Bytes that a frame with so many landmarks takes at most.
std::size_t frame_bytes(std::size_t landmarks);

}  // namespace posebridge::wire
