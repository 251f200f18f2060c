"""proto/testdata is what the code gives, and Python reads in it what it says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bridge.wire.codec import accepted_from_message, alert_from_message, forecast_from_message
from bridge.wire.generated.posebridge.v1 import envelope_pb2
from tests.wire.conformance import FOLDER, vectors


@pytest.mark.parametrize("name", sorted(vectors()))
def test_the_files_are_current(name: str) -> None:
    data, expected = vectors()[name]
    assert (FOLDER / f"{name}.bin").read_bytes() == data
    assert json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) == expected


def test_there_are_no_others() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(vectors())


def read(name: str) -> tuple[envelope_pb2.ServerEnvelope, dict[str, Any]]:
    data = (FOLDER / f"{name}.bin").read_bytes()
    return envelope_pb2.ServerEnvelope.FromString(data), json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", ["forecast_float16", "forecast_float32_roots"])
def test_forecasts_are_read(name: str) -> None:
    envelope, expected = read(name)
    forecast, told = forecast_from_message(envelope.stream.forecast), expected["forecast"]
    np.testing.assert_array_equal(np.ravel(forecast.futures_m), np.asarray(told["positions"], np.float32))
    np.testing.assert_array_equal(np.ravel(forecast.spread_m), np.asarray(told["spread"], np.float32))
    assert (forecast.roots_m is None) == (told["roots"] is None)
    if forecast.roots_m is not None:
        np.testing.assert_array_equal(np.ravel(forecast.roots_m), np.asarray(told["roots"], np.float32))
    assert forecast.based_on_timestamp_us == told["based_on_timestamp_us"]
    assert forecast.degraded is True
    assert forecast.anomaly is not None
    assert forecast.anomaly.p_value == told["p_value"]


def test_session_and_alert_are_read() -> None:
    envelope, expected = read("accepted")
    assert accepted_from_message(envelope.stream.accepted).session_id == expected["accepted"]["session_id"]
    envelope, expected = read("alert")
    alert = alert_from_message(envelope.stream.alert)
    assert (alert.id, alert.revision, alert.ended_us) == (
        expected["alert"]["id"],
        expected["alert"]["revision"],
        expected["alert"]["ended_us"],
    )


@pytest.mark.parametrize("name", ["newer_server", "newer_payload"])
def test_what_a_newer_server_adds_is_passed_over(name: str) -> None:
    envelope, expected = read(name)
    assert (envelope.stream.WhichOneof("payload") or "") == next(iter(expected), "")
