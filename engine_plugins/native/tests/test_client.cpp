// The C interface against a server that answers as it is told.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "posebridge/posebridge.h"
#include "stub_server.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

posebridge_config config_for(const char* endpoint) {
  posebridge_config config{};
  config.size = sizeof config;
  REQUIRE(posebridge_default_config(&config) == POSEBRIDGE_OK);
  config.endpoint = endpoint;
  config.max_avatars = 2;
  return config;
}

struct Client {
  explicit Client(const posebridge_config& config) { REQUIRE(posebridge_create(&config, &handle, nullptr) == POSEBRIDGE_OK); }
  ~Client() { posebridge_destroy(handle); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  posebridge_client* handle = nullptr;
};

template <typename Condition>
bool within(int ms, Condition condition) {
  const auto until = Clock::now() + milliseconds(ms);
  while (Clock::now() < until) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  return condition();
}

posebridge_error last_error(posebridge_client* client) {
  posebridge_error error{};
  error.size = sizeof error;
  posebridge_last_error(client, &error);
  return error;
}

posebridge_stats stats_of(posebridge_client* client) {
  posebridge_stats stats{};
  stats.size = sizeof stats;
  posebridge_get_stats(client, &stats);
  return stats;
}

// A ClientEnvelope's payload within the stream, by its tag: 1 config, 2 frame, 3 frames, 5 ping; 0 if it is none.
int payload_of(const Bytes& message) {
  if (message.size() < 3 || message[0] != 0x12) {
    return 0;
  }
  std::size_t at = 1;
  while ((message[at] & 0x80U) != 0) {
    ++at;
  }
  return message[at + 1] >> 3;
}

std::vector<Bytes> accept_then(const Bytes& message, const std::vector<Bytes>& per_frame) {
  const int payload = payload_of(message);
  if (payload == 1) {
    return {testdata("accepted")};
  }
  return payload == 2 || payload == 3 ? per_frame : std::vector<Bytes>{};
}

std::vector<float> standing() {
  std::vector<float> landmarks(132, 0.1F);
  for (std::size_t i = 0; i < 33; ++i) {
    landmarks[4 * i] = 0.01F * static_cast<float>(i);
    landmarks[4 * i + 3] = 1.0F;
  }
  return landmarks;
}

}  // namespace

TEST_CASE("a config that makes no sense names the field, what was wrong and what is right") {
  const auto refused = [](auto change) {
    posebridge_config config = config_for("tcp://127.0.0.1:1");
    change(config);
    posebridge_client* client = nullptr;
    posebridge_error error{};
    error.size = sizeof error;
    CHECK(posebridge_create(&config, &client, &error) == POSEBRIDGE_INVALID_ARGUMENT);
    CHECK(client == nullptr);
    CHECK(error.expected[0] != '\0');
    return std::string(error.field);
  };
  CHECK(refused([](auto& c) { c.endpoint = "127.0.0.1:5"; }) == "config.endpoint");
  CHECK(refused([](auto& c) { c.endpoint = nullptr; }) == "config.endpoint");
  CHECK(refused([](auto& c) { c.client_name = "a name"; }) == "config.client_name");
  CHECK(refused([](auto& c) { c.landmarks = 21; }) == "config.landmarks");
  CHECK(refused([](auto& c) { c.axes = 9; }) == "config.axes");
  CHECK(refused([](auto& c) { c.max_avatars = 1025; }) == "config.max_avatars");
  CHECK(refused([](auto& c) { c.visibility_threshold = 2.0F; }) == "config.visibility_threshold");
  CHECK(refused([](auto& c) { c.server_public_key = "short"; }) == "config.server_public_key");
  CHECK(refused([](auto& c) { c.size = 3; }) == "config.size");
  CHECK(posebridge_create(nullptr, nullptr, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
}

TEST_CASE("frames that make no sense are refused, each with its field") {
  const Client client(config_for("tcp://127.0.0.1:1"));
  const std::int32_t avatar = posebridge_add_avatar(client.handle, "p1");
  REQUIRE(avatar == 0);
  CHECK(posebridge_add_avatar(client.handle, "p1") == 0);
  CHECK(posebridge_add_avatar(client.handle, "p 2") == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(posebridge_add_avatar(client.handle, "p2") == 1);
  CHECK(posebridge_add_avatar(client.handle, "p3") == POSEBRIDGE_RESOURCE_EXHAUSTED);
  std::vector<float> landmarks = standing();
  CHECK(posebridge_send_frame(client.handle, 5, 1, landmarks.data(), nullptr, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(std::string(last_error(client.handle).field) == "avatar");
  CHECK(posebridge_send_frame(client.handle, 0, 0, landmarks.data(), nullptr, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(std::string(last_error(client.handle).field) == "timestamp_us");
  landmarks[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(posebridge_send_frame(client.handle, 0, 1, landmarks.data(), nullptr, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(std::string(last_error(client.handle).field) == "landmarks");
  landmarks[7] = 0.0F;  // not seen: its numbers do not matter
  CHECK(posebridge_send_frame(client.handle, 0, 1, landmarks.data(), nullptr, nullptr) == POSEBRIDGE_OK);
  landmarks[7] = 1.5F;
  CHECK(posebridge_send_frame(client.handle, 0, 2, landmarks.data(), nullptr, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  const double far[3] = {0.0, 1e9, 0.0};
  CHECK(posebridge_send_frame(client.handle, 0, 2, nullptr, far, nullptr) == POSEBRIDGE_INVALID_ARGUMENT);
  CHECK(std::string(last_error(client.handle).field) == "root");
  const posebridge_forecast* forecast = nullptr;
  CHECK(posebridge_borrow_forecast(client.handle, 0, &forecast) == POSEBRIDGE_EMPTY);
  std::uint64_t sequence = 0;
  for (int i = 0; i < 8; ++i) {
    posebridge_send_frame(client.handle, 0, 10 + static_cast<std::uint64_t>(i), nullptr, nullptr, &sequence);
  }
  CHECK(posebridge_send_frame(client.handle, 0, 100, nullptr, nullptr, &sequence) == POSEBRIDGE_DROPPED_OLDEST);
  CHECK(sequence == 10);
}

TEST_CASE("forecasts, alerts and errors of a session reach the caller") {
  StubServer server([](const Bytes& message) {
    return accept_then(message, {testdata("forecast_float32_roots"), testdata("alert"), testdata("alert"), testdata("frame_error")});
  });
  posebridge_config config = config_for(server.endpoint().c_str());
  config.axes = POSEBRIDGE_AXES_UNREAL;
  const Client client(config);
  const std::int32_t avatar = posebridge_add_avatar(client.handle, "p1");
  REQUIRE(posebridge_connect(client.handle) == POSEBRIDGE_OK);
  CHECK(posebridge_connect(client.handle) == POSEBRIDGE_FAILED_PRECONDITION);
  REQUIRE(within(5000, [&] { return posebridge_get_state(client.handle) == POSEBRIDGE_READY; }));
  posebridge_session session{};
  session.size = sizeof session;
  REQUIRE(posebridge_get_session(client.handle, &session) == POSEBRIDGE_OK);
  CHECK(std::string(session.server_version) == "0.1.0");
  CHECK(session.context_frames == 31);
  REQUIRE(posebridge_send_frame(client.handle, avatar, 1, standing().data(), nullptr, nullptr) == POSEBRIDGE_OK);
  REQUIRE(within(5000, [&] { return posebridge_forecast_number(client.handle, avatar) > 0; }));
  REQUIRE(within(5000, [&] { return stats_of(client.handle).frame_errors == 1; }));
  CHECK(std::string(last_error(client.handle).problem) == "131 numbers");
  const posebridge_forecast* forecast = nullptr;
  REQUIRE(posebridge_borrow_forecast(client.handle, avatar, &forecast) == POSEBRIDGE_OK);
  CHECK(forecast->futures == 2);
  CHECK(forecast->steps == 3);
  CHECK(forecast->mode_ids[1] == 300);
  CHECK(forecast->p_value == 0.0625F);
  REQUIRE(forecast->roots != nullptr);
  std::size_t bytes = 0;
  posebridge_forecast copy{};
  copy.size = sizeof copy;
  CHECK(posebridge_latest_forecast(client.handle, avatar, &copy, nullptr, &bytes) == POSEBRIDGE_RESOURCE_EXHAUSTED);
  std::vector<unsigned char> buffer(bytes);
  REQUIRE(posebridge_latest_forecast(client.handle, avatar, &copy, buffer.data(), &bytes) == POSEBRIDGE_OK);
  CHECK(std::memcmp(copy.positions, forecast->positions, sizeof(float) * 2 * 3 * 33 * 3) == 0);
  CHECK(copy.mode_ids[0] == 7);
  // (1, -2 of MediaPipe's y and z at landmark 1, x -0.0): Unreal's are 100 z, 100 x, -100 y.
  CHECK(forecast->positions[3] == doctest::Approx(-200.0F));
  CHECK(forecast->positions[5] == doctest::Approx(-100.0F));
  CHECK(posebridge_release_forecast(client.handle, avatar, forecast) == POSEBRIDGE_OK);
  CHECK(posebridge_release_forecast(client.handle, avatar, forecast) == POSEBRIDGE_INVALID_ARGUMENT);
  posebridge_alert alert{};
  alert.size = sizeof alert;
  REQUIRE(within(5000, [&] { return posebridge_poll_alert(client.handle, &alert) == POSEBRIDGE_OK; }));
  CHECK(std::string(alert.avatar_id) == "p1");
  CHECK(alert.joint_count == 3);
  CHECK(std::string(alert.joints[0].name) == "landmark 15");
  CHECK(stats_of(client.handle).alerts == 2);
  float at[99];
  posebridge_pose pose{};
  pose.size = sizeof pose;
  pose.positions = at;
  CHECK(posebridge_pose_at(client.handle, avatar, (std::uint64_t{1} << 61U) + 50'000, 0, &pose) == POSEBRIDGE_OK);
  CHECK(posebridge_pose_at(client.handle, avatar, 1, 2, &pose) == POSEBRIDGE_INVALID_ARGUMENT);
}

TEST_CASE("a server of another protocol is refused, and both versions are named") {
  Bytes other = testdata("accepted");
  // SessionAccepted.protocol_version, field 2, stands right before server_version, field 3: 0x10 VERSION 0x1A.
  const Bytes pattern{0x10, 0x01, 0x1A};
  const auto version = std::search(other.begin(), other.end(), pattern.begin(), pattern.end());
  REQUIRE(version != other.end());
  *(version + 1) = 2;
  StubServer server([&](const Bytes& message) { return payload_of(message) == 1 ? std::vector<Bytes>{other} : std::vector<Bytes>{}; });
  const Client client(config_for(server.endpoint().c_str()));
  posebridge_connect(client.handle);
  REQUIRE(within(5000, [&] { return posebridge_get_state(client.handle) == POSEBRIDGE_REFUSED; }));
  const posebridge_error error = last_error(client.handle);
  CHECK(error.code == POSEBRIDGE_ERROR_VERSION_MISMATCH);
  CHECK(std::string(error.problem).find("protocol 2") != std::string::npos);
  CHECK(std::string(error.problem).find("protocol 1") != std::string::npos);
  CHECK(server.messages() == 1);
}

TEST_CASE("a newer server's unknown fields and payloads are passed over") {
  StubServer server([](const Bytes& message) {
    return accept_then(message, {testdata("newer_payload"), testdata("newer_server"), testdata("forecast_float16")});
  });
  const Client client(config_for(server.endpoint().c_str()));
  const std::int32_t avatar = posebridge_add_avatar(client.handle, "p1");
  posebridge_connect(client.handle);
  REQUIRE(within(5000, [&] { return posebridge_get_state(client.handle) == POSEBRIDGE_READY; }));
  posebridge_send_frame(client.handle, avatar, 1, standing().data(), nullptr, nullptr);
  CHECK(within(5000, [&] { return posebridge_forecast_number(client.handle, avatar) == 1; }));
  CHECK(stats_of(client.handle).malformed == 0);
}

TEST_CASE("garbage from the server is counted, and the session goes on") {
  StubServer server([](const Bytes& message) {
    Bytes cut = testdata("forecast_float16");
    cut.resize(cut.size() / 2);
    return accept_then(message, {Bytes{0xFF, 0xFF, 0xFF}, Bytes{}, Bytes(5000, 0x80), cut, testdata("forecast_float16")});
  });
  const Client client(config_for(server.endpoint().c_str()));
  const std::int32_t avatar = posebridge_add_avatar(client.handle, "p1");
  posebridge_connect(client.handle);
  REQUIRE(within(5000, [&] { return posebridge_get_state(client.handle) == POSEBRIDGE_READY; }));
  for (std::uint64_t i = 1; i <= 20; ++i) {
    posebridge_send_frame(client.handle, avatar, i, standing().data(), nullptr, nullptr);
    std::this_thread::sleep_for(milliseconds(2));
  }
  CHECK(within(5000, [&] { return posebridge_forecast_number(client.handle, avatar) >= 10; }));
  CHECK(stats_of(client.handle).malformed >= 30);
  CHECK(stats_of(client.handle).sessions == 1);
  CHECK(last_error(client.handle).code == POSEBRIDGE_ERROR_MALFORMED);
}

TEST_CASE("a session that ended is opened again, and what was seen lately is sent again") {
  std::atomic<int> configs{0};
  std::atomic<bool> end{false};
  StubServer server([&](const Bytes& message) {
    if (payload_of(message) == 1) {
      ++configs;
    }
    if (end.exchange(false)) {
      return std::vector<Bytes>{testdata("call_error")};
    }
    return accept_then(message, {});
  });
  const Client client(config_for(server.endpoint().c_str()));
  const std::int32_t avatar = posebridge_add_avatar(client.handle, "p1");
  posebridge_connect(client.handle);
  REQUIRE(within(5000, [&] { return posebridge_get_state(client.handle) == POSEBRIDGE_READY; }));
  for (std::uint64_t i = 1; i <= 10; ++i) {
    posebridge_send_frame(client.handle, avatar, i * 33'333, standing().data(), nullptr, nullptr);
    std::this_thread::sleep_for(milliseconds(2));
  }
  REQUIRE(within(5000, [&] { return stats_of(client.handle).frames_sent == 10; }));
  end.store(true);
  CHECK(within(5000, [&] { return stats_of(client.handle).sessions == 2; }));
  CHECK(within(5000, [&] { return stats_of(client.handle).frames_resent == 10; }));
  CHECK(configs.load() == 2);
  CHECK(stats_of(client.handle).frames_dropped == 0);
}

TEST_CASE("destroy returns at once, whatever the server does") {
  const auto destroy_ms = [](const posebridge_config& config, int after_ms) {
    posebridge_client* client = nullptr;
    REQUIRE(posebridge_create(&config, &client, nullptr) == POSEBRIDGE_OK);
    const std::int32_t avatar = posebridge_add_avatar(client, "p1");
    posebridge_connect(client);
    std::this_thread::sleep_for(milliseconds(after_ms));
    posebridge_send_frame(client, avatar, 1, standing().data(), nullptr, nullptr);
    const auto begun = Clock::now();
    posebridge_destroy(client);
    return std::chrono::duration_cast<milliseconds>(Clock::now() - begun).count();
  };
  SUBCASE("nobody listens") { CHECK(destroy_ms(config_for("tcp://127.0.0.1:1"), 50) < 200); }
  SUBCASE("the address leads nowhere") { CHECK(destroy_ms(config_for("tcp://192.0.2.1:5"), 50) < 200); }
  SUBCASE("the server is silent") {
    StubServer server([](const Bytes&) { return std::vector<Bytes>{}; });
    CHECK(destroy_ms(config_for(server.endpoint().c_str()), 200) < 200);
  }
  SUBCASE("the server answers") {
    StubServer server([](const Bytes& message) { return accept_then(message, {testdata("forecast_float16")}); });
    CHECK(destroy_ms(config_for(server.endpoint().c_str()), 200) < 200);
  }
}

TEST_CASE("ten thousand clients come and go") {
  StubServer server([](const Bytes& message) { return accept_then(message, {}); });
  const posebridge_config config = config_for(server.endpoint().c_str());
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int kCycles = 500;
#else
  constexpr int kCycles = 10'000;
#endif
  for (int i = 0; i < kCycles; ++i) {
    posebridge_client* client = nullptr;
    REQUIRE(posebridge_create(&config, &client, nullptr) == POSEBRIDGE_OK);
    if (i % 20 == 0) {
      // With a thread and a socket; now and then for long enough to have a session.
      posebridge_connect(client);
      if (i % 100 == 0) {
        REQUIRE(within(5000, [&] { return posebridge_get_state(client) == POSEBRIDGE_READY; }));
        REQUIRE(posebridge_disconnect(client) == POSEBRIDGE_OK);
        REQUIRE(posebridge_connect(client) == POSEBRIDGE_OK);
      }
    }
    posebridge_destroy(client);
  }
}

namespace {

// Holds the background thread in the log callback.
struct Gate {
  std::atomic<bool> closed{false}, reached{false};
  static void log(void* user, std::int32_t, const char*) {
    auto* gate = static_cast<Gate*>(user);
    while (gate->closed.load()) {
      gate->reached.store(true);
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
};

}  // namespace

TEST_CASE("calls go on while the background thread stands still") {
  Gate gate;
  std::atomic<bool> drain{false};
  StubServer server([&](const Bytes& message) {
    if (drain.exchange(false)) {
      return std::vector<Bytes>{testdata("draining")};
    }
    return accept_then(message, {testdata("forecast_float16")});
  });
  posebridge_config config = config_for(server.endpoint().c_str());
  config.log = Gate::log;
  config.log_user = &gate;
  const Client client(config);
  const std::int32_t avatar = posebridge_add_avatar(client.handle, "p1");
  posebridge_connect(client.handle);
  REQUIRE(within(5000, [&] { return posebridge_get_state(client.handle) == POSEBRIDGE_READY; }));
  const std::vector<float> landmarks = standing();
  posebridge_send_frame(client.handle, avatar, 1, landmarks.data(), nullptr, nullptr);
  REQUIRE(within(5000, [&] { return posebridge_forecast_number(client.handle, avatar) > 0; }));
  gate.closed.store(true);
  drain.store(true);
  posebridge_send_frame(client.handle, avatar, 2, landmarks.data(), nullptr, nullptr);
  REQUIRE(within(5000, [&] { return gate.reached.load(); }));

  constexpr int kCalls = 20'000;
  std::vector<std::int64_t> send_ns, borrow_ns, pose_ns, copy_ns, memcpy_ns;
  std::size_t bytes = 0;
  posebridge_forecast copied{};
  copied.size = sizeof copied;
  posebridge_latest_forecast(client.handle, avatar, &copied, nullptr, &bytes);
  std::vector<unsigned char> buffer(bytes), other(bytes);
  float at[99];
  posebridge_pose pose{};
  pose.size = sizeof pose;
  pose.positions = at;
  int dropped = 0;
  const auto timed = [](std::vector<std::int64_t>& into, auto call) {
    const auto begun = Clock::now();
    call();
    into.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begun).count());
  };
  for (int i = 0; i < kCalls; ++i) {
    timed(send_ns, [&] {
      dropped += posebridge_send_frame(client.handle, avatar, 10 + static_cast<std::uint64_t>(i), landmarks.data(), nullptr, nullptr) ==
                         POSEBRIDGE_DROPPED_OLDEST
                     ? 1
                     : 0;
    });
    timed(borrow_ns, [&] {
      const posebridge_forecast* forecast = nullptr;
      if (posebridge_borrow_forecast(client.handle, avatar, &forecast) == POSEBRIDGE_OK) {
        posebridge_release_forecast(client.handle, avatar, forecast);
      }
    });
    timed(copy_ns, [&] {
      std::size_t size = bytes;
      posebridge_latest_forecast(client.handle, avatar, &copied, buffer.data(), &size);
    });
    timed(memcpy_ns, [&] { std::memcpy(other.data(), buffer.data(), bytes); });
    timed(pose_ns, [&] { posebridge_pose_at(client.handle, avatar, 100 + static_cast<std::uint64_t>(i), 0, &pose); });
  }
  gate.closed.store(false);
  CHECK(dropped > kCalls / 2);
  const auto report = [](const char* name, std::vector<std::int64_t>& times) {
    std::sort(times.begin(), times.end());
    MESSAGE(std::string(name) << ": median " << times[times.size() / 2] << " ns, p99.9 " << times[times.size() * 999 / 1000] << " ns");
  };
  report("send_frame", send_ns);
  report("borrow_forecast and release", borrow_ns);
  report("pose_at", pose_ns);
  report("latest_forecast, a copy", copy_ns);
  report("memcpy of as much", memcpy_ns);
  CHECK(within(5000, [&] { return stats_of(client.handle).frames_dropped >= static_cast<std::uint64_t>(dropped); }));
}
