from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bridge.cli.app import app
from bridge.errors import InvalidInput, NotFound
from bridge.recordings import save_recording
from tests.support import TINY_LAYOUT, shared_dir, skip_allowed, tiny_weights

BRIEF = ("--no-robustness",)
DUMPED = ("gru_snf", "gru_nf", "gaussian_head", "gru_nf_tempered", "gru_nf_clamped", "gru_nf_noise", "gru_nf_shrunk")
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
        assert set(scores["mpjpe_mm"]) == {"100", "200", "333", "500", "667", "1000"}
    assert set(report["paired_energy_score_vs_gru_snf"]) == set(report["methods"]) - {"gru_snf"}
    assert set(report["left_out"]) >= {"nearest_neighbour"}
    assert set(report["robustness"]["conditions"]["clean"]["methods"]) == {"last_pose", "gru_nf", "gru_snf"}
    assert "gru_snf" in result.stderr
    assert "Without nearest_neighbour: " in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_without_json_stdout_stays_empty(tmp_path: Path) -> None:
    _record(tmp_path, ["ann"])
    few = ("--methods", "damped_velocity,gru_snf", *BRIEF)
    result = _run(tmp_path, tmp_path / "ann.npz", "--limit", "2", "--samples", "2", "--horizon-ms", "400", *few)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "damped_velocity" in result.stderr


def test_the_refinement_can_be_chosen_and_none_is_gru_nf(tmp_path: Path) -> None:
    _record(tmp_path, ["ann"])
    few = ("--methods", "gru_nf,gru_snf", *BRIEF)
    result = _run(tmp_path, tmp_path, "--json", "--limit", "3", "--samples", "4", "--refinement", "none", *few)
    report = json.loads(result.stdout)
    refined, plain = report["methods"]["gru_snf"], report["methods"]["gru_nf"]
    for scores in (refined, plain):
        scores.pop("ms_per_batch")
    assert refined == plain
    assert report["refinement"].startswith("none")


def test_methods_can_be_chosen_by_name_and_keep_the_order_of_the_table(tmp_path: Path) -> None:
    _record(tmp_path, ["ann"])
    result = _run(
        tmp_path, tmp_path, "--json", "--limit", "2", "--samples", "2", "--methods", "gru_snf, last_pose", *BRIEF
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report["methods"]) == ["last_pose", "gru_snf"]
    assert report["left_out"] == {}
    assert report["robustness"] is None


@pytest.mark.parametrize("names", ["gru_snf,walks_on_water", "nearest_neighbour", ","])
def test_a_method_that_is_not_there_is_refused(tmp_path: Path, names: str) -> None:
    _record(tmp_path, ["ann"])
    result = _run(tmp_path, tmp_path, "--limit", "2", "--methods", names, *BRIEF)
    assert result.exit_code != 0
    assert isinstance(result.exception, InvalidInput)
    assert result.exception.field == "methods"


def test_futures_and_a_picture_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    _record(tmp_path, ["ann", "bob"])
    picture, futures = tmp_path / "scores.png", tmp_path / "out" / "futures.npz"
    futures.parent.mkdir()
    options = ("--limit", "4", "--samples", "3", "--methods", ",".join(("last_pose", *DUMPED)), *BRIEF)
    files = ("--figure", str(picture), "--dump", str(futures))
    result = _run(tmp_path, tmp_path / "ann.npz", *options, *files)
    assert result.exit_code == 0, result.output
    assert picture.stat().st_size > 10_000
    with np.load(futures) as arrays:
        assert set(arrays) == {"clip_ids", "first_future_frame", "truth", *DUMPED}
        windows, *shape = arrays["truth"].shape
        for name in DUMPED:
            assert arrays[name].shape == (windows, 3, *shape)
        assert set(arrays["clip_ids"]) == {"ann"}


def test_a_picture_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    result = _run(tmp_path, tmp_path / "nowhere", "--figure", str(tmp_path / "scores.docx"))
    assert isinstance(result.exception, InvalidInput)
    assert result.exception.field == "figure"


def test_the_training_split_of_the_same_folder_is_the_library_of_nearest_neighbours(tmp_path: Path) -> None:
    _motion(tmp_path / "motion")
    data, options = tmp_path / "motion", ("--samples", "2", "--limit", "3", *BRIEF)
    few = ("--methods", "last_pose,nearest_neighbour")
    report = json.loads(_run(tmp_path, data, *options, *few, "--json", "--library-limit", "4").stdout)
    assert report["library_windows"] == 4
    assert list(report["methods"]) == ["last_pose", "nearest_neighbour"]
    on_itself = _run(tmp_path, data, *options, *few, "--split", "train")
    assert isinstance(on_itself.exception, InvalidInput)
    assert "training split" in str(on_itself.exception)


def test_data_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    result = _run(tmp_path, tmp_path / "nowhere")
    assert result.exit_code != 0
    assert isinstance(result.exception, NotFound)


def test_the_validation_split_of_the_motion_data_is_scored(tmp_path: Path) -> None:
    shared = shared_dir()
    if shared is None:
        skip_allowed("the motion data lies beside the checkout only where it was put")
    arguments = ["--data", str(shared / "motion"), "--split", "validation", "--limit", "24", "--samples", "4", "--json"]
    arguments += ["--methods", "last_pose,damped_velocity,gru_snf", *BRIEF]
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


def _motion(folder: Path) -> None:
    """A folder of motion with an index: one person to learn from, one to be scored on."""
    folder.mkdir()
    time_s = np.arange(90) / 30
    lines = ["clip,subject,split,action,frames,file,licence"]
    for phase, (subject, split) in enumerate({"ann": "train", "bob": "validation"}.items()):
        pose_m = np.repeat(TINY_LAYOUT.template[None] * 0.4, len(time_s), axis=0)
        pose_m[:, 0, 0] += 0.1 * np.sin(4 * time_s + phase)
        clip = f"{subject}_waves"
        np.savez(
            folder / f"{subject}.npz",
            pose=pose_m,
            fps=30.0,
            starts=np.array([0, len(time_s)]),
            clip_ids=np.array([clip]),
            layout=TINY_LAYOUT.id,
        )
        lines.append(f"{clip},{subject},{split},waving,{len(time_s)},{subject}.npz,CC0")
    (folder / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
