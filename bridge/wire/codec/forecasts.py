"""Forecasts: `bridge.wire.values.Forecast` and ``PoseForecast``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.errors import MalformedMessage
from bridge.wire.codec.alerts import verdict_from_message, verdict_to_message
from bridge.wire.codec.tensors import tensor_from_message, tensor_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import Encoding, Forecast, Timing


def forecast_to_message(
    forecast: Forecast, encoding: Encoding, *, futures_f16: NDArray[np.float16] | None = None
) -> forecast_pb2.PoseForecast:
    """Return the message of a forecast; futures and spread in ``encoding``, roots in float32 (they may lie far out).

    ``futures_f16`` are the futures in half precision, where someone has rounded them already.

    Raises:
        InternalError: if a number is not finite or does not fit the encoding.
    """
    rounded = forecast.futures_m if futures_f16 is None else futures_f16
    message = forecast_pb2.PoseForecast(
        avatar_id=forecast.avatar_id,
        based_on_sequence=forecast.based_on_sequence,
        based_on_timestamp_us=forecast.based_on_timestamp_us,
        step_us=forecast.step_us,
        futures=tensor_to_message(rounded if encoding is Encoding.FLOAT16 else forecast.futures_m, encoding),
        probabilities=forecast.probabilities.tolist(),
        spread=tensor_to_message(forecast.spread_m, encoding),
        mode_ids=forecast.mode_ids,
        unobserved_landmarks=forecast.unobserved_landmarks,
        bridged_share=forecast.bridged_share,
        samples=forecast.samples,
        acceptance_rate=forecast.acceptance_rate,
        timing=forecast_pb2.Timing(
            queue_us=forecast.timing.queue_us,
            compute_us=forecast.timing.compute_us,
            age_us=forecast.timing.age_us,
            batch_size=forecast.timing.batch_size,
        ),
        degraded=forecast.degraded,
        forecast_rate_hz=forecast.forecast_rate_hz,
        filled_share=forecast.filled_share,
    )
    if forecast.roots_m is not None:
        message.roots.CopyFrom(tensor_to_message(forecast.roots_m, Encoding.FLOAT32))
    if forecast.anomaly is not None:
        message.anomaly.CopyFrom(verdict_to_message(forecast.anomaly))
    return message


def forecast_from_message(message: forecast_pb2.PoseForecast) -> Forecast:
    """Read a forecast; all arrays come as float32.

    Raises:
        MalformedMessage: if an array or the verdict does not read, or the shapes contradict each other.
    """
    futures_m = tensor_from_message(message.futures, field="forecast.futures")
    if futures_m.ndim != 4 or futures_m.shape[3] != 3:
        raise MalformedMessage(f"has shape {futures_m.shape}", field="forecast.futures", expected="(K, H, J, 3)")
    futures, steps, joints, _ = futures_m.shape
    spread_m = tensor_from_message(message.spread, field="forecast.spread")
    _require_shape(spread_m.shape, (steps, joints), "forecast.spread")
    roots_m = tensor_from_message(message.roots, field="forecast.roots") if message.HasField("roots") else None
    if roots_m is not None:
        _require_shape(roots_m.shape, (futures, steps, 3), "forecast.roots")
    probabilities = np.array(message.probabilities, dtype=np.float32)
    _require_shape(probabilities.shape, (futures,), "forecast.probabilities")
    if not (np.isfinite(probabilities) & (probabilities >= 0.0)).all():
        raise MalformedMessage(f"are {probabilities}", field="forecast.probabilities", expected="numbers from 0 to 1")
    _require_shape((len(message.mode_ids),), (futures,), "forecast.mode_ids")
    if any(index >= joints for index in message.unobserved_landmarks):
        raise MalformedMessage(
            f"name a landmark beyond {joints - 1}", field="forecast.unobserved_landmarks", expected="indices below J"
        )
    return Forecast(
        avatar_id=message.avatar_id,
        based_on_sequence=message.based_on_sequence,
        based_on_timestamp_us=message.based_on_timestamp_us,
        step_us=message.step_us,
        futures_m=futures_m,
        roots_m=roots_m,
        probabilities=probabilities,
        spread_m=spread_m,
        mode_ids=tuple(message.mode_ids),
        unobserved_landmarks=tuple(message.unobserved_landmarks),
        bridged_share=message.bridged_share,
        samples=message.samples,
        acceptance_rate=message.acceptance_rate if message.HasField("acceptance_rate") else None,
        timing=Timing(
            queue_us=message.timing.queue_us,
            compute_us=message.timing.compute_us,
            age_us=message.timing.age_us,
            batch_size=message.timing.batch_size,
        ),
        degraded=message.degraded,
        forecast_rate_hz=message.forecast_rate_hz,
        filled_share=message.filled_share,
        anomaly=verdict_from_message(message.anomaly, field="forecast.anomaly")
        if message.HasField("anomaly")
        else None,
    )


def _require_shape(shape: tuple[int, ...], expected: tuple[int, ...], field: str) -> None:
    if shape != expected:
        raise MalformedMessage(f"has shape {shape}", field=field, expected=f"{expected}, as the futures have it")
