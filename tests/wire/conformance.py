"""Messages from a server, and what clients must read in them: ``python -m tests.wire.conformance`` writes them down.

In proto/testdata each ``NAME.bin`` is a ServerEnvelope; ``NAME.json`` says what is in it, in terms of ``posebridge.h``.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from google.protobuf.message import Message

from bridge.wire.generated.posebridge.v1 import anomaly_pb2, envelope_pb2, forecast_pb2, pose_pb2
from tests.support import REPOSITORY

FOLDER = REPOSITORY / "proto" / "testdata"
FUTURES, STEPS, LANDMARKS = 2, 3, 33


def _stream(**payload: Message) -> envelope_pb2.ServerEnvelope:
    return envelope_pb2.ServerEnvelope(stream=forecast_pb2.StreamForecastsResponse(**payload))  # type: ignore[arg-type]


def _tensor(values: np.ndarray[Any, Any], half: bool) -> pose_pb2.Tensor:
    dtype = pose_pb2.DATA_TYPE_FLOAT16 if half else pose_pb2.DATA_TYPE_FLOAT32
    return pose_pb2.Tensor(dtype=dtype, shape=values.shape, data=values.astype("<f2" if half else "<f4").tobytes())


def _forecast(*, half: bool, roots: bool) -> tuple[envelope_pb2.ServerEnvelope, dict[str, Any]]:
    rng = np.random.default_rng(7)
    futures = rng.normal(0.0, 0.4, (FUTURES, STEPS, LANDMARKS, 3)).astype(np.float16).astype(np.float32)
    # Numbers that are hard for a conversion: the smallest, the largest, subnormal ones, minus zero.
    futures[0, 0, 0] = 6e-8, -6.1e-5, 65504.0
    futures[0, 0, 1] = -0.0, 1.0, -2.0
    futures = futures.astype(np.float16).astype(np.float32)
    spread = np.abs(rng.normal(0.0, 0.05, (STEPS, LANDMARKS))).astype(np.float16).astype(np.float32)
    root = rng.normal(0.0, 3.0, (FUTURES, STEPS, 3)).astype(np.float32)
    probabilities = np.array([0.625, 0.375], np.float32)
    forecast = forecast_pb2.PoseForecast(
        avatar_id="p1",
        based_on_sequence=2**40 + 5,
        based_on_timestamp_us=2**61 + 1,
        step_us=33_333,
        futures=_tensor(futures, half),
        probabilities=probabilities.tolist(),
        spread=_tensor(spread, half),
        mode_ids=[7, 300],
        unobserved_landmarks=[1, 2],
        bridged_share=0.25,
        samples=32,
        acceptance_rate=0.5,
        timing=forecast_pb2.Timing(queue_us=1, compute_us=2, age_us=12_345, batch_size=4),
        degraded=True,
        forecast_rate_hz=15.0,
        anomaly=anomaly_pb2.Verdict(sequence=4, timestamp_us=5, p_value=0.0625, evidence=0.5),
    )
    if roots:
        forecast.roots.CopyFrom(_tensor(root, False))
    expected = {
        "avatar_id": "p1",
        "based_on_sequence": 2**40 + 5,
        "based_on_timestamp_us": 2**61 + 1,
        "step_us": 33_333,
        "shape": [FUTURES, STEPS, LANDMARKS],
        "positions": futures.ravel().tolist(),
        "roots": root.ravel().tolist() if roots else None,
        "spread": spread.ravel().tolist(),
        "probabilities": probabilities.tolist(),
        "mode_ids": [7, 300],
        "age_us": 12_345,
        "degraded": True,
        "p_value": 0.0625,
        "evidence": 0.5,
    }
    return _stream(forecast=forecast), {"forecast": expected}


def _accepted() -> tuple[envelope_pb2.ServerEnvelope, dict[str, Any]]:
    config = forecast_pb2.SessionConfig(
        protocol_version=1,
        client_name="game",
        layout_id="mediapipe.pose.33",
        forecast_rate_hz=30.0,
        horizon_ms=1000,
        samples=32,
        futures=5,
        anomaly=forecast_pb2.AnomalyConfig(enabled=True, false_alarms_per_hour=1.0),
    )
    accepted = forecast_pb2.SessionAccepted(
        config=config,
        protocol_version=1,
        server_version="0.1.0",
        session_id="s-0123456789abcdef",
        context_frames=31,
        rate_hz=30.0,
    )
    expected = {
        "protocol_version": 1,
        "server_version": "0.1.0",
        "session_id": "s-0123456789abcdef",
        "context_frames": 31,
        "rate_hz": 30.0,
        "horizon_ms": 1000,
        "samples": 32,
        "futures": 5,
        "forecast_rate_hz": 30.0,
        "false_alarms_per_hour": 1.0,
    }
    return _stream(accepted=accepted), {"accepted": expected}


def _alert() -> tuple[envelope_pb2.ServerEnvelope, dict[str, Any]]:
    joints = [
        anomaly_pb2.JointContribution(landmark=index, name=f"landmark {index}", share=0.125) for index in (15, 13, 11)
    ]
    alert = anomaly_pb2.Alert(
        id="01a2226469a6cea2ba791f059440",
        revision=2,
        cursor=17,
        state=anomaly_pb2.ALERT_STATE_CLEARED,
        client_name="game",
        avatar_id="p1",
        session_id="s-1",
        started_us=1_000_000,
        raised_us=1_200_000,
        ended_us=2_500_000,
        p_value=0.001953125,
        score=120.5,
        threshold=92.75,
        false_alarms_per_hour=1.0,
        severity=anomaly_pb2.ALERT_SEVERITY_HIGH,
        joints=joints,
        note="seen",
    )
    expected = {
        "id": alert.id,
        "revision": 2,
        "cursor": 17,
        "state": 3,
        "avatar_id": "p1",
        "started_us": 1_000_000,
        "raised_us": 1_200_000,
        "ended_us": 2_500_000,
        "p_value": 0.001953125,
        "score": 120.5,
        "threshold": 92.75,
        "severity": 3,
        "joints": [[index, f"landmark {index}", 0.125] for index in (15, 13, 11)],
    }
    return _stream(alert=alert), {"alert": expected}


def _errors() -> dict[str, tuple[envelope_pb2.ServerEnvelope, dict[str, Any]]]:
    detail = forecast_pb2.ErrorDetail(
        code=forecast_pb2.ERROR_CODE_INVALID_ARGUMENT,
        field="frame.landmarks",
        problem="131 numbers",
        expected="132 numbers: x, y, z, visibility of 33 landmarks",
    )
    told = {"code": 1, "field": detail.field, "problem": detail.problem, "expected": detail.expected}
    long = forecast_pb2.ErrorDetail(code=forecast_pb2.ERROR_CODE_INTERNAL, problem="x" * 1000)
    cut = {"code": 8, "field": "", "problem": "x" * 255, "expected": ""}
    ended = envelope_pb2.ServerEnvelope(request_id=3, error=envelope_pb2.CallError(error=detail, session_ended=True))
    return {
        "frame_error": (
            _stream(frame_error=forecast_pb2.FrameError(avatar_id="p1", sequence=4, error=detail)),
            {"frame_error": told},
        ),
        "frame_error_long": (
            _stream(frame_error=forecast_pb2.FrameError(avatar_id="p1", sequence=4, error=long)),
            {"frame_error": cut},
        ),
        "call_error": (ended, {"call_error": {**told, "session_ended": True}}),
    }


def vectors() -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Every message by its name: bytes, and what is in them."""
    pong = forecast_pb2.ClockPong(client_time_us=5, server_received_us=2**50, server_sent_us=2**50 + 3)
    messages = {
        "accepted": _accepted(),
        "forecast_float16": _forecast(half=True, roots=False),
        "forecast_float32_roots": _forecast(half=False, roots=True),
        "alert": _alert(),
        "draining": (_stream(draining=forecast_pb2.Draining(grace_ms=2000)), {"draining": True}),
        "clock_pong": (_stream(clock_pong=pong), {"clock_pong": [5, 2**50, 2**50 + 3]}),
        "heartbeat": (envelope_pb2.ServerEnvelope(heartbeat=envelope_pb2.Heartbeat()), {}),
        **_errors(),
    }
    made = {
        name: (message.SerializeToString(deterministic=True), expected)
        for name, (message, expected) in messages.items()
    }
    # What a server of a later version may add: unknown fields of every wire type on every level, an unknown payload.
    unknown = (
        bytes.fromhex("c83e2a")
        + bytes.fromhex("d13e0102030405060708")
        + bytes.fromhex("da3e0568656c6c6f")
        + bytes.fromhex("dd3e01020304")
    )
    data, expected = made["clock_pong"]
    inner = data[2:]  # the stream message, after its tag and its length of one byte
    pong_inner = inner[2:]
    grown_pong = inner[:1] + bytes([len(pong_inner) + len(unknown)]) + pong_inner + unknown
    grown = data[:1] + bytes([len(grown_pong) + len(unknown)]) + grown_pong + unknown
    made["newer_server"] = (grown + unknown, expected)
    made["newer_payload"] = (b"\x12" + bytes([len(unknown)]) + unknown, {})
    return made


def main() -> None:
    """Write the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (data, expected) in vectors().items():
        (FOLDER / f"{name}.bin").write_bytes(data)
        (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
