// posebridge_probe: connects, streams a recording, says what came back and how long it took. For checking a network, and as an example.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

#include "posebridge/posebridge.h"
#include "recording.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string endpoint, recording, token, server_key, public_key, secret_key;
  double hz = 30.0;
  double seconds = 10.0;
  double timeout_s = 15.0;
  int avatars = 1;
  bool json = false;
};

struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const char* const kUsage =
    "usage: posebridge_probe --connect tcp://HOST:PORT --recording FILE.pbr [--hz 30] [--seconds 10] [--avatars 1] [--timeout 15]\n"
    "                        [--token TOKEN] [--server-key Z85 --public-key Z85 --secret-key Z85] [--json]\n"
    "Streams a recording (written by `pose-bridge replay --export FILE.pbr`), over and over, and says what came back.\n";

double number_of(const std::string& name, const std::string& text, double least, double most) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= least && value <= most)) {
    throw Usage(name + ": \"" + text + "\" is not a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

Options options_of(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == count) {
      throw Usage(name + " wants a value, or is unknown");
    }
    const std::string value = arguments[++i];
    if (name == "--connect") {
      options.endpoint = value;
    } else if (name == "--recording") {
      options.recording = value;
    } else if (name == "--token") {
      options.token = value;
    } else if (name == "--server-key") {
      options.server_key = value;
    } else if (name == "--public-key") {
      options.public_key = value;
    } else if (name == "--secret-key") {
      options.secret_key = value;
    } else if (name == "--hz") {
      options.hz = number_of(name, value, 1.0, 240.0);
    } else if (name == "--seconds") {
      options.seconds = number_of(name, value, 0.1, 86'400.0);
    } else if (name == "--timeout") {
      options.timeout_s = number_of(name, value, 0.1, 3600.0);
    } else if (name == "--avatars") {
      options.avatars = static_cast<int>(number_of(name, value, 1.0, 64.0));
    } else {
      throw Usage("there is no option " + name);
    }
  }
  if (options.endpoint.empty() || options.recording.empty()) {
    throw Usage("--connect and --recording are needed");
  }
  return options;
}

template <typename Number>
Number percentile(std::vector<Number> values, double share) {
  if (values.empty()) {
    return Number{};
  }
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::min(values.size() - 1, rank == 0 ? 0 : rank - 1)];
}

// Allocations of this thread so far, where tests/allocation_counter is preloaded; else none are counted.
std::uint64_t allocations_of_this_thread() {
#if defined(_WIN32)
  return 0;
#else
  using Count = std::uint64_t (*)();
  static const Count count = reinterpret_cast<Count>(dlsym(RTLD_DEFAULT, "allocation_counter_of_this_thread"));
  return count == nullptr ? 0 : count();
#endif
}

// Times calls in nanoseconds, into memory that is taken beforehand.
class CallTimes {
 public:
  explicit CallTimes(std::size_t most) { nanoseconds_.reserve(most); }

  template <typename Call>
  auto time(Call call) {
    const auto begun = Clock::now();
    const auto result = call();
    const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begun).count();
    if (nanoseconds_.size() < nanoseconds_.capacity()) {
      nanoseconds_.push_back(took);
    }
    return result;
  }

  const std::vector<std::int64_t>& nanoseconds() const { return nanoseconds_; }

 private:
  std::vector<std::int64_t> nanoseconds_;
};

void fail_if(bool failed, posebridge_client* client, const char* what) {
  if (failed) {
    posebridge_error error{};
    error.size = sizeof error;
    posebridge_last_error(client, &error);
    throw std::runtime_error(std::string(what) + ": " + error.field + " " + error.problem +
                             (error.expected[0] == '\0' ? "" : std::string("; expected ") + error.expected));
  }
}

struct Client {
  explicit Client(const posebridge_config& config) {
    posebridge_error error{};
    error.size = sizeof error;
    if (posebridge_create(&config, &handle, &error) != POSEBRIDGE_OK) {
      throw std::runtime_error(std::string(error.field) + ": " + error.problem + "; expected " + error.expected);
    }
  }
  ~Client() { posebridge_destroy(handle); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  posebridge_client* handle = nullptr;
};

void wait_until_ready(posebridge_client* client, double timeout_s) {
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout_s));
  while (posebridge_get_state(client) != POSEBRIDGE_READY) {
    fail_if(posebridge_get_state(client) == POSEBRIDGE_REFUSED, client, "refused");
    fail_if(Clock::now() > until, client, "no session in time");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

int run(const Options& options) {
  const Recording recording = load_recording(options.recording);
  if (recording.frames.empty()) {
    throw std::runtime_error(options.recording + " has no frames");
  }
  posebridge_config config{};
  config.size = sizeof config;
  posebridge_default_config(&config);
  config.endpoint = options.endpoint.c_str();
  config.client_name = "probe";
  config.layout_id = recording.layout_id.c_str();
  config.landmarks = recording.landmarks;
  config.max_avatars = static_cast<std::uint32_t>(options.avatars);
  config.token = options.token.empty() ? nullptr : options.token.c_str();
  config.server_public_key = options.server_key.empty() ? nullptr : options.server_key.c_str();
  config.client_public_key = options.public_key.empty() ? nullptr : options.public_key.c_str();
  config.client_secret_key = options.secret_key.empty() ? nullptr : options.secret_key.c_str();
  const Client owner(config);
  posebridge_client* client = owner.handle;
  fail_if(posebridge_connect(client) != POSEBRIDGE_OK, client, "connect");
  wait_until_ready(client, options.timeout_s);
  std::vector<std::int32_t> avatars;
  for (int i = 0; i < options.avatars; ++i) {
    avatars.push_back(posebridge_add_avatar(client, ("probe" + std::to_string(i)).c_str()));
    fail_if(avatars.back() < 0, client, "add_avatar");
  }

  const auto ticks = static_cast<std::uint64_t>(std::llround(options.hz * options.seconds));
  const std::size_t most_calls = static_cast<std::size_t>(ticks) * avatars.size() * 4;
  CallTimes sends(most_calls), borrows(most_calls), poses(most_calls);
  std::vector<double> latencies_ms;
  latencies_ms.reserve(static_cast<std::size_t>(ticks) * avatars.size());
  std::vector<std::uint64_t> numbers(avatars.size(), 0);
  std::vector<std::uint64_t> begun_us(static_cast<std::size_t>(ticks) * avatars.size(), 0);  // when a frame was handed over
  std::vector<float> pose(std::size_t{3} * recording.landmarks);
  std::uint64_t forecasts = 0, frames_sent = 0, allocations = 0, allocations_from = 0, counted_frames = 0;
  posebridge_stats stats{};
  stats.size = sizeof stats;

  // Looks for a new forecast of every avatar until a time; what a game does once a frame.
  const auto look_until = [&](Clock::time_point until) {
    do {
      for (std::size_t a = 0; a < avatars.size(); ++a) {
        if (posebridge_forecast_number(client, avatars[a]) == numbers[a]) {
          continue;
        }
        const std::uint64_t seen_us = posebridge_now_us();
        const posebridge_forecast* forecast = nullptr;
        if (borrows.time([&] { return posebridge_borrow_forecast(client, avatars[a], &forecast); }) != POSEBRIDGE_OK) {
          continue;
        }
        forecasts += forecast->number - numbers[a];
        numbers[a] = forecast->number;
        const std::uint64_t tick = forecast->based_on_sequence - 1;
        const std::uint64_t from_us = begun_us[static_cast<std::size_t>(tick) * avatars.size() + a];
        latencies_ms.push_back(static_cast<double>(seen_us - from_us) / 1e3);
        posebridge_release_forecast(client, avatars[a], forecast);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    } while (Clock::now() < until);
  };

  const std::uint64_t first_us = posebridge_now_us();
  const auto begun = Clock::now();
  const auto period = std::chrono::duration<double>(1.0 / options.hz);
  // The first quarter warms up: memory for forecasts is taken there.
  const std::uint64_t warm = ticks / 4;
  std::uint64_t own_allocations = 0;
  for (std::uint64_t tick = 0; tick < ticks; ++tick) {
    if (tick == warm) {
      posebridge_get_stats(client, &stats);
      allocations_from = stats.allocations;
      own_allocations = allocations_of_this_thread();
    }
    const RecordedFrame& frame = recording.frames[static_cast<std::size_t>(tick % recording.frames.size())];
    const std::uint64_t timestamp_us = first_us + static_cast<std::uint64_t>(std::llround(static_cast<double>(tick) * 1e6 / options.hz));
    for (std::size_t a = 0; a < avatars.size(); ++a) {
      const float* landmarks = frame.detected ? frame.landmarks.data() : nullptr;
      const double* root = recording.has_root && frame.detected ? frame.root.data() : nullptr;
      begun_us[static_cast<std::size_t>(tick) * avatars.size() + a] = posebridge_now_us();
      const std::int32_t sent =
          sends.time([&] { return posebridge_send_frame(client, avatars[a], timestamp_us, landmarks, root, nullptr); });
      fail_if(sent < 0, client, "send_frame");
      ++frames_sent;
      counted_frames += tick >= warm ? 1 : 0;
      posebridge_pose shown{};
      shown.size = sizeof shown;
      shown.positions = pose.data();
      poses.time([&] { return posebridge_pose_at(client, avatars[a], timestamp_us, 0, &shown); });
    }
    look_until(begun + std::chrono::duration_cast<Clock::duration>(static_cast<double>(tick + 1) * period));
  }
  allocations = allocations_of_this_thread() - own_allocations;
  look_until(Clock::now() + std::chrono::milliseconds(300));
  posebridge_get_stats(client, &stats);
  allocations += stats.allocations - allocations_from;
  const double allocations_per_frame = counted_frames == 0 ? 0.0 : static_cast<double>(allocations) / static_cast<double>(counted_frames);
  std::vector<std::int64_t> calls = sends.nanoseconds();
  for (const CallTimes* more : {&borrows, &poses}) {
    calls.insert(calls.end(), more->nanoseconds().begin(), more->nanoseconds().end());
  }
  const std::uint64_t reconnects = stats.sessions == 0 ? 0 : stats.sessions - 1;

  posebridge_session session{};
  session.size = sizeof session;
  posebridge_get_session(client, &session);
  std::fprintf(stderr, "%s: server %s, protocol %u, session %s; plugin %s\n", options.endpoint.c_str(), session.server_version,
               session.protocol_version, session.session_id, posebridge_version());
  std::fprintf(
      stderr, "%llu frames, %llu forecasts, %llu reconnects; latency %.3f ms (p50), %.3f ms (p99); a call %lld ns (p50), %lld ns (p99.9)\n",
      static_cast<unsigned long long>(frames_sent), static_cast<unsigned long long>(forecasts), static_cast<unsigned long long>(reconnects),
      percentile(latencies_ms, 0.5), percentile(latencies_ms, 0.99), static_cast<long long>(percentile(calls, 0.5)),
      static_cast<long long>(percentile(calls, 0.999)));
  if (forecasts == 0) {
    posebridge_error error{};
    error.size = sizeof error;
    if (posebridge_last_error(client, &error) == POSEBRIDGE_OK) {
      std::fprintf(stderr, "last error: %s %s\n", error.field, error.problem);
    }
  }
  if (options.json) {
    const auto spread = [](const std::vector<std::int64_t>& ns) {
      return "{\"p50\": " + std::to_string(percentile(ns, 0.5)) + ", \"p999\": " + std::to_string(percentile(ns, 0.999)) + "}";
    };
    const std::string document =
        "{\"frames_sent\": " + std::to_string(frames_sent) + ", \"forecasts\": " + std::to_string(forecasts) +
        ", \"latency_ms\": {\"p50\": " + std::to_string(percentile(latencies_ms, 0.5)) +
        ", \"p99\": " + std::to_string(percentile(latencies_ms, 0.99)) + "}, \"call_ns\": " + spread(calls) +
        ", \"send_ns\": " + spread(sends.nanoseconds()) + ", \"borrow_ns\": " + spread(borrows.nanoseconds()) +
        ", \"pose_at_ns\": " + spread(poses.nanoseconds()) + ", \"allocations_per_frame\": " + std::to_string(allocations_per_frame) +
        ", \"reconnects\": " + std::to_string(reconnects) + ", \"frames_dropped\": " + std::to_string(stats.frames_dropped) +
        ", \"frame_errors\": " + std::to_string(stats.frame_errors) + ", \"malformed\": " + std::to_string(stats.malformed) +
        ", \"server_version\": \"" + session.server_version + "\"}";
    std::puts(document.c_str());
  }
  return forecasts > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(options_of(count, arguments));
  } catch (const Usage& error) {
    std::fprintf(stderr, "posebridge_probe: %s\n%s", error.what(), kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "posebridge_probe: %s\n", error.what());
    return 1;
  }
}
