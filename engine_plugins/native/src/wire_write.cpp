#include <pb_encode.h>

#include <cstring>

#include "posebridge/v1/anomaly.pb.h"
#include "posebridge/v1/envelope.pb.h"
#include "posebridge/v1/forecast.pb.h"
#include "posebridge/v1/pose.pb.h"
#include "wire.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "arrays are little-endian on the wire; this processor is not"
#endif

namespace posebridge::wire {
namespace {

// Protocol buffers let a message be written as its fields in a row; a message within has its length in front, so it is measured first.
template <typename Write>
bool write_message(pb_ostream_t* out, std::uint32_t tag, Write write) {
  pb_ostream_t measure = PB_OSTREAM_SIZING;
  if (!write(&measure)) {
    return false;
  }
  return pb_encode_tag(out, PB_WT_STRING, tag) && pb_encode_varint(out, measure.bytes_written) && write(out);
}

bool write_number(pb_ostream_t* out, std::uint32_t tag, std::uint64_t value) {
  return pb_encode_tag(out, PB_WT_VARINT, tag) && pb_encode_varint(out, value);
}

bool write_number_if(pb_ostream_t* out, std::uint32_t tag, std::uint64_t value) { return value == 0 || write_number(out, tag, value); }

bool write_float(pb_ostream_t* out, std::uint32_t tag, float value) {
  return pb_encode_tag(out, PB_WT_32BIT, tag) && pb_encode_fixed32(out, &value);
}

bool write_float_if(pb_ostream_t* out, std::uint32_t tag, float value) { return value == 0.0F || write_float(out, tag, value); }

bool write_text(pb_ostream_t* out, std::uint32_t tag, const char* text) {
  return pb_encode_tag(out, PB_WT_STRING, tag) && pb_encode_string(out, reinterpret_cast<const pb_byte_t*>(text), std::strlen(text));
}

bool write_session_config(pb_ostream_t* out, const SessionRequest& request) {
  const auto write_anomaly = [&](pb_ostream_t* anomaly) {
    return write_number(anomaly, posebridge_v1_AnomalyConfig_enabled_tag, request.anomaly ? 1 : 0) &&
           write_float_if(anomaly, posebridge_v1_AnomalyConfig_false_alarms_per_hour_tag, request.false_alarms_per_hour);
  };
  return write_number(out, posebridge_v1_SessionConfig_protocol_version_tag, request.protocol_version) &&
         write_text(out, posebridge_v1_SessionConfig_client_name_tag, request.client_name) &&
         write_text(out, posebridge_v1_SessionConfig_layout_id_tag, request.layout_id) &&
         write_float_if(out, posebridge_v1_SessionConfig_forecast_rate_hz_tag, request.forecast_rate_hz) &&
         write_number_if(out, posebridge_v1_SessionConfig_horizon_ms_tag, request.horizon_ms) &&
         write_number_if(out, posebridge_v1_SessionConfig_samples_tag, request.samples) &&
         write_number_if(out, posebridge_v1_SessionConfig_futures_tag, request.futures) &&
         write_number_if(out, posebridge_v1_SessionConfig_deadline_ms_tag, request.deadline_ms) &&
         write_number_if(out, posebridge_v1_SessionConfig_seed_tag, request.seed) &&
         write_float_if(out, posebridge_v1_SessionConfig_visibility_threshold_tag, request.visibility_threshold) &&
         write_message(out, posebridge_v1_SessionConfig_anomaly_tag, write_anomaly);
}

bool write_frame(pb_ostream_t* out, const Frame& frame, std::size_t landmarks) {
  const FrameHead& head = *frame.head;
  bool written = write_text(out, posebridge_v1_PoseFrame_avatar_id_tag, frame.avatar_id) &&
                 write_number_if(out, posebridge_v1_PoseFrame_sequence_tag, head.sequence) &&
                 write_number(out, posebridge_v1_PoseFrame_timestamp_us_tag, head.timestamp_us);
  if (written && head.detected) {
    const std::size_t bytes = landmarks * 4 * sizeof(float);
    written = pb_encode_tag(out, PB_WT_STRING, posebridge_v1_PoseFrame_landmarks_tag) && pb_encode_varint(out, bytes) &&
              pb_write(out, reinterpret_cast<const pb_byte_t*>(frame.landmarks), bytes);
  }
  if (written && head.has_root) {
    written = write_message(out, posebridge_v1_PoseFrame_root_tag, [&](pb_ostream_t* root) {
      return write_float_if(root, posebridge_v1_Vec3_x_tag, static_cast<float>(head.root[0])) &&
             write_float_if(root, posebridge_v1_Vec3_y_tag, static_cast<float>(head.root[1])) &&
             write_float_if(root, posebridge_v1_Vec3_z_tag, static_cast<float>(head.root[2]));
    });
  }
  return written;
}

template <typename Write>
std::size_t write_envelope(std::uint32_t tag, const char* token, std::uint8_t* out, std::size_t capacity, Write write) {
  pb_ostream_t stream = pb_ostream_from_buffer(out, capacity);
  const bool has_token = token[0] != '\0';
  const bool written =
      write_message(&stream, tag, write) && (!has_token || write_text(&stream, posebridge_v1_ClientEnvelope_token_tag, token));
  return written ? stream.bytes_written : 0;
}

}  // namespace

std::size_t write_config(const SessionRequest& request, std::uint8_t* out, std::size_t capacity) {
  return write_envelope(posebridge_v1_ClientEnvelope_stream_tag, request.token, out, capacity, [&](pb_ostream_t* stream) {
    return write_message(stream, posebridge_v1_StreamForecastsRequest_config_tag,
                         [&](pb_ostream_t* config) { return write_session_config(config, request); });
  });
}

std::size_t write_frames(const Frame* frames, std::size_t count, std::size_t landmarks, std::uint8_t* out, std::size_t capacity) {
  return write_envelope(posebridge_v1_ClientEnvelope_stream_tag, "", out, capacity, [&](pb_ostream_t* stream) {
    if (count == 1) {
      return write_message(stream, posebridge_v1_StreamForecastsRequest_frame_tag,
                           [&](pb_ostream_t* frame) { return write_frame(frame, frames[0], landmarks); });
    }
    return write_message(stream, posebridge_v1_StreamForecastsRequest_frames_tag, [&](pb_ostream_t* batch) {
      for (std::size_t i = 0; i < count; ++i) {
        if (!write_message(batch, posebridge_v1_FrameBatch_frames_tag,
                           [&](pb_ostream_t* frame) { return write_frame(frame, frames[i], landmarks); })) {
          return false;
        }
      }
      return true;
    });
  });
}

std::size_t write_ping(std::uint64_t client_time_us, std::uint8_t* out, std::size_t capacity) {
  return write_envelope(posebridge_v1_ClientEnvelope_stream_tag, "", out, capacity, [&](pb_ostream_t* stream) {
    return write_message(stream, posebridge_v1_StreamForecastsRequest_clock_ping_tag, [&](pb_ostream_t* ping) {
      return write_number(ping, posebridge_v1_ClockPing_client_time_us_tag, client_time_us);
    });
  });
}

std::size_t write_goodbye(std::uint8_t* out, std::size_t capacity) {
  return write_envelope(posebridge_v1_ClientEnvelope_goodbye_tag, "", out, capacity, [](pb_ostream_t*) { return true; });
}

std::size_t frame_bytes(std::size_t landmarks) { return landmarks * 4 * sizeof(float) + POSEBRIDGE_MAX_NAME + 96; }

}  // namespace posebridge::wire
