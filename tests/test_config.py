from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bridge.config import load_settings
from bridge.errors import InvalidInput


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.startswith("POSE_BRIDGE_"):
            monkeypatch.delenv(variable)


def test_defaults_listen_on_the_loopback_only() -> None:
    settings = load_settings()
    assert settings.grpc == "127.0.0.1:50551"
    assert settings.zmq == "tcp://127.0.0.1:50552"


def test_the_command_line_beats_the_environment_which_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_THREADS", "3")
    monkeypatch.setenv("POSE_BRIDGE_WEIGHTS", "/somewhere/x.safetensors")
    settings = load_settings(threads=2, weights=None)
    assert settings.threads == 2
    assert settings.weights == Path("/somewhere/x.safetensors")
    assert settings.max_batch_windows == 64


@pytest.mark.parametrize(
    "given",
    [
        {"grpc": "[::1]:0", "zmq": ""},
        {"grpc": "", "zmq": "ipc:///tmp/pose.sock"},
        {"grpc": "game-server.local:65535", "zmq": "tcp://*:*"},
        {"zmq": "tcp://127.0.0.1:0"},
        {"device": "cuda:1"},
        {"grace_ms": 0},
    ],
)
def test_sound_values_are_taken(given: dict[str, Any]) -> None:
    settings = load_settings(**given)
    assert {name: getattr(settings, name) for name in given} == given


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("grpc", "50551"),
        ("grpc", "localhost"),
        ("grpc", "localhost:65536"),
        ("grpc", "http://localhost:1"),
        ("zmq", "127.0.0.1:50552"),
        ("zmq", "tcp://127.0.0.1"),
        ("zmq", "tcp://127.0.0.1:65536"),
        ("zmq", "ipc://"),
        ("device", "tpu"),
        ("threads", 0),
        ("max_sessions", 0),
        ("session_idle_timeout_s", 0.0),
        ("max_batch_windows", -1),
        ("grace_ms", -1),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("listen", "127.0.0.1:1"),
    ],
)
def test_a_wrong_value_or_name_is_one_clear_error(field: str, bad: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(**{field: bad})
    assert caught.value.field == f"settings.{field}"
    assert caught.value.expected
    assert "\n" not in str(caught.value)


def test_a_wrong_value_in_the_environment_is_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_THREADS", "many")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert caught.value.field == "settings.threads"


def test_a_misspelt_variable_is_an_error_not_a_silent_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_GPRC", "127.0.0.1:1")
    with pytest.raises(InvalidInput, match="POSE_BRIDGE_GPRC") as caught:
        load_settings()
    assert "grpc" in caught.value.expected


def test_variables_of_the_test_run_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_STRICT", "1")
    monkeypatch.setenv("POSE_BRIDGE_SHARED", "/data")
    assert load_settings() == load_settings()


def test_a_server_without_any_front_is_refused() -> None:
    with pytest.raises(InvalidInput, match="both empty"):
        load_settings(grpc="", zmq="")
