from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Settings, effective_settings, load_settings, settings_of_file
from bridge.errors import InvalidInput


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.startswith("POSE_BRIDGE_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pose-bridge.toml"


def test_defaults_listen_on_the_loopback_only() -> None:
    settings = load_settings()
    assert settings.grpc == "127.0.0.1:50551"
    assert settings.zmq == "tcp://127.0.0.1:50552"
    assert settings.ops == "127.0.0.1:50553"
    assert settings.zmq_watch == ""
    assert not settings.insecure


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
        {"ops": "", "zmq_watch": "tcp://127.0.0.1:*"},
        {"engine": "null", "engine_placement": "process"},
        {"max_wait_ms": 0.0, "max_batch_ms": 0.5},
        {"tls_cert": Path("a.pem"), "tls_key": Path("b.pem"), "tls_client_ca": Path("c.pem")},
        {"curve_secret_key": Path("server.key"), "curve_allow": Path("clients")},
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
        ("ops", "50553"),
        ("ops", "http://127.0.0.1:50553"),
        ("zmq_watch", "127.0.0.1:1"),
        ("engine", "remote"),
        ("engine_placement", "moon"),
        ("max_avatars", 0),
        ("avatar_idle_timeout_s", float("nan")),
        ("session_idle_timeout_s", float("inf")),
        ("max_batch_ms", 0.0),
        ("max_wait_ms", -1.0),
        ("max_pending", 0),
        ("insecure", "perhaps"),
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
    with pytest.raises(InvalidInput, match="environment POSE_BRIDGE_THREADS") as caught:
        load_settings()
    assert caught.value.field == "settings.threads"


def test_a_misspelt_variable_is_an_error_not_a_silent_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_GPRC", "127.0.0.1:1")
    with pytest.raises(InvalidInput, match="POSE_BRIDGE_GPRC") as caught:
        load_settings()
    assert "grpc" in caught.value.expected


def test_variables_of_the_test_run_and_of_capture_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_MODEL", "lite")
    monkeypatch.setenv("POSE_BRIDGE_STRICT", "1")
    monkeypatch.setenv("POSE_BRIDGE_SHARED", "/data")
    assert load_settings() == load_settings()


def test_a_server_without_any_front_is_refused() -> None:
    with pytest.raises(InvalidInput, match="both empty"):
        load_settings(grpc="", zmq="")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"tls_cert": "a.pem"}, "tls_key"),
        ({"tls_key": "a.pem"}, "tls_cert"),
        ({"tls_client_ca": "a.pem"}, "tls_cert"),
        ({"curve_allow": "clients"}, "curve_secret_key"),
    ],
)
def test_settings_that_make_sense_only_together_come_together(given: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        load_settings(**given)


def test_an_empty_path_stands_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_WEIGHTS", "/somewhere/x.safetensors")
    monkeypatch.setenv("POSE_BRIDGE_LOG_FILE", "")
    settings = load_settings(weights="")
    assert settings.weights is None
    assert settings.log_file is None


def test_each_source_beats_the_one_below_and_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("max_sessions = 1\nmax_avatars = 1\nmax_pending = 1\n", encoding="utf-8")
    monkeypatch.setenv("POSE_BRIDGE_MAX_AVATARS", "2")
    monkeypatch.setenv("POSE_BRIDGE_MAX_PENDING", "2")
    effective = effective_settings(file, max_pending=3, grace_ms=None)
    settings = effective.settings
    assert (settings.max_sessions, settings.max_avatars, settings.max_pending) == (1, 2, 3)
    assert effective.sources["max_sessions"] == f"file {file}"
    assert effective.sources["max_avatars"] == "environment POSE_BRIDGE_MAX_AVATARS"
    assert effective.sources["max_pending"] == "flag"
    assert effective.sources["grace_ms"] == "default"
    assert set(effective.sources) == set(Settings.model_fields)
    assert effective.config == file


def test_settings_built_by_hand_are_what_is_given_whatever_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_BRIDGE_MAX_SESSIONS", "2")
    assert Settings().max_sessions == 64


def test_the_environment_may_name_the_file_and_a_flag_another(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("threads = 2\n", encoding="utf-8")
    monkeypatch.setenv("POSE_BRIDGE_CONFIG", str(file))
    assert load_settings().threads == 2
    other = tmp_path / "other.toml"
    other.write_text("threads = 5\n", encoding="utf-8")
    assert load_settings(other).threads == 5
    monkeypatch.setenv("POSE_BRIDGE_CONFIG", "")
    assert effective_settings().config is None


def test_paths_in_a_file_are_relative_to_it_others_to_where_we_are(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('weights = "my.safetensors"\nlog_file = "/var/log/x"\ntokens = ""\n', encoding="utf-8")
    monkeypatch.setenv("POSE_BRIDGE_CURVE_SECRET_KEY", "server.key")
    settings = load_settings(file)
    assert settings.weights == tmp_path / "my.safetensors"
    assert settings.log_file == Path("/var/log/x")
    assert settings.tokens is None
    assert settings.curve_secret_key == Path("server.key")


@pytest.mark.parametrize(
    ("written", "key", "nearest"),
    [
        ("max_session = 3", "max_session", "max_sessions"),
        ("max-sessions = 3", "max-sessions", "max_sessions"),
        ("GRPC = 'x'", "GRPC", "grpc"),
        ("[grpc_front]\nport = 1", "grpc_front", "grpc"),
        ("config = 'other.toml'", "config", "one of: "),
    ],
)
def test_an_unknown_key_in_a_file_is_named_with_the_nearest_known_one(
    file: Path, written: str, key: str, nearest: str
) -> None:
    file.write_text(written, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_settings(file)
    assert caught.value.field == f"{file}: {key}"
    assert nearest in caught.value.expected


@pytest.mark.parametrize("written", ["threads = 'many'", "threads = []", "weights = 3", "[grpc]\nport = 1", "grpc = 1"])
def test_a_wrong_value_in_a_file_names_the_file(file: Path, written: str) -> None:
    file.write_text(written, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_settings(file)
    assert caught.value.field.startswith("settings.")
    assert f"from file {file}" in caught.value.problem


@pytest.mark.parametrize("content", [b"threads 2", b"threads = 2\nthreads = 3", b"\xff\xfe", b"a" * 10 + b"\x00"])
def test_what_is_not_toml_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="not TOML") as caught:
        load_settings(file)
    assert caught.value.field == "config"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        with pytest.raises(InvalidInput, match="cannot read") as caught:
            load_settings(path)
        assert str(path) in caught.value.problem


def test_a_file_is_checked_without_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("threads = 2\n", encoding="utf-8")
    monkeypatch.setenv("POSE_BRIDGE_THREADS", "many")
    monkeypatch.setenv("POSE_BRIDGE_GPRC", "x")
    effective = settings_of_file(file)
    assert effective.settings.threads == 2
    assert effective.sources["threads"] == f"file {file}"


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())
