"""The commands about alerts, run as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.cli.watch_view import WatchView, bar_of
from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.recordings import load_clips
from bridge.wire.alerts import NoVerdict, Verdict
from tests.cli.helpers import make_recording, run
from tests.engine.doubles import HoldingEngine
from tests.service.alert_desk import HandDesk, alert
from tests.service_fixtures import RunningServer, wait_until
from tests.support import REPOSITORY


def said(*arguments: object) -> dict[str, Any]:
    """Run a command in this process, where torch is loaded once; the JSON on the last line of its stdout."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


class Scene:
    def __init__(self, folder: Path) -> None:
        self.desk = HandDesk.open(folder)
        self.server = RunningServer(
            Settings(ops="", grpc="127.0.0.1:0", zmq=""), engine=HoldingEngine(), desk=self.desk
        )
        self.address = self.server.endpoints.grpc


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.server.stop(grace_ms=0)


def test_alerts_are_listed_shown_and_acknowledged(scene: Scene, tmp_path: Path) -> None:
    for number in range(2):
        scene.desk.raise_alert(number)
    listed = said("alerts", "list", "--server", scene.address, "--json")
    assert [a["id"] for a in listed["alerts"]] == [alert(1).id, alert(0).id]
    acknowledged = said("alerts", "ack", alert(0).id, "--server", scene.address, "--by", "Ada", "--json")
    assert acknowledged["alert"]["acknowledged_by"] == "Ada"
    shown = said("alerts", "show", alert(0).id, "--server", scene.address, "--json")
    assert shown["alert"]["state"] == "acknowledged"
    assert shown["frames"] > 0
    missing = run("alerts", "show", "nothing", "--server", scene.address)
    assert missing.returncode == 1
    assert "nothing" in missing.stderr


def test_watch_says_every_alert_and_verdict_as_a_line(scene: Scene) -> None:
    scene.desk.raise_alert(1)
    command = [
        sys.executable,
        "-m",
        "bridge.cli",
        "watch",
        "--server",
        scene.address,
        "--json",
        "--after",
        "0",
        "--seconds",
        "60",
    ]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        assert first["alert"]["id"] == alert(1).id
        wait_until(lambda: scene.desk.hand.watched)
        scene.desk.hand.tell("game", "p1", Verdict(3, 30, 0.125, None, 0.5))
        assert json.loads(watching.stdout.readline())["verdict"]["p_value"] == 0.125
        watching.terminate()


def test_watch_without_a_server_says_so_and_ends() -> None:
    done = run("watch", "--server", "127.0.0.1:1", "--seconds", "1")
    assert done.returncode == 1
    assert "pose-bridge: error" in done.stderr


def test_the_view_shows_avatars_and_alerts() -> None:
    view = WatchView()
    for number in range(60):
        view.add_verdict("game", "p1", Verdict(number, number, 10 ** (-number / 20), None, number / 60))
    view.add_verdict("game", "p2", Verdict(1, 1, None, NoVerdict.TOO_FEW_LANDMARKS))
    view.add_alert(alert(1))
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(view.render())
    text = console.export_text()
    assert "game/p1" in text
    assert "too few landmarks" in text
    assert "left" in text or "raised" in text
    assert "▁" in text or "▂" in text


def test_bars_rise_with_surprise() -> None:
    assert bar_of(None) == "·"
    bars = [bar_of(p) for p in (1.0, 0.3, 0.1, 0.03, 0.01, 0.001, 1e-9)]
    assert bars == sorted(bars)
    assert bars[-1] == "█"


def test_a_recording_is_scored_and_drawn(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "sway.npz", count=120, lost=(70,))
    document = said("score", recording, "--json", "--figure", tmp_path / "score.png", "--threads", 1)
    assert document["frames"] == len(document["p_values"]) == 120
    assert document["verdicts"] == sum(p is not None for p in document["p_values"]) > 40
    assert document["p_values"][0] is None
    assert isinstance(document["alerts"], list)
    assert (tmp_path / "score.png").stat().st_size > 5000


def test_bad_input_of_score_calibrate_and_evaluate_is_a_clear_error(tmp_path: Path) -> None:
    short = make_recording(tmp_path / "short.npz", count=60)
    lost = make_recording(tmp_path / "lost.npz", count=60, lost=tuple(range(60)))
    cases = [
        (("score", tmp_path / "none.npz"), "no such file"),
        (("score", short, "--calibration", short), "cannot be read"),
        (("score", short, "--figure", tmp_path / "x.txt"), "figure"),
        (("calibrate", short, "--out", tmp_path / "c.npz"), "at least 40"),
        (("calibrate", lost, "--out", tmp_path / "c.npz"), "no frame could be scored"),
        (("calibrate", short, "--out", tmp_path / "no" / "c.npz"), "folder"),
        (("evaluate", "--data", short, "--labels", short), "--anomaly"),
        (("evaluate", "--data", short, "--anomaly", "--labels", tmp_path / "none.csv"), "no such file"),
    ]
    for arguments, expected in cases:
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert isinstance(done.exception, BridgeError), arguments
        assert expected in str(done.exception), (arguments, str(done.exception))
    assert not (tmp_path / "c.npz").exists()
    assert load_clips(lost)[0].frames == 60


def test_a_recording_without_anybody_scores_as_nothing(tmp_path: Path) -> None:
    lost = make_recording(tmp_path / "lost.npz", count=60, lost=tuple(range(60)))
    document = said("score", lost, "--json", "--threads", 1)
    assert (document["frames"], document["verdicts"], document["alerts"]) == (60, 0, [])
