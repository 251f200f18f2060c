from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import limits
from bridge.errors import InternalError, MalformedMessage
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.alerts import Verdict
from bridge.wire.codec import forecast_from_message, forecast_to_message, parse_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from bridge.wire.values import Encoding, Forecast, SessionConfig, Timing


def forecast(
    futures: int = 3, steps: int = 4, joints: int = 7, *, seed: int = 0, with_roots: bool = True, spread_m: float = 0.1
) -> Forecast:
    draw = np.random.default_rng(seed)
    probabilities = np.sort(draw.dirichlet(np.ones(futures)))[::-1].astype(np.float32)
    return Forecast(
        avatar_id="player1",
        based_on_sequence=2**64 - 1,
        based_on_timestamp_us=2**62,
        step_us=33_333,
        futures_m=draw.normal(size=(futures, steps, joints, 3)).astype(np.float32),
        roots_m=draw.normal(size=(futures, steps, 3)).astype(np.float32) * 1000.0 if with_roots else None,
        probabilities=probabilities,
        spread_m=np.full((steps, joints), spread_m, np.float32),
        mode_ids=tuple(range(5, 5 + futures)),
        unobserved_landmarks=(0, joints - 1),
        bridged_share=0.25,
        samples=32,
        acceptance_rate=0.5,
        timing=Timing(queue_us=1, compute_us=2, age_us=3, batch_size=4),
        degraded=True,
        anomaly=Verdict(2**64 - 1, 2**62, 0.25, evidence=0.5, alert_id="a-1"),
    )


ARRAYS = ("futures_m", "roots_m", "probabilities", "spread_m")


def plain(value: Forecast) -> dict[str, object]:
    """Every field that is not an array."""
    fields = (field.name for field in dataclasses.fields(value))
    return {name: getattr(value, name) for name in fields if name not in ARRAYS}


@given(
    futures=st.integers(1, 16),
    steps=st.integers(1, 12),
    joints=st.integers(1, 40),
    seed=st.integers(0, 9),
    with_roots=st.booleans(),
)
def test_a_float32_forecast_survives_the_wire_bit_for_bit(
    futures: int, steps: int, joints: int, seed: int, with_roots: bool
) -> None:
    sent = forecast(futures, steps, joints, seed=seed, with_roots=with_roots)
    data = forecast_to_message(sent, Encoding.FLOAT32).SerializeToString()
    back = forecast_from_message(parse_message(forecast_pb2.PoseForecast, data))
    assert plain(back) == plain(sent)
    for name in ARRAYS:
        was, came = getattr(sent, name), getattr(back, name)
        assert (was is None) == (came is None)
        if was is not None:
            assert came.dtype == np.float32
            np.testing.assert_array_equal(came, was)


def test_float16_rounds_futures_and_spread_but_never_the_root() -> None:
    sent = forecast()
    sent = dataclasses.replace(sent, roots_m=np.full((3, 4, 3), 54_321.125, np.float32))
    back = forecast_from_message(forecast_to_message(sent, Encoding.FLOAT16))
    np.testing.assert_allclose(back.futures_m, sent.futures_m, rtol=2**-11)
    assert (back.futures_m != sent.futures_m).any()
    assert back.roots_m is not None
    np.testing.assert_array_equal(back.roots_m, np.full((3, 4, 3), 54_321.125))


def test_absence_is_carried() -> None:
    sent = dataclasses.replace(forecast(with_roots=False), acceptance_rate=None, anomaly=None)
    back = forecast_from_message(forecast_to_message(sent, Encoding.FLOAT16))
    assert back.acceptance_rate is None
    assert back.anomaly is None
    assert back.roots_m is None
    kept = dataclasses.replace(forecast(), acceptance_rate=0.0)
    assert forecast_from_message(forecast_to_message(kept, Encoding.FLOAT16)).acceptance_rate == 0.0


def test_a_forecast_that_is_not_finite_is_a_fault_of_the_server() -> None:
    broken = forecast()
    broken.futures_m[1, 2, 3, 0] = np.nan
    with pytest.raises(InternalError):
        forecast_to_message(broken, Encoding.FLOAT16)


def test_steps_are_dated_on_the_senders_clock() -> None:
    times_us = dataclasses.replace(forecast(), based_on_timestamp_us=1_000_000).step_timestamps_us
    assert times_us.tolist() == [1_033_333, 1_066_666, 1_099_999, 1_133_332]


def _drop_axis(message: forecast_pb2.PoseForecast) -> None:
    message.futures.shape[:] = [3 * 4, 7, 3]


def _planar(message: forecast_pb2.PoseForecast) -> None:
    message.futures.shape[:] = [3, 4, 3, 7]


def _no_futures(message: forecast_pb2.PoseForecast) -> None:
    message.ClearField("futures")


def _other_spread(message: forecast_pb2.PoseForecast) -> None:
    message.spread.shape[:] = [7, 4]


def _other_roots(message: forecast_pb2.PoseForecast) -> None:
    message.roots.shape[:] = [4, 3, 3]


def _few_probabilities(message: forecast_pb2.PoseForecast) -> None:
    del message.probabilities[-1]


def _negative_probability(message: forecast_pb2.PoseForecast) -> None:
    message.probabilities[0] = -0.5


def _nan_probability(message: forecast_pb2.PoseForecast) -> None:
    message.probabilities[0] = np.nan


def _few_ids(message: forecast_pb2.PoseForecast) -> None:
    del message.mode_ids[-1]


def _landmark_beyond_the_layout(message: forecast_pb2.PoseForecast) -> None:
    message.unobserved_landmarks.append(7)


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (_drop_axis, "futures"),
        (_planar, "futures"),
        (_no_futures, "futures.dtype"),
        (_other_spread, "spread"),
        (_other_roots, "roots"),
        (_few_probabilities, "probabilities"),
        (_negative_probability, "probabilities"),
        (_nan_probability, "probabilities"),
        (_few_ids, "mode_ids"),
        (_landmark_beyond_the_layout, "unobserved_landmarks"),
    ],
)
def test_a_forecast_that_contradicts_itself_is_refused(
    damage: Callable[[forecast_pb2.PoseForecast], None], field: str
) -> None:
    message = forecast_to_message(forecast(), Encoding.FLOAT32)
    damage(message)
    with pytest.raises(MalformedMessage) as caught:
        forecast_from_message(message)
    assert caught.value.field == f"forecast.{field}"


def test_the_largest_forecast_a_config_may_ask_for_fits_a_message() -> None:
    config = SessionConfig(horizon_ms=3000, samples=256, futures=16, encoding=Encoding.FLOAT32).validated()
    joints = MEDIAPIPE_POSE_33.joints
    config.require_reply_fits(joints=joints, rate_hz=30.0)
    largest = forecast(16, config.horizon_steps(30.0), joints)
    assert forecast_to_message(largest, Encoding.FLOAT32).ByteSize() < limits.MAX_MESSAGE_BYTES


def test_data_types_on_the_wire_are_what_the_client_chose() -> None:
    message = forecast_to_message(forecast(), Encoding.FLOAT16)
    assert message.futures.dtype == message.spread.dtype == pose_pb2.DATA_TYPE_FLOAT16
    assert message.roots.dtype == pose_pb2.DATA_TYPE_FLOAT32
