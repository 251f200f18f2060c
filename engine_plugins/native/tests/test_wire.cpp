#include <doctest/doctest.h>

#include <random>

#include "stub_server.h"
#include "wire.h"

namespace {

using namespace posebridge;

struct Counting final : wire::Sink {
  int calls = 0;
  void on_accepted(const posebridge_session&) override { ++calls; }
  void on_forecast(const wire::Forecast&) override { ++calls; }
  void on_frame_error(const posebridge_error&) override { ++calls; }
  void on_draining() override { ++calls; }
  void on_clock_pong(const wire::ClockPong&) override { ++calls; }
  void on_alert(const posebridge_alert&) override { ++calls; }
  void on_call_error(const posebridge_error&, bool) override { ++calls; }
};

}  // namespace

TEST_CASE("bytes that are no message are refused and never read past") {
  std::mt19937 random(1);
  const char* names[] = {"accepted", "forecast_float16", "forecast_float32_roots", "alert", "frame_error", "call_error", "newer_server"};
  int read = 0;
  for (const char* name : names) {
    const Bytes whole = testdata(name);
    Counting sink;
    CHECK(wire::read_server_message(whole.data(), whole.size(), sink));
    CHECK(sink.calls == 1);
    for (int i = 0; i < 4000; ++i) {
      // A copy of just the right size, so that a sanitizer sees every byte too far.
      Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(random() % (whole.size() + 1)));
      for (std::uint32_t changes = random() % 4; changes > 0 && !bytes.empty(); --changes) {
        bytes[random() % std::min<std::size_t>(bytes.size(), 64)] = static_cast<std::uint8_t>(random());
      }
      Counting mutated;
      read += wire::read_server_message(bytes.data(), bytes.size(), mutated) ? 1 : 0;
    }
  }
  CHECK(read > 0);
  CHECK(read < 28'000);
}

TEST_CASE("a message that does not fit its buffer is not written") {
  std::uint8_t small[16];
  FrameHead head;
  head.timestamp_us = 1;
  head.detected = true;
  const float landmarks[132] = {};
  const wire::Frame frame{"p1", &head, landmarks};
  CHECK(wire::write_frames(&frame, 1, 33, small, sizeof small) == 0);
  std::vector<std::uint8_t> enough(wire::frame_bytes(33));
  CHECK(wire::write_frames(&frame, 1, 33, enough.data(), enough.size()) > 132 * 4);
}
