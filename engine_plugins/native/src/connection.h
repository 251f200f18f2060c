// The background thread: one socket, one session at a time, and what to do when it ends.
#pragma once

#include <cstdint>
#include <vector>

#include "client.h"
#include "wire.h"

namespace posebridge {

class Connection final : public wire::Sink {
 public:
  explicit Connection(Client& client);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Until the client wants to stop, or the server refuses for good.
  void run();

 private:
  enum class End { kStopped, kLost, kRefused };

  // One socket's life.
  End serve();
  bool open();
  void close(bool say_goodbye);
  bool shake_hands();
  void talk();

  // Wait until something comes, something is to be sent, or a time has passed.
  void wait(std::uint64_t most_us);
  void receive();
  void take_frames();
  void send_frames();
  void resend(Avatar& avatar);
  void ping_if_due();
  bool send(const std::uint8_t* data, std::size_t size);
  bool writable() const;
  bool stopping() const { return client_.stop_.load(); }
  void lose(std::int32_t code, const char* problem);

  // What comes in.
  void on_accepted(const posebridge_session& session) override;
  void on_forecast(const wire::Forecast& forecast) override;
  void on_frame_error(const posebridge_error& error) override;
  void on_draining() override;
  void on_clock_pong(const wire::ClockPong& pong) override;
  void on_alert(const posebridge_alert& alert) override;
  void on_call_error(const posebridge_error& error, bool session_ended) override;

  Avatar* find(wire::View avatar_id);
  void fill(ForecastSlot& slot, const wire::Forecast& forecast, const ForecastShape& shape) const;

  struct ClockSample {
    std::uint64_t round_trip_us = 0;
    std::int64_t offset_us = 0;
  };
  static constexpr std::size_t kClockSamples = 8;

  Client& client_;
  void* socket_ = nullptr;
  bool accepted_ = false;
  bool over_ = false;
  bool refused_ = false;
  std::uint64_t heard_us_ = 0;
  std::uint64_t newest_frame_us_ = 0;  // when it was given
  std::uint64_t next_ping_us_ = 0;
  std::vector<std::uint8_t> out_;
  std::vector<wire::Frame> batch_;
  std::vector<float> scratch_;  // (J, 4)
  ClockSample clock_[kClockSamples];
  std::size_t clock_count_ = 0;
};

}  // namespace posebridge
