#include "settings.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "axes.h"

namespace posebridge {
namespace {

constexpr std::size_t kKeyLength = 40;

bool refuse(posebridge_error& error, const char* field, const std::string& problem, const char* expected) {
  set_error(error, POSEBRIDGE_ERROR_INVALID_ARGUMENT, field, problem.c_str(), expected);
  return false;
}

std::string text_of(const char* text) { return text == nullptr ? std::string() : std::string(text); }

std::uint32_t power_of_two(std::uint32_t at_least) {
  std::uint32_t power = 1;
  while (power < at_least) {
    power *= 2;
  }
  return power;
}

template <typename Number>
void default_to(Number& number, Number otherwise) {
  if (number == Number{0}) {
    number = otherwise;
  }
}

}  // namespace

void set_error(posebridge_error& error, std::int32_t code, const char* field, const char* problem, const char* expected) {
  error.code = code;
  std::snprintf(error.field, sizeof error.field, "%s", field);
  std::snprintf(error.problem, sizeof error.problem, "%s", problem);
  std::snprintf(error.expected, sizeof error.expected, "%s", expected);
}

bool is_name(const char* text) {
  if (text == nullptr || text[0] == '\0' || std::strlen(text) > POSEBRIDGE_MAX_NAME) {
    return false;
  }
  return std::all_of(text, text + std::strlen(text), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' || c == '-';
  });
}

posebridge_config default_config() {
  posebridge_config config{};
  config.size = sizeof config;
  config.client_name = "game";
  config.layout_id = "mediapipe.pose.33";
  config.landmarks = 33;
  config.visibility_threshold = 0.1F;
  config.anomaly = 1;
  config.axes = POSEBRIDGE_AXES_MEDIAPIPE;
  config.max_avatars = 16;
  config.send_queue_frames = 8;
  config.resend_frames = 128;
  config.blend_ms = 100;
  config.extrapolate_ms = 100;
  config.reconnect_min_ms = 100;
  config.reconnect_max_ms = 3000;
  config.silence_ms = 4000;
  return config;
}

bool read_settings(const posebridge_config& config, Settings& settings, posebridge_error& error) {
  if (config.size < sizeof(std::size_t) + sizeof(const char*)) {
    return refuse(error, "config.size", std::to_string(config.size), "sizeof(posebridge_config)");
  }
  // What the caller's header knows; the rest are our defaults. A caller that is newer may have more: nobody here reads it.
  posebridge_config given = default_config();
  std::memcpy(&given, &config, std::min(config.size, sizeof given));
  given.size = sizeof given;
  const posebridge_config otherwise = default_config();
  default_to(given.landmarks, otherwise.landmarks);
  default_to(given.visibility_threshold, otherwise.visibility_threshold);
  default_to(given.max_avatars, otherwise.max_avatars);
  default_to(given.send_queue_frames, otherwise.send_queue_frames);
  default_to(given.resend_frames, otherwise.resend_frames);
  default_to(given.reconnect_min_ms, otherwise.reconnect_min_ms);
  default_to(given.reconnect_max_ms, otherwise.reconnect_max_ms);
  default_to(given.silence_ms, otherwise.silence_ms);

  settings.endpoint = text_of(given.endpoint);
  settings.client_name = given.client_name == nullptr ? otherwise.client_name : given.client_name;
  settings.layout_id = given.layout_id == nullptr ? otherwise.layout_id : given.layout_id;
  settings.token = text_of(given.token);
  settings.server_public_key = text_of(given.server_public_key);
  settings.client_public_key = text_of(given.client_public_key);
  settings.client_secret_key = text_of(given.client_secret_key);

  if (settings.endpoint.rfind("tcp://", 0) != 0 && settings.endpoint.rfind("ipc://", 0) != 0) {
    return refuse(error, "config.endpoint", "\"" + settings.endpoint + "\" is no address", "tcp://HOST:PORT or ipc://PATH");
  }
  if (!is_name(settings.client_name.c_str())) {
    return refuse(error, "config.client_name", "\"" + settings.client_name + "\" is no name", "1 to 64 of A-Z a-z 0-9 _ . : -");
  }
  if (settings.layout_id.empty() || settings.layout_id.size() > POSEBRIDGE_MAX_NAME) {
    return refuse(error, "config.layout_id", "\"" + settings.layout_id + "\" is no layout", "for example mediapipe.pose.33");
  }
  if (given.landmarks > POSEBRIDGE_MAX_LANDMARKS) {
    return refuse(error, "config.landmarks", std::to_string(given.landmarks), "1 to 600");
  }
  if (settings.layout_id == otherwise.layout_id && given.landmarks != otherwise.landmarks) {
    return refuse(error, "config.landmarks", std::to_string(given.landmarks) + " for mediapipe.pose.33", "33");
  }
  if (!is_axes(given.axes)) {
    return refuse(error, "config.axes", std::to_string(given.axes), "a number of posebridge_axes");
  }
  if (given.max_avatars > POSEBRIDGE_MAX_AVATARS) {
    return refuse(error, "config.max_avatars", std::to_string(given.max_avatars), "1 to 1024");
  }
  if (given.send_queue_frames > 1024) {
    return refuse(error, "config.send_queue_frames", std::to_string(given.send_queue_frames), "1 to 1024");
  }
  if (given.resend_frames > 1024) {
    return refuse(error, "config.resend_frames", std::to_string(given.resend_frames), "1 to 1024");
  }
  if (!(given.visibility_threshold > 0.0F && given.visibility_threshold <= 1.0F)) {
    return refuse(error, "config.visibility_threshold", std::to_string(given.visibility_threshold), "above 0, at most 1");
  }
  if (given.reconnect_min_ms > given.reconnect_max_ms) {
    return refuse(error, "config.reconnect_min_ms", "is above reconnect_max_ms", "at most reconnect_max_ms");
  }
  const std::string* keys[] = {&settings.server_public_key, &settings.client_public_key, &settings.client_secret_key};
  const char* fields[] = {"config.server_public_key", "config.client_public_key", "config.client_secret_key"};
  const auto given_keys = std::count_if(std::begin(keys), std::end(keys), [](const std::string* key) { return !key->empty(); });
  for (int i = 0; i < 3; ++i) {
    if (given_keys > 0 && keys[i]->size() != kKeyLength) {
      return refuse(error, fields[i], std::to_string(keys[i]->size()) + " characters", "40 characters of Z85, for all three keys");
    }
  }
  given.send_queue_frames = power_of_two(given.send_queue_frames);
  settings.numbers = given;
  return true;
}

}  // namespace posebridge
