"""What a server's settings make of the anomaly side."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bridge.anomaly.calibration import BUNDLED_CALIBRATION, Calibration
from bridge.anomaly.desk import AnomalyDesk, open_desk
from bridge.config import Settings
from bridge.errors import CheckpointError, FailedPrecondition, InvalidInput, NotFound, Unavailable
from bridge.skeleton import get_layout
from bridge.telemetry import AnomalyTelemetry
from tests.anomaly.builders import calibration

BUNDLED = Calibration.load(BUNDLED_CALIBRATION).identity


def opened(folder: Path, *, weights_id: str = BUNDLED.weights_id, **changed: Any) -> AnomalyDesk | None:
    settings = Settings(**({"alert_log": folder / "alerts.sqlite3"} | changed))
    return open_desk(
        settings,
        layout=get_layout(BUNDLED.layout_id),
        rate_hz=BUNDLED.rate_hz,
        weights_id=weights_id,
        refinement=BUNDLED.refinement,
        telemetry=AnomalyTelemetry(),
    )


def test_with_the_bundled_weights_motion_is_watched(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    assert desk is not None
    desk.start()
    assert desk.hub.log.path == tmp_path / "alerts.sqlite3"
    desk.stop()


def test_a_desk_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    assert desk is not None
    desk.stop()


def test_nothing_is_opened_where_alerts_are_off(tmp_path: Path) -> None:
    assert opened(tmp_path, anomaly=False) is None
    assert opened(tmp_path, engine="null") is None
    assert list(tmp_path.iterdir()) == []


def test_other_weights_are_served_without_alerts_and_the_log_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert opened(tmp_path, weights_id="f" * 64) is None
    said = capsys.readouterr().out
    assert "alerts_off" in said
    assert "weights_id" in said


def test_a_named_calibration_of_other_weights_is_refused(tmp_path: Path) -> None:
    calibration().save(tmp_path / "other.npz")
    with pytest.raises(FailedPrecondition, match="weights_id"):
        opened(tmp_path, calibration=tmp_path / "other.npz")
    with pytest.raises(CheckpointError, match="no such file"):
        opened(tmp_path, calibration=tmp_path / "none.npz")


def test_a_wrong_webhooks_file_and_a_log_of_another_server_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        opened(tmp_path, webhooks=tmp_path / "none.toml")
    (tmp_path / "hooks.toml").write_text("[[webhooks]]\nname = 3\n")
    with pytest.raises(InvalidInput):
        opened(tmp_path, webhooks=tmp_path / "hooks.toml")
    desk = opened(tmp_path)
    assert desk is not None
    with pytest.raises(Unavailable, match="another server"):
        opened(tmp_path)
    desk.stop()


def test_what_a_calibration_belongs_to_is_said_in_full() -> None:
    assert set(asdict(BUNDLED)) >= {"weights_id", "refinement", "layout_id", "rate_hz", "samples", "scores"}
