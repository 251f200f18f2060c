from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeError, InvalidInput, MalformedMessage, NotFound, VersionMismatch
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.codec import (
    accepted_from_message,
    accepted_to_message,
    config_from_message,
    config_to_message,
    model_info_from_message,
    model_info_to_message,
)
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import AvatarConfig, Encoding, FrameSaving, ModelInfo, SessionAccepted, SessionConfig
from tests.support import TINY_LAYOUT

REQUIRED: dict[str, Any] = {"protocol_version": 1, "client_name": "game", "layout_id": "mediapipe.pose.33"}


def refused(**changes: Any) -> BridgeError:
    """The error that a config message with these fields ends in."""
    with pytest.raises(BridgeError) as caught:
        config_from_message(forecast_pb2.SessionConfig(**(REQUIRED | changes)))
    return caught.value


@st.composite
def configs(draw: st.DrawFn) -> SessionConfig:
    samples = draw(st.integers(2, 256))
    horizon_ms = draw(st.integers(1, 3000))
    savings = st.integers(34, min(1000, horizon_ms)).map(FrameSaving) if horizon_ms >= 34 else st.none()
    return SessionConfig(
        client_name=draw(st.text("aZ09_.:-", min_size=1, max_size=64)),
        layout_id=draw(st.sampled_from((MEDIAPIPE_POSE_33.id, TINY_LAYOUT.id))),
        forecast_rate_hz=draw(st.floats(0.125, 240.0, width=32)),
        horizon_ms=horizon_ms,
        samples=samples,
        futures=draw(st.integers(1, min(16, samples))),
        encoding=draw(st.sampled_from(Encoding)),
        deadline_ms=draw(st.integers(1, 60_000)),
        seed=draw(st.integers(0, 2**64 - 1)),
        visibility_threshold=draw(st.floats(0.0, 1.0, width=32)),
        frame_saving=draw(st.none() | savings),
    )


@given(configs())
def test_a_config_survives_the_wire(config: SessionConfig) -> None:
    data = config_to_message(config).SerializeToString()
    assert config_from_message(forecast_pb2.SessionConfig.FromString(data)) == config


def test_absent_fields_take_the_documented_defaults() -> None:
    config = config_from_message(forecast_pb2.SessionConfig(**REQUIRED))
    assert config == SessionConfig(client_name="game")
    assert (config.forecast_rate_hz, config.horizon_ms, config.samples, config.futures) == (30.0, 1000, 32, 5)
    assert (config.encoding, config.deadline_ms, config.seed) == (Encoding.FLOAT16, 1000, 0)
    assert config.visibility_threshold == 0.1


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("horizon_ms", 0),
        ("horizon_ms", 3001),
        ("horizon_ms", 2**32 - 1),
        ("samples", 0),
        ("samples", 1),
        ("samples", 257),
        ("futures", 0),
        ("futures", 17),
        ("deadline_ms", 0),
        ("deadline_ms", 60_001),
        ("forecast_rate_hz", 0.0),
        ("forecast_rate_hz", -1.0),
        ("forecast_rate_hz", 240.5),
        ("forecast_rate_hz", np.nan),
        ("forecast_rate_hz", np.inf),
        ("visibility_threshold", -0.1),
        ("visibility_threshold", 1.5),
        ("visibility_threshold", np.nan),
        ("client_name", ""),
        ("client_name", "x" * 65),
        ("client_name", "my game"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name_with_the_range(field: str, bad: Any) -> None:
    error = refused(**{field: bad})
    assert type(error) is InvalidInput
    assert error.field == f"config.{field}"
    assert error.expected


def test_more_futures_than_samples_are_refused_with_both_numbers() -> None:
    error = refused(samples=4, futures=5)
    assert error.field == "config.futures"
    assert "5 futures from 4 samples" in error.problem


def test_default_futures_do_not_excuse_too_few_samples() -> None:
    assert refused(samples=3).field == "config.futures"


def test_frame_saving_is_off_unless_given_and_then_has_its_default() -> None:
    assert SessionConfig().frame_saving is None
    config = config_from_message(forecast_pb2.SessionConfig(**REQUIRED, frame_saving=forecast_pb2.FrameSaving()))
    assert config.frame_saving == FrameSaving(max_silence_ms=500)


@pytest.mark.parametrize("bad", [0, 33, 1001, 2**32 - 1])
def test_a_silence_out_of_range_is_refused_by_name(bad: int) -> None:
    error = refused(frame_saving=forecast_pb2.FrameSaving(max_silence_ms=bad))
    assert type(error) is InvalidInput
    assert error.field == "config.frame_saving.max_silence_ms"
    assert error.expected == "a whole number, 34 to 1000"


def test_a_silence_longer_than_the_forecast_that_fills_it_is_refused_with_both_numbers() -> None:
    error = refused(horizon_ms=400, frame_saving=forecast_pb2.FrameSaving(max_silence_ms=401))
    assert error.field == "config.frame_saving.max_silence_ms"
    assert "401" in error.problem and "400" in error.problem
    shortened = AvatarConfig("a", horizon_ms=400)
    with pytest.raises(InvalidInput) as caught:
        shortened.within(SessionConfig(frame_saving=FrameSaving(500)))
    assert caught.value.field == "avatar_config.horizon_ms"


@pytest.mark.parametrize("version", [0, 2, 4_000_000_000])
def test_another_protocol_version_is_refused_naming_both(version: int) -> None:
    error = refused(protocol_version=version)
    assert type(error) is VersionMismatch
    assert f"client speaks protocol version {version or 'none'}, this server speaks 1" in error.problem


def test_the_version_is_looked_at_before_fields_that_another_version_may_mean_differently() -> None:
    assert type(refused(protocol_version=2, client_name="", encoding=9, horizon_ms=0)) is VersionMismatch


@pytest.mark.parametrize("layout_id", ["", "mediapipe.hand.21", "x" * 3000])
def test_an_unknown_layout_is_refused_with_those_that_are_known(layout_id: str) -> None:
    error = refused(layout_id=layout_id)
    assert type(error) is NotFound
    assert error.field == "config.layout_id"
    assert "mediapipe.pose.33" in error.expected


def test_an_unknown_encoding_is_refused() -> None:
    assert refused(encoding=9).field == "config.encoding"


@pytest.mark.parametrize(
    ("field", "bad"),
    [("samples", 3.5), ("samples", "32"), ("horizon_ms", True), ("encoding", "float64"), ("forecast_rate_hz", None)],
)
def test_a_callers_value_of_the_wrong_type_is_refused_by_name(field: str, bad: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        dataclasses.replace(SessionConfig(), **{field: bad}).validated()
    assert caught.value.field == f"config.{field}"


def test_numpy_numbers_and_encoding_names_become_plain() -> None:
    given: dict[str, Any] = {"samples": np.int64(8), "encoding": "float32"}
    config = SessionConfig(**given).validated()
    assert type(config.samples) is int
    assert config.encoding is Encoding.FLOAT32


@pytest.mark.parametrize(
    ("horizon_ms", "rate_hz", "steps"),
    [(1, 30.0, 1), (33, 30.0, 1), (34, 30.0, 2), (100, 30.0, 3), (1000, 30.0, 30), (3000, 30.0, 90), (1000, 24.0, 24)],
)
def test_a_horizon_is_rounded_up_to_whole_steps(horizon_ms: int, rate_hz: float, steps: int) -> None:
    assert SessionConfig(horizon_ms=horizon_ms).horizon_steps(rate_hz) == steps


def test_a_horizon_of_more_steps_than_a_forecast_may_have_is_refused() -> None:
    config = SessionConfig(horizon_ms=3000)
    config.require_reply_fits(joints=33, rate_hz=30.0)
    with pytest.raises(InvalidInput, match="180 steps") as caught:
        config.require_reply_fits(joints=33, rate_hz=60.0)
    assert caught.value.field == "config.horizon_ms"


def test_futures_that_no_message_can_hold_are_refused_before_they_are_drawn() -> None:
    config = SessionConfig(horizon_ms=3000, samples=32, futures=16, encoding=Encoding.FLOAT32)
    with pytest.raises(InvalidInput, match="float32") as caught:
        config.require_reply_fits(joints=600, rate_hz=30.0)
    assert caught.value.field == "config.futures"
    dataclasses.replace(config, futures=2).require_reply_fits(joints=600, rate_hz=30.0)


ACCEPTED = SessionAccepted(
    config=SessionConfig(client_name="game", visibility_threshold=0.5),
    server_version="0.1.0",
    session_id="s-1",
    context_frames=30,
    rate_hz=30.0,
)


def test_acceptance_survives_the_wire() -> None:
    assert accepted_from_message(accepted_to_message(ACCEPTED)) == ACCEPTED


def test_a_client_refuses_a_server_of_another_version_naming_both() -> None:
    message = accepted_to_message(dataclasses.replace(ACCEPTED, protocol_version=3))
    with pytest.raises(VersionMismatch, match="server speaks protocol version 3, this client speaks 1"):
        accepted_from_message(message)


INFO = ModelInfo(
    server_version="0.1.0",
    layout_id=TINY_LAYOUT.id,
    landmark_names=TINY_LAYOUT.names,
    bones=TINY_LAYOUT.bones,
    context_frames=30,
    rate_hz=30.0,
    max_horizon_ms=3000,
    max_samples=256,
    max_futures=16,
    refinement="pcn(steps=1, step_size=0.2)",
    weights_id="0" * 64,
    device="cpu",
)


def test_model_info_survives_the_wire() -> None:
    assert model_info_from_message(model_info_to_message(INFO)) == INFO


@pytest.mark.parametrize("bones", [[0], [0, 7], [0, 1, 2]])
def test_bones_that_are_no_pairs_of_landmarks_are_refused(bones: list[int]) -> None:
    message = model_info_to_message(INFO)
    message.bones[:] = bones
    with pytest.raises(MalformedMessage):
        model_info_from_message(message)
