#include "connection.h"

#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace posebridge {
namespace {

constexpr std::uint64_t kHandshakeUs = 5'000'000;
constexpr std::uint64_t kPingUs = 2'000'000;
constexpr std::uint64_t kFirstPingsUs = 200'000;  // until the clock is known well
constexpr std::uint64_t kLongestWaitUs = 100'000;
constexpr std::uint64_t kRetrySendUs = 20'000;
// For so long after a frame the thread looks for the next one by itself, so often: waking it would cost the caller a system call, after
// which the scheduler may run this thread in the caller's place.
constexpr std::uint64_t kActiveUs = 500'000;
constexpr std::uint64_t kLookUs = 200;
constexpr std::uint64_t kResendAgeUs = 2'000'000;     // a window older than this is of no use any more
constexpr std::uint64_t kResendWindowUs = 1'600'000;  // the model's context, with room to spare
constexpr std::size_t kBatchFrames = 32;
constexpr std::size_t kOutBytes = 4096;
constexpr int kReceivedInARow = 64;
constexpr int kGoodbyeLingerMs = 50;
constexpr std::int64_t kMostMessageBytes = std::int64_t{8} * 1024 * 1024;

}  // namespace

Connection::Connection(Client& client)
    : client_(client),
      out_(kOutBytes + kBatchFrames * wire::frame_bytes(client.settings.numbers.landmarks)),
      batch_(kBatchFrames),
      scratch_(std::size_t{4} * client.settings.numbers.landmarks) {}

Connection::~Connection() { close(false); }

void Connection::run() {
  const posebridge_config& numbers = client_.settings.numbers;
#if defined(__linux__)
  prctl(PR_SET_NAME, "posebridge", 0, 0, 0);
  prctl(PR_SET_TIMERSLACK, 20'000, 0, 0, 0);  // nanoseconds: sleeps of `kLookUs` are to be no longer
#endif
  std::minstd_rand random(static_cast<unsigned>(now_us()));
  std::uint64_t pause_us = std::uint64_t{1000} * numbers.reconnect_min_ms;
  while (!stopping()) {
    client_.state.store(POSEBRIDGE_CONNECTING);
    const std::uint64_t sessions = client_.counters.sessions.load();
    const End end = serve();
    close(end == End::kStopped);
    if (end == End::kRefused) {
      client_.state.store(POSEBRIDGE_REFUSED);
      client_.log(POSEBRIDGE_LOG_ERROR, "the server refused the session");
      return;
    }
    if (client_.counters.sessions.load() != sessions) {
      pause_us = std::uint64_t{1000} * numbers.reconnect_min_ms;
    }
    // Between half and all of the pause: clients that lost the same server do not come back all at once.
    const std::uint64_t until_us = now_us() + pause_us / 2 + random() % (pause_us / 2 + 1);
    pause_us = std::min(2 * pause_us, std::uint64_t{1000} * numbers.reconnect_max_ms);
    client_.state.store(POSEBRIDGE_CONNECTING);
    for (std::uint64_t now = now_us(); now < until_us && !stopping(); now = now_us()) {
      take_frames();
      wait(std::min(until_us - now, kLongestWaitUs));
    }
  }
  client_.state.store(POSEBRIDGE_DISCONNECTED);
}

Connection::End Connection::serve() {
  accepted_ = over_ = refused_ = false;
  if (!open()) {
    return refused_ ? End::kRefused : End::kLost;
  }
  if (shake_hands()) {
    talk();
  }
  if (refused_) {
    return End::kRefused;
  }
  return stopping() ? End::kStopped : End::kLost;
}

bool Connection::open() {
  const Settings& settings = client_.settings;
  socket_ = zmq_socket(client_.context_, ZMQ_DEALER);
  if (socket_ == nullptr) {
    lose(POSEBRIDGE_ERROR_INTERNAL, zmq_strerror(zmq_errno()));
    return false;
  }
  const auto set = [this](int option, int value) { zmq_setsockopt(socket_, option, &value, sizeof value); };
  set(ZMQ_LINGER, 0);
  // Nothing is put aside for a server that is not there: what is sent later would be late.
  set(ZMQ_IMMEDIATE, 1);
  set(ZMQ_SNDHWM, 64);
  set(ZMQ_RCVHWM, 1024);
  set(ZMQ_RECONNECT_IVL, static_cast<int>(settings.numbers.reconnect_min_ms));
  set(ZMQ_RECONNECT_IVL_MAX, static_cast<int>(settings.numbers.reconnect_max_ms));
  set(ZMQ_CONNECT_TIMEOUT, 3000);
  set(ZMQ_HANDSHAKE_IVL, 5000);
  set(ZMQ_HEARTBEAT_IVL, 1000);
  set(ZMQ_HEARTBEAT_TIMEOUT, static_cast<int>(settings.numbers.silence_ms));
  zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &kMostMessageBytes, sizeof kMostMessageBytes);
  if (!settings.server_public_key.empty()) {
    const auto key = [this](int option, const std::string& text) {
      return zmq_setsockopt(socket_, option, text.c_str(), text.size() + 1) == 0;
    };
    if (!key(ZMQ_CURVE_SERVERKEY, settings.server_public_key) || !key(ZMQ_CURVE_PUBLICKEY, settings.client_public_key) ||
        !key(ZMQ_CURVE_SECRETKEY, settings.client_secret_key)) {
      refused_ = true;
      client_.fail(POSEBRIDGE_ERROR_INVALID_ARGUMENT, "config.server_public_key", "these are no CURVE keys, or libzmq was built without",
                   "three keys in Z85");
      return false;
    }
  }
  if (zmq_connect(socket_, settings.endpoint.c_str()) != 0) {
    refused_ = true;
    client_.fail(POSEBRIDGE_ERROR_INVALID_ARGUMENT, "config.endpoint", zmq_strerror(zmq_errno()), "tcp://HOST:PORT or ipc://PATH");
    return false;
  }
  return true;
}

void Connection::close(bool say_goodbye) {
  if (socket_ == nullptr) {
    return;
  }
  if (say_goodbye && accepted_) {
    const int linger_ms = kGoodbyeLingerMs;
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    send(out_.data(), wire::write_goodbye(out_.data(), out_.size()));
  }
  zmq_close(socket_);
  socket_ = nullptr;
}

bool Connection::shake_hands() {
  const Settings& settings = client_.settings;
  wire::SessionRequest request;
  request.client_name = settings.client_name.c_str();
  request.layout_id = settings.layout_id.c_str();
  request.token = settings.token.c_str();
  request.forecast_rate_hz = settings.numbers.forecast_rate_hz;
  request.horizon_ms = settings.numbers.horizon_ms;
  request.samples = settings.numbers.samples;
  request.futures = settings.numbers.futures;
  request.deadline_ms = settings.numbers.deadline_ms;
  request.seed = settings.numbers.seed;
  request.visibility_threshold = settings.numbers.visibility_threshold;
  request.anomaly = settings.numbers.anomaly != 0;
  request.false_alarms_per_hour = settings.numbers.false_alarms_per_hour;
  const std::size_t size = wire::write_config(request, out_.data(), out_.size());
  if (size == 0) {
    refused_ = true;
    client_.fail(POSEBRIDGE_ERROR_INVALID_ARGUMENT, "config", "is too long to be sent", "shorter names and token");
    return false;
  }
  const std::uint64_t until_us = now_us() + kHandshakeUs;
  bool sent = false;
  heard_us_ = now_us();
  while (!stopping() && !over_ && !accepted_) {
    const std::uint64_t now = now_us();
    if (now >= until_us) {
      lose(POSEBRIDGE_ERROR_DEADLINE_EXCEEDED, sent ? "the server did not answer within 5 s" : "nobody listens at config.endpoint");
      return false;
    }
    if (!sent) {
      sent = send(out_.data(), size);
    }
    take_frames();
    wait(std::min(until_us - now, sent ? kLongestWaitUs : kRetrySendUs));
    receive();
  }
  return accepted_ && !over_;
}

void Connection::talk() {
  next_ping_us_ = now_us();
  take_frames();
  const std::int32_t count = client_.avatar_count_.load(std::memory_order_acquire);
  for (std::int32_t i = 0; i < count; ++i) {
    resend(*client_.avatars_[static_cast<std::size_t>(i)]);
  }
  const std::uint64_t silence_us = std::uint64_t{1000} * client_.settings.numbers.silence_ms;
  while (!stopping() && !over_) {
    receive();
    ping_if_due();
    send_frames();
    const std::uint64_t now = now_us();
    if (now - heard_us_ > silence_us) {
      lose(POSEBRIDGE_ERROR_UNAVAILABLE, "nothing was heard from the server for silence_ms");
      return;
    }
    if (over_) {
      return;
    }
    if (now - newest_frame_us_ < kActiveUs) {
      std::this_thread::sleep_for(std::chrono::microseconds(kLookUs));
    } else {
      wait(std::min(next_ping_us_ > now ? next_ping_us_ - now : 0, kLongestWaitUs));
    }
  }
}

void Connection::wait(std::uint64_t most_us) {
  client_.wakeup_.arm();
  // Whatever came before the line above rang at nobody: look once more.
  bool work = stopping();
  const std::int32_t count = client_.avatar_count_.load(std::memory_order_acquire);
  for (std::int32_t i = 0; i < count && !work; ++i) {
    work = !client_.avatars_[static_cast<std::size_t>(i)]->ring.empty();
  }
  zmq_pollitem_t items[2] = {};
  int used = 0;
  if (socket_ != nullptr) {
    items[used].socket = socket_;
    items[used].events = ZMQ_POLLIN;
    ++used;
  }
  const int bell = client_.wakeup_.fd();
  long most_ms = work ? 0 : static_cast<long>((most_us + 999) / 1000);
  if (bell >= 0) {
    items[used].fd = static_cast<decltype(items[used].fd)>(bell);
    items[used].events = ZMQ_POLLIN;
    ++used;
  } else {
    most_ms = std::min<long>(most_ms, Wakeup::kPollMs);
  }
  zmq_poll(items, used, most_ms);
  client_.wakeup_.disarm();
}

void Connection::receive() {
  for (int i = 0; i < kReceivedInARow && !over_; ++i) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    const int size = zmq_msg_recv(&message, socket_, ZMQ_DONTWAIT);
    if (size < 0) {
      zmq_msg_close(&message);
      return;
    }
    heard_us_ = now_us();
    client_.counters.bytes_received.fetch_add(static_cast<std::uint64_t>(size), std::memory_order_relaxed);
    const auto* data = static_cast<const std::uint8_t*>(zmq_msg_data(&message));
    if (!wire::read_server_message(data, static_cast<std::size_t>(size), *this)) {
      client_.counters.malformed.fetch_add(1, std::memory_order_relaxed);
      client_.fail(POSEBRIDGE_ERROR_MALFORMED, "", "a message from the server could not be read", "a ServerEnvelope");
    }
    zmq_msg_close(&message);
  }
}

// Frames go from the ring to what is kept, whether there is a session or not; `send_frames` and `resend` send from there.
void Connection::take_frames() {
  const std::size_t floats = scratch_.size();
  const std::int32_t count = client_.avatar_count_.load(std::memory_order_acquire);
  for (std::int32_t i = 0; i < count; ++i) {
    Avatar& avatar = *client_.avatars_[static_cast<std::size_t>(i)];
    FrameHead head;
    while (avatar.ring.pop(head, scratch_.data())) {
      const std::size_t place = static_cast<std::size_t>(avatar.kept_count % avatar.kept.size());
      if (avatar.kept_count >= avatar.kept.size() && !avatar.kept[place].sent) {
        client_.counters.frames_dropped.fetch_add(1, std::memory_order_relaxed);
      }
      avatar.kept[place] = {head, false};
      std::copy(scratch_.begin(), scratch_.end(), avatar.kept_landmarks.begin() + static_cast<std::ptrdiff_t>(place * floats));
      ++avatar.kept_count;
    }
    const std::uint64_t overwritten = avatar.ring.overwritten();
    client_.counters.frames_dropped.fetch_add(overwritten - avatar.overwritten_seen, std::memory_order_relaxed);
    avatar.overwritten_seen = overwritten;
  }
}

void Connection::send_frames() {
  if (!writable()) {
    return;
  }
  // New frames of all avatars go in as few messages as possible: one for what came in one game tick.
  const std::size_t floats = scratch_.size();
  std::size_t used = 0;
  const auto flush = [&] {
    if (used > 0) {
      const std::size_t size = wire::write_frames(batch_.data(), used, client_.settings.numbers.landmarks, out_.data(), out_.size());
      if (size > 0 && send(out_.data(), size)) {
        client_.counters.frames_sent.fetch_add(used, std::memory_order_relaxed);
      } else {
        client_.counters.frames_dropped.fetch_add(used, std::memory_order_relaxed);
      }
      used = 0;
    }
  };
  const std::int32_t count = client_.avatar_count_.load(std::memory_order_acquire);
  for (std::int32_t i = 0; i < count; ++i) {
    Avatar& avatar = *client_.avatars_[static_cast<std::size_t>(i)];
    const std::uint64_t before = avatar.kept_count;
    FrameHead head;
    while (avatar.kept_count - before < avatar.kept.size() && avatar.ring.pop(head, scratch_.data())) {
      const std::size_t place = static_cast<std::size_t>(avatar.kept_count % avatar.kept.size());
      float* landmarks = &avatar.kept_landmarks[place * floats];
      avatar.kept[place] = {head, true};
      std::copy(scratch_.begin(), scratch_.end(), landmarks);
      ++avatar.kept_count;
      batch_[used++] = {avatar.id.c_str(), &avatar.kept[place].head, landmarks};
      newest_frame_us_ = head.given_us;
      if (used == batch_.size()) {
        flush();
      }
    }
    const std::uint64_t overwritten = avatar.ring.overwritten();
    client_.counters.frames_dropped.fetch_add(overwritten - avatar.overwritten_seen, std::memory_order_relaxed);
    avatar.overwritten_seen = overwritten;
  }
  flush();
}

void Connection::resend(Avatar& avatar) {
  const std::size_t size = avatar.kept.size();
  if (avatar.kept_count == 0) {
    return;
  }
  const KeptFrame& newest = avatar.kept[static_cast<std::size_t>((avatar.kept_count - 1) % size)];
  const std::uint64_t now = now_us();
  if (now - newest.head.given_us > kResendAgeUs) {
    return;
  }
  const std::uint64_t first = avatar.kept_count > size ? avatar.kept_count - size : 0;
  std::size_t used = 0;
  for (std::uint64_t number = first; number < avatar.kept_count; ++number) {
    KeptFrame& kept = avatar.kept[static_cast<std::size_t>(number % size)];
    if (newest.head.timestamp_us - kept.head.timestamp_us > kResendWindowUs) {
      continue;
    }
    (kept.sent ? client_.counters.frames_resent : client_.counters.frames_sent).fetch_add(1, std::memory_order_relaxed);
    kept.sent = true;
    batch_[used++] = {avatar.id.c_str(), &kept.head, &avatar.kept_landmarks[static_cast<std::size_t>(number % size) * scratch_.size()]};
    if (used == batch_.size() || number + 1 == avatar.kept_count) {
      send(out_.data(), wire::write_frames(batch_.data(), used, client_.settings.numbers.landmarks, out_.data(), out_.size()));
      used = 0;
    }
  }
}

void Connection::ping_if_due() {
  const std::uint64_t now = now_us();
  if (now < next_ping_us_) {
    return;
  }
  next_ping_us_ = now + (clock_count_ < kClockSamples ? kFirstPingsUs : kPingUs);
  send(out_.data(), wire::write_ping(now, out_.data(), out_.size()));
}

bool Connection::writable() const {
  int events = 0;
  std::size_t size = sizeof events;
  return zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLOUT) != 0;
}

bool Connection::send(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || zmq_send(socket_, data, size, ZMQ_DONTWAIT) < 0) {
    return false;
  }
  client_.counters.bytes_sent.fetch_add(size, std::memory_order_relaxed);
  return true;
}

void Connection::lose(std::int32_t code, const char* problem) {
  over_ = true;
  client_.fail(code, "", problem, "");
  client_.log(POSEBRIDGE_LOG_WARNING, problem);
}

}  // namespace posebridge
