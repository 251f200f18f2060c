// posebridge_decode FILE: what the client reads in a server's message, as one JSON object.
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "wire.h"

namespace {

using namespace posebridge;

std::string quoted(const char* text) {
  std::string out = "\"";
  for (; *text != '\0'; ++text) {
    if (*text == '"' || *text == '\\') {
      out += '\\';
    }
    out += *text;
  }
  return out + "\"";
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

template <typename Values>
std::string list(const Values& values) {
  std::string out = "[";
  for (const auto& value : values) {
    out += (out.size() > 1 ? ", " : "") + number(static_cast<double>(value));
  }
  return out + "]";
}

std::vector<float> floats_of(const wire::Tensor& tensor) {
  std::vector<float> values(tensor.count());
  tensor.read(values.data());
  return values;
}

std::string error_fields(const posebridge_error& error) {
  return "\"code\": " + std::to_string(error.code) + ", \"field\": " + quoted(error.field) + ", \"problem\": " + quoted(error.problem) +
         ", \"expected\": " + quoted(error.expected);
}

class Printer final : public wire::Sink {
 public:
  void on_accepted(const posebridge_session& s) override {
    say("accepted", "\"protocol_version\": " + std::to_string(s.protocol_version) + ", \"server_version\": " + quoted(s.server_version) +
                        ", \"session_id\": " + quoted(s.session_id) + ", \"context_frames\": " + std::to_string(s.context_frames) +
                        ", \"rate_hz\": " + number(static_cast<double>(s.rate_hz)) + ", \"horizon_ms\": " + std::to_string(s.horizon_ms) +
                        ", \"samples\": " + std::to_string(s.samples) + ", \"futures\": " + std::to_string(s.futures) +
                        ", \"forecast_rate_hz\": " + number(static_cast<double>(s.forecast_rate_hz)) +
                        ", \"false_alarms_per_hour\": " + number(static_cast<double>(s.false_alarms_per_hour)));
  }
  void on_forecast(const wire::Forecast& f) override {
    const std::string id(reinterpret_cast<const char*>(f.avatar_id.data), f.avatar_id.size);
    const std::uint32_t k = f.futures.shape[0];
    const std::uint32_t h = f.futures.shape[1];
    const std::uint32_t j = f.futures.shape[2];
    if (!f.futures.is(k, h, j, 3) || !f.spread.is(h, j, 0, 0) || (f.has_roots && !f.roots.is(k, h, 3, 0))) {
      return;
    }
    const std::vector<float> probabilities(f.probability, f.probability + f.probabilities);
    const std::vector<std::uint32_t> modes(f.mode_id, f.mode_id + f.modes);
    say("forecast",
        "\"avatar_id\": " + quoted(id.c_str()) + ", \"based_on_sequence\": " + std::to_string(f.based_on_sequence) +
            ", \"based_on_timestamp_us\": " + std::to_string(f.based_on_timestamp_us) + ", \"step_us\": " + std::to_string(f.step_us) +
            ", \"shape\": " + list(std::vector<std::uint32_t>{k, h, j}) + ", \"positions\": " + list(floats_of(f.futures)) +
            ", \"roots\": " + (f.has_roots ? list(floats_of(f.roots)) : "null") + ", \"spread\": " + list(floats_of(f.spread)) +
            ", \"probabilities\": " + list(probabilities) + ", \"mode_ids\": " + list(modes) + ", \"age_us\": " + std::to_string(f.age_us) +
            ", \"degraded\": " + (f.degraded ? "true" : "false") + ", \"p_value\": " + number(static_cast<double>(f.p_value)) +
            ", \"evidence\": " + number(static_cast<double>(f.evidence)));
  }
  void on_frame_error(const posebridge_error& error) override { say("frame_error", error_fields(error)); }
  void on_draining() override { out_ += "\"draining\": true"; }
  void on_clock_pong(const wire::ClockPong& pong) override {
    out_ += "\"clock_pong\": [" + std::to_string(pong.client_time_us) + ", " + std::to_string(pong.server_received_us) + ", " +
            std::to_string(pong.server_sent_us) + "]";
  }
  void on_alert(const posebridge_alert& a) override {
    std::string joints = "[";
    for (std::uint32_t i = 0; i < a.joint_count; ++i) {
      joints += (i > 0 ? ", [" : "[") + std::to_string(a.joints[i].landmark) + ", " + quoted(a.joints[i].name) + ", " +
                number(static_cast<double>(a.joints[i].share)) + "]";
    }
    say("alert", "\"id\": " + quoted(a.id) + ", \"revision\": " + std::to_string(a.revision) + ", \"cursor\": " + std::to_string(a.cursor) +
                     ", \"state\": " + std::to_string(a.state) + ", \"avatar_id\": " + quoted(a.avatar_id) +
                     ", \"started_us\": " + std::to_string(a.started_us) + ", \"raised_us\": " + std::to_string(a.raised_us) +
                     ", \"ended_us\": " + std::to_string(a.ended_us) + ", \"p_value\": " + number(a.p_value) + ", \"score\": " +
                     number(static_cast<double>(a.score)) + ", \"threshold\": " + number(static_cast<double>(a.threshold)) +
                     ", \"severity\": " + std::to_string(a.severity) + ", \"joints\": " + joints + "]");
  }
  void on_call_error(const posebridge_error& error, bool session_ended) override {
    say("call_error", error_fields(error) + ", \"session_ended\": " + (session_ended ? "true" : "false"));
  }

  const std::string& text() const { return out_; }

 private:
  void say(const char* name, const std::string& fields) { out_ += "\"" + std::string(name) + "\": {" + fields + "}"; }

  std::string out_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: posebridge_decode FILE\n");
    return 2;
  }
  std::ifstream file(arguments[1], std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Printer printer;
  if (!file.good() && bytes.empty()) {
    std::fprintf(stderr, "%s cannot be read\n", arguments[1]);
    return 1;
  }
  if (!wire::read_server_message(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), printer)) {
    std::fprintf(stderr, "%s is no message of a server\n", arguments[1]);
    return 1;
  }
  std::printf("{%s}\n", printer.text().c_str());
  return 0;
}
