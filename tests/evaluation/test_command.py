from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from bridge.cli.app import app
from bridge.errors import NotFound
from bridge.recordings import save_recording
from tests.support import TINY_LAYOUT, shared_dir, skip_allowed, tiny_weights

METHODS = {"last_pose", "damped_velocity", "gru_mean", "gru_nf", "gru_nf_noise", "gru_snf"}
SCORES = {"ade", "fde", "apd", "spread_over_error", "energy_score", "mpjpe_mm", "best_of_20_mpjpe_mm"}


def test_recordings_of_another_layout_are_scored_with_their_own_weights(tmp_path: Path) -> None:
    _record(tmp_path, ["ann", "bob"])
    result = _run(tmp_path, tmp_path, "--json", "--samples", "4")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["split"] is None
    assert report["windows"] == 2 * 6
    assert report["samples"] == 4
    assert set(report["methods"]) >= METHODS
    for scores in report["methods"].values():
        assert set(scores) >= SCORES
        assert set(scores["mpjpe_mm"]) == {"100", "333", "667", "1000"}
    assert set(report["paired_energy_score_vs_gru_snf"]) == set(report["methods"]) - {"gru_snf"}
    assert "gru_snf" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_without_json_stdout_stays_empty(tmp_path: Path) -> None:
    _record(tmp_path, ["ann"])
    result = _run(tmp_path, tmp_path / "ann.npz", "--limit", "2", "--samples", "2", "--horizon-ms", "400")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "damped_velocity" in result.stderr


def test_the_refinement_can_be_chosen_and_none_is_gru_nf(tmp_path: Path) -> None:
    _record(tmp_path, ["ann"])
    result = _run(tmp_path, tmp_path, "--json", "--limit", "3", "--samples", "4", "--refinement", "none")
    report = json.loads(result.stdout)
    refined, plain = report["methods"]["gru_snf"], report["methods"]["gru_nf"]
    for scores in (refined, plain):
        scores.pop("ms_per_batch")
    assert refined == plain
    assert report["refinement"].startswith("none")


def test_data_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    result = _run(tmp_path, tmp_path / "nowhere")
    assert result.exit_code != 0
    assert isinstance(result.exception, NotFound)


def test_the_validation_split_of_the_motion_data_is_scored(tmp_path: Path) -> None:
    shared = shared_dir()
    if shared is None:
        skip_allowed("the motion data lies beside the checkout only where it was put")
    arguments = ["--data", str(shared / "motion"), "--split", "validation", "--limit", "24", "--samples", "4", "--json"]
    result = CliRunner().invoke(app, ["evaluate", *arguments, "--weights", str(tiny_weights(tmp_path))])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["windows"] == 24
    assert report["split"] == "validation"
    assert report["methods"]["damped_velocity"]["mpjpe_mm"]["100"] < report["methods"]["last_pose"]["mpjpe_mm"]["100"]


def _run(folder: Path, data: Path, *options: str) -> Result:
    (folder / "weights").mkdir(exist_ok=True)
    weights = tiny_weights(folder / "weights", TINY_LAYOUT)
    arguments = ["evaluate", "--data", str(data), "--weights", str(weights), "--device", "cpu", *options]
    return CliRunner().invoke(app, arguments)


def _record(folder: Path, subjects: list[str]) -> None:
    """Four seconds of each subject, waving."""
    time_s = np.arange(120) / 30
    for phase, subject in enumerate(subjects):
        pose_m = np.repeat(TINY_LAYOUT.template[None] * 0.4, len(time_s), axis=0)
        pose_m[:, 0, 0] += 0.1 * np.sin(4 * time_s + phase)
        pose_m[:, 5, 2] += 0.2 * np.sin(2 * time_s + phase)
        save_recording(
            folder / f"{subject}.npz",
            pose_m=pose_m,
            visibility=np.ones(pose_m.shape[:2]),
            timestamp_us=np.rint(time_s * 1e6).astype(np.int64),
            fps=30.0,
            layout_id=TINY_LAYOUT.id,
            subject=subject,
        )
