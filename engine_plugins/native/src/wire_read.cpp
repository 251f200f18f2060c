#include <pb_decode.h>

#include <algorithm>
#include <cstring>

#include "half.h"
#include "posebridge/v1/anomaly.pb.h"
#include "posebridge/v1/envelope.pb.h"
#include "posebridge/v1/forecast.pb.h"
#include "posebridge/v1/pose.pb.h"
#include "wire.h"

namespace posebridge::wire {
namespace {

// One field of a message: its number, and its value in the form that its wire type has.
struct Field {
  std::uint32_t tag = 0;
  pb_wire_type_t type = PB_WT_VARINT;
  std::uint64_t number = 0;  // varint, fixed32, fixed64
  View bytes;                // length-delimited

  // The number of a fixed32 field as what it is.
  float as_float() const {
    const auto word = static_cast<std::uint32_t>(number);
    float value = 0.0F;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }
  double as_double() const {
    double value = 0.0;
    std::memcpy(&value, &number, sizeof value);
    return value;
  }
};

// Call `take(field)` for every field of a message. False if the bytes are no message, or `take` says so.
template <typename Take>
bool each_field(View message, Take take) {
  pb_istream_t stream = pb_istream_from_buffer(message.data, message.size);
  while (stream.bytes_left > 0) {
    Field field;
    bool ended = false;
    if (!pb_decode_tag(&stream, &field.type, &field.tag, &ended)) {
      return ended;
    }
    if (field.tag == 0) {
      return false;
    }
    bool read = true;
    switch (field.type) {
      case PB_WT_VARINT:
        read = pb_decode_varint(&stream, &field.number);
        break;
      case PB_WT_32BIT: {
        std::uint32_t word = 0;
        read = pb_decode_fixed32(&stream, &word);
        field.number = word;
        break;
      }
      case PB_WT_64BIT:
        read = pb_decode_fixed64(&stream, &field.number);
        break;
      case PB_WT_STRING: {
        std::uint32_t length = 0;
        read = pb_decode_varint32(&stream, &length) && length <= stream.bytes_left;
        if (read) {
          // The stream reads from memory: what is left of the message is its end.
          field.bytes = {message.data + (message.size - stream.bytes_left), length};
          read = pb_read(&stream, nullptr, length);
        }
        break;
      }
      default:
        read = pb_skip_field(&stream, field.type);
        break;
    }
    if (!read || !take(field)) {
      return false;
    }
  }
  return true;
}

// A text into a fixed buffer; what is too long is cut.
template <std::size_t N>
void copy_text(View text, char (&out)[N]) {
  const std::size_t length = std::min(text.size, N - 1);
  if (length > 0) {
    std::memcpy(out, text.data, length);
  }
  out[length] = '\0';
}

// Numbers of a repeated field, packed or not, appended up to a limit; false if there are more.
bool append_varints(const Field& field, std::uint32_t* out, std::uint32_t most, std::uint32_t& count) {
  if (field.type == PB_WT_VARINT) {
    if (count == most) {
      return false;
    }
    out[count++] = static_cast<std::uint32_t>(field.number);
    return true;
  }
  if (field.type != PB_WT_STRING) {
    return false;
  }
  pb_istream_t stream = pb_istream_from_buffer(field.bytes.data, field.bytes.size);
  while (stream.bytes_left > 0) {
    std::uint64_t value = 0;
    if (count == most || !pb_decode_varint(&stream, &value)) {
      return false;
    }
    out[count++] = static_cast<std::uint32_t>(value);
  }
  return true;
}

bool append_floats(const Field& field, float* out, std::uint32_t most, std::uint32_t& count) {
  if (field.type == PB_WT_32BIT) {
    if (count == most) {
      return false;
    }
    out[count++] = field.as_float();
    return true;
  }
  if (field.type != PB_WT_STRING || field.bytes.size % 4 != 0 || field.bytes.size / 4 > most - count) {
    return false;
  }
  std::memcpy(out + count, field.bytes.data, field.bytes.size);
  count += static_cast<std::uint32_t>(field.bytes.size / 4);
  return true;
}

bool read_tensor(View message, Tensor& tensor) {
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_Tensor_dtype_tag:
        tensor.dtype = static_cast<std::uint32_t>(field.number);
        return true;
      case posebridge_v1_Tensor_shape_tag:
        return append_varints(field, tensor.shape, 4, tensor.axes);
      case posebridge_v1_Tensor_data_tag:
        tensor.data = field.bytes;
        return true;
      default:
        return true;
    }
  });
}

bool read_verdict(View message, Forecast& forecast) {
  return each_field(message, [&](const Field& field) {
    if (field.tag == posebridge_v1_Verdict_p_value_tag) {
      forecast.p_value = field.as_float();
    } else if (field.tag == posebridge_v1_Verdict_evidence_tag) {
      forecast.evidence = field.as_float();
    }
    return true;
  });
}

bool read_forecast(View message, Forecast& forecast) {
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_PoseForecast_avatar_id_tag:
        forecast.avatar_id = field.bytes;
        return true;
      case posebridge_v1_PoseForecast_based_on_sequence_tag:
        forecast.based_on_sequence = field.number;
        return true;
      case posebridge_v1_PoseForecast_based_on_timestamp_us_tag:
        forecast.based_on_timestamp_us = field.number;
        return true;
      case posebridge_v1_PoseForecast_step_us_tag:
        forecast.step_us = field.number;
        return true;
      case posebridge_v1_PoseForecast_futures_tag:
        return read_tensor(field.bytes, forecast.futures);
      case posebridge_v1_PoseForecast_roots_tag:
        forecast.has_roots = true;
        return read_tensor(field.bytes, forecast.roots);
      case posebridge_v1_PoseForecast_probabilities_tag:
        return append_floats(field, forecast.probability, POSEBRIDGE_MAX_FUTURES, forecast.probabilities);
      case posebridge_v1_PoseForecast_spread_tag:
        return read_tensor(field.bytes, forecast.spread);
      case posebridge_v1_PoseForecast_mode_ids_tag:
        return append_varints(field, forecast.mode_id, POSEBRIDGE_MAX_FUTURES, forecast.modes);
      case posebridge_v1_PoseForecast_timing_tag:
        return each_field(field.bytes, [&](const Field& timing) {
          if (timing.tag == posebridge_v1_Timing_age_us_tag) {
            forecast.age_us = timing.number;
          }
          return true;
        });
      case posebridge_v1_PoseForecast_degraded_tag:
        forecast.degraded = field.number != 0;
        return true;
      case posebridge_v1_PoseForecast_anomaly_tag:
        return read_verdict(field.bytes, forecast);
      default:
        return true;
    }
  });
}

bool read_error_detail(View message, posebridge_error& error) {
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_ErrorDetail_code_tag:
        error.code = static_cast<std::int32_t>(field.number);
        break;
      case posebridge_v1_ErrorDetail_field_tag:
        copy_text(field.bytes, error.field);
        break;
      case posebridge_v1_ErrorDetail_problem_tag:
        copy_text(field.bytes, error.problem);
        break;
      case posebridge_v1_ErrorDetail_expected_tag:
        copy_text(field.bytes, error.expected);
        break;
      default:
        break;
    }
    return true;
  });
}

bool read_config_in_force(View message, posebridge_session& session) {
  bool watched = false;
  const bool read = each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_SessionConfig_forecast_rate_hz_tag:
        session.forecast_rate_hz = field.as_float();
        break;
      case posebridge_v1_SessionConfig_horizon_ms_tag:
        session.horizon_ms = static_cast<std::uint32_t>(field.number);
        break;
      case posebridge_v1_SessionConfig_samples_tag:
        session.samples = static_cast<std::uint32_t>(field.number);
        break;
      case posebridge_v1_SessionConfig_futures_tag:
        session.futures = static_cast<std::uint32_t>(field.number);
        break;
      case posebridge_v1_SessionConfig_anomaly_tag:
        return each_field(field.bytes, [&](const Field& anomaly) {
          if (anomaly.tag == posebridge_v1_AnomalyConfig_enabled_tag) {
            watched = anomaly.number != 0;
          } else if (anomaly.tag == posebridge_v1_AnomalyConfig_false_alarms_per_hour_tag) {
            session.false_alarms_per_hour = anomaly.as_float();
          }
          return true;
        });
      default:
        break;
    }
    return true;
  });
  if (!watched) {
    session.false_alarms_per_hour = 0.0F;
  }
  return read;
}

bool read_accepted(View message, posebridge_session& session) {
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_SessionAccepted_config_tag:
        return read_config_in_force(field.bytes, session);
      case posebridge_v1_SessionAccepted_protocol_version_tag:
        session.protocol_version = static_cast<std::uint32_t>(field.number);
        break;
      case posebridge_v1_SessionAccepted_server_version_tag:
        copy_text(field.bytes, session.server_version);
        break;
      case posebridge_v1_SessionAccepted_session_id_tag:
        copy_text(field.bytes, session.session_id);
        break;
      case posebridge_v1_SessionAccepted_context_frames_tag:
        session.context_frames = static_cast<std::uint32_t>(field.number);
        break;
      case posebridge_v1_SessionAccepted_rate_hz_tag:
        session.rate_hz = field.as_float();
        break;
      default:
        break;
    }
    return true;
  });
}

bool read_joint(View message, posebridge_joint& joint) {
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_JointContribution_landmark_tag:
        joint.landmark = static_cast<std::uint32_t>(field.number);
        break;
      case posebridge_v1_JointContribution_name_tag:
        copy_text(field.bytes, joint.name);
        break;
      case posebridge_v1_JointContribution_share_tag:
        joint.share = field.as_float();
        break;
      default:
        break;
    }
    return true;
  });
}

bool read_alert(View message, posebridge_alert& alert) {
  constexpr std::uint32_t kMostJoints = sizeof alert.joints / sizeof alert.joints[0];
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_Alert_id_tag:
        copy_text(field.bytes, alert.id);
        break;
      case posebridge_v1_Alert_revision_tag:
        alert.revision = static_cast<std::uint32_t>(field.number);
        break;
      case posebridge_v1_Alert_cursor_tag:
        alert.cursor = field.number;
        break;
      case posebridge_v1_Alert_state_tag:
        alert.state = static_cast<std::int32_t>(field.number);
        break;
      case posebridge_v1_Alert_avatar_id_tag:
        copy_text(field.bytes, alert.avatar_id);
        break;
      case posebridge_v1_Alert_started_us_tag:
        alert.started_us = field.number;
        break;
      case posebridge_v1_Alert_raised_us_tag:
        alert.raised_us = field.number;
        break;
      case posebridge_v1_Alert_ended_us_tag:
        alert.ended_us = field.number;
        break;
      case posebridge_v1_Alert_p_value_tag:
        alert.p_value = field.as_double();
        break;
      case posebridge_v1_Alert_score_tag:
        alert.score = field.as_float();
        break;
      case posebridge_v1_Alert_threshold_tag:
        alert.threshold = field.as_float();
        break;
      case posebridge_v1_Alert_severity_tag:
        alert.severity = static_cast<std::int32_t>(field.number);
        break;
      case posebridge_v1_Alert_joints_tag:
        return alert.joint_count == kMostJoints || read_joint(field.bytes, alert.joints[alert.joint_count++]);
      default:
        break;
    }
    return true;
  });
}

bool read_frame_error(View message, posebridge_error& error) {
  return each_field(message, [&](const Field& field) {
    return field.tag != posebridge_v1_FrameError_error_tag || read_error_detail(field.bytes, error);
  });
}

bool read_clock_pong(View message, ClockPong& pong) {
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_ClockPong_client_time_us_tag:
        pong.client_time_us = field.number;
        break;
      case posebridge_v1_ClockPong_server_received_us_tag:
        pong.server_received_us = field.number;
        break;
      case posebridge_v1_ClockPong_server_sent_us_tag:
        pong.server_sent_us = field.number;
        break;
      default:
        break;
    }
    return true;
  });
}

bool read_stream_response(View message, Sink& sink) {
  return each_field(message, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_StreamForecastsResponse_accepted_tag: {
        posebridge_session session{};
        session.size = sizeof session;
        if (!read_accepted(field.bytes, session)) {
          return false;
        }
        sink.on_accepted(session);
        return true;
      }
      case posebridge_v1_StreamForecastsResponse_forecast_tag: {
        Forecast forecast;
        if (!read_forecast(field.bytes, forecast)) {
          return false;
        }
        sink.on_forecast(forecast);
        return true;
      }
      case posebridge_v1_StreamForecastsResponse_frame_error_tag: {
        posebridge_error error{};
        if (!read_frame_error(field.bytes, error)) {
          return false;
        }
        sink.on_frame_error(error);
        return true;
      }
      case posebridge_v1_StreamForecastsResponse_draining_tag:
        sink.on_draining();
        return true;
      case posebridge_v1_StreamForecastsResponse_clock_pong_tag: {
        ClockPong pong;
        if (!read_clock_pong(field.bytes, pong)) {
          return false;
        }
        sink.on_clock_pong(pong);
        return true;
      }
      case posebridge_v1_StreamForecastsResponse_alert_tag: {
        posebridge_alert alert{};
        alert.size = sizeof alert;
        if (!read_alert(field.bytes, alert)) {
          return false;
        }
        sink.on_alert(alert);
        return true;
      }
      default:
        return true;
    }
  });
}

bool read_call_error(View message, Sink& sink) {
  posebridge_error error{};
  bool session_ended = false;
  const bool read = each_field(message, [&](const Field& field) {
    if (field.tag == posebridge_v1_CallError_error_tag) {
      return read_error_detail(field.bytes, error);
    }
    if (field.tag == posebridge_v1_CallError_session_ended_tag) {
      session_ended = field.number != 0;
    }
    return true;
  });
  if (read) {
    sink.on_call_error(error, session_ended);
  }
  return read;
}

}  // namespace

std::size_t Tensor::count() const {
  std::size_t count = 1;
  for (std::uint32_t i = 0; i < axes; ++i) {
    count *= shape[i];
  }
  return count;
}

bool Tensor::is(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) const {
  const std::uint32_t wanted[4] = {a, b, c, d};
  const std::uint32_t wanted_axes = c == 0 ? 2 : d == 0 ? 3 : 4;
  if (axes != wanted_axes || !std::equal(shape, shape + axes, wanted)) {
    return false;
  }
  const std::size_t bytes = dtype == posebridge_v1_DataType_DATA_TYPE_FLOAT16 ? 2 : 4;
  return (dtype == posebridge_v1_DataType_DATA_TYPE_FLOAT16 || dtype == posebridge_v1_DataType_DATA_TYPE_FLOAT32) &&
         data.size == bytes * count();
}

void Tensor::read(float* out) const {
  if (dtype == posebridge_v1_DataType_DATA_TYPE_FLOAT16) {
    halves_to_floats(data.data, out, count());
  } else {
    std::memcpy(out, data.data, data.size);
  }
}

bool read_server_message(const std::uint8_t* data, std::size_t size, Sink& sink) {
  return each_field(View{data, size}, [&](const Field& field) {
    switch (field.tag) {
      case posebridge_v1_ServerEnvelope_stream_tag:
        return read_stream_response(field.bytes, sink);
      case posebridge_v1_ServerEnvelope_error_tag:
        return read_call_error(field.bytes, sink);
      default:
        return true;
    }
  });
}

}  // namespace posebridge::wire
