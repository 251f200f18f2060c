from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.cli.setting_options import PANELS
from bridge.config import Settings
from tests.cli.helpers import json_of, run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pose-bridge.toml"
    path.write_text('max_sessions = 7\nlog_format = "json"\nweights = "mine.safetensors"\n', encoding="utf-8")
    return path


def test_every_setting_stands_in_help_once() -> None:
    listed = [name for names in PANELS.values() for name in names]
    assert sorted(listed) == sorted(Settings.model_fields)


@pytest.mark.parametrize("command", [["serve"], ["config", "show"]])
def test_every_setting_is_an_option_of_serve_and_of_config_show(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"}).output
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')} " in shown
        if isinstance(field.default, int | str) and field.default and not isinstance(field.default, bool):
            assert f"[default: {field.default}]" in shown
    assert "--config " in shown
    for panel in PANELS:
        assert panel in shown


def test_show_prints_each_value_and_where_it_comes_from(file: Path) -> None:
    done = run("config", "show", "--config", file, "--max-avatars", 9, "--insecure", "--weights", "", "--json")
    shown = json_of(done)
    assert shown["config"] == str(file)
    settings = shown["settings"]
    assert set(settings) == set(Settings.model_fields)
    assert settings["max_sessions"] == {"value": 7, "source": f"file {file}"}
    assert settings["max_avatars"] == {"value": 9, "source": "flag"}
    assert settings["insecure"] == {"value": True, "source": "flag"}
    assert settings["weights"] == {"value": None, "source": "flag"}
    assert settings["grpc"] == {"value": "127.0.0.1:50551", "source": "default"}
    assert len(done.stdout.splitlines()) == 1
    for name in Settings.model_fields:
        assert f" {name} " in done.stderr
    assert "flag" in done.stderr


def test_without_json_nothing_goes_to_stdout(file: Path) -> None:
    done = run("config", "show", "--config", file)
    assert (done.returncode, done.stdout) == (0, "")
    assert "max_sessions" in done.stderr


def test_a_wrong_setting_is_one_clear_line(file: Path) -> None:
    file.write_text("max_session = 7\n", encoding="utf-8")
    for command in (("config", "show", "--config", file), ("config", "check", file), ("serve", "--config", file)):
        done = run(*command)
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert "max_session:" in line
        assert "max_sessions" in line


def test_check_says_what_a_file_sets(file: Path) -> None:
    done = run("config", "check", file)
    assert done.returncode == 0
    assert done.stderr.strip() == f"{file}: fine, sets weights, max_sessions, log_format"


def test_check_finds_what_does_not_fit_together(file: Path) -> None:
    file.write_text('tls_cert = "server.pem"\n', encoding="utf-8")
    done = run("config", "check", file)
    assert done.returncode == 1
    assert "tls_key" in done.stderr
