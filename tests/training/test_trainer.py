"""The loop on a clock of its own, so that what is trained does not depend on how fast the machine is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.errors import CheckpointError, InvalidInput
from bridge.forecaster import Forecaster
from bridge.forecaster.checkpoint import load_checkpoint
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.training import EpochReport, Trainer, TrainingOptions, tune_refinement
from bridge.training.tuning import TRIES_EACH, families
from tests.support import TINY_LAYOUT, tiny_weights
from tests.training.builders import SMALL, motion_set

FAMILIES = families(guided=False)
TRIES = len(FAMILIES) * TRIES_EACH

OPTIONS = TrainingOptions(
    minutes=0.5,
    rollout_share=0.5,
    horizon_frames=6,
    batch_windows=16,
    rollout_windows=8,
    rollout_samples=3,
    validation_windows=8,
    validation_samples=3,
    seed=3,
)
TRAIN, VALIDATION = motion_set("anna", "ben"), motion_set("cleo")


class _Clock:
    """Half a second passes whenever somebody looks: every step of training takes half a second."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        self.now_s += 0.5
        return self.now_s


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.training.trainer.time", _Clock())


class _Stopped(Exception):
    pass


def _trainer(out: Path, options: TrainingOptions = OPTIONS) -> Trainer:
    return Trainer(TRAIN, VALIDATION, TINY_LAYOUT, out, options, architecture=SMALL)


def _run(trainer: Trainer, *, stop_after_epochs: int | None = None) -> list[EpochReport]:
    reports: list[EpochReport] = []

    def on_epoch(report: EpochReport) -> None:
        reports.append(report)
        if len(reports) == stop_after_epochs:
            raise _Stopped

    if stop_after_epochs is None:
        trainer.run(on_epoch, lambda elapsed_s, loss: None)
    else:
        with pytest.raises(_Stopped):
            trainer.run(on_epoch, lambda elapsed_s, loss: None)
    return reports


def test_training_runs_both_phases_for_its_time_and_leaves_weights_that_forecast(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    trainer = _trainer(out)
    steps: list[float] = []
    reports: list[EpochReport] = []
    trainer.run(reports.append, lambda elapsed_s, loss: steps.append(loss))
    assert 30.0 <= trainer.progress.elapsed_s <= 32.0
    assert len(steps) == trainer.progress.step == reports[-1].step
    assert [r.phase for r in reports] == sorted(r.phase for r in reports)
    assert {r.phase for r in reports} == {"likelihood", "rollouts"}
    assert all(np.isfinite([r.train_loss, r.validation_nll, r.validation_energy_score]).all() for r in reports)
    trainer.forget_progress()
    assert not trainer.state_path.exists()
    best = [r for r in reports if r.best]
    assert best[-1].validation_energy_score == min(r.validation_energy_score for r in reports)
    forecaster = Forecaster.load(out, device="cpu")
    assert forecaster.layout == TINY_LAYOUT and forecaster.context_frames == SMALL.context_frames
    assert forecaster.metadata.validation["epochs"][-1]["epoch"] == best[-1].epoch


def test_metadata_names_those_trained_on_and_nobody_who_validates(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    _run(_trainer(out, replace(OPTIONS, minutes=0.1)))
    training = Forecaster.load(out, device="cpu").metadata.training
    assert training["subjects"] == ["anna", "ben"]
    assert training["licences"] == ["CC0-1.0"]
    assert training["families_minutes"] == {"recording": pytest.approx(240 / 1800, abs=0.05)}
    assert training["seed"] == 3 and training["options"]["horizon_frames"] == 6


@pytest.mark.parametrize("epochs", [1, 4])
def test_interrupted_and_resumed_is_as_if_never_interrupted(tmp_path: Path, epochs: int) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    straight = _trainer(whole)
    expected = _run(straight)
    first = _trainer(parts)
    before = _run(first, stop_after_epochs=epochs)
    assert first.state_path.is_file()
    second = _trainer(parts)
    assert second.resume()
    assert second.progress == first.progress and second.progress.step == before[-1].step
    assert second.history == before
    for mine, theirs in zip(second.model.parameters(), first.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        kept, known = second.optimizer.state[mine], first.optimizer.state[theirs]
        assert kept.keys() == known.keys()
        assert all(torch.equal(torch.as_tensor(kept[key]), torch.as_tensor(known[key])) for key in known)
    after = _run(second)
    assert before + after == expected
    final, again = load_checkpoint(whole)[0].state_dict(), load_checkpoint(parts)[0].state_dict()
    assert all(torch.equal(final[name], again[name]) for name in final)


def test_what_comes_after_training_can_be_interrupted_without_training_again(tmp_path: Path) -> None:
    out, short = tmp_path / "w.safetensors", replace(OPTIONS, minutes=0.1)
    first = _trainer(out, short)
    reports = _run(first)
    again = _trainer(out, short)
    assert again.resume()
    assert _run(again) == [] and again.history == reports
    assert again.progress.step == first.progress.step


def test_nothing_to_resume_is_not_an_error(tmp_path: Path) -> None:
    assert not _trainer(tmp_path / "w.safetensors").resume()


def test_a_state_of_other_sizes_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    _run(_trainer(out), stop_after_epochs=1)
    other = Trainer(TRAIN, VALIDATION, TINY_LAYOUT, out, OPTIONS, architecture=replace(SMALL, decoder_hidden=20))
    with pytest.raises(CheckpointError, match="another training"):
        other.resume()


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    trainer = _trainer(out)
    trainer.state_path.write_bytes(b"half a st")
    with pytest.raises(CheckpointError, match="damaged"):
        trainer.resume()


def test_same_seed_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    short = replace(OPTIONS, minutes=0.1)
    tensors = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        _run(_trainer(tmp_path / name, replace(short, seed=seed)))
        tensors.append(load_checkpoint(tmp_path / name)[0].state_dict()["flow.head.0.weight"])
    assert torch.equal(tensors[0], tensors[1])
    assert not torch.equal(tensors[0], tensors[2])


def test_training_lowers_the_validation_likelihood(tmp_path: Path) -> None:
    options = replace(OPTIONS, minutes=1.0, rollout_share=0.0, learning_rate=5e-3, average_decay=0.9)
    reports = _run(_trainer(tmp_path / "w.safetensors", options))
    assert {r.phase for r in reports} == {"likelihood"}
    assert reports[-1].validation_nll < reports[0].validation_nll - 0.1
    assert min(r.validation_energy_score for r in reports[1:]) < reports[0].validation_energy_score


def test_a_phase_without_improvement_ends_early(tmp_path: Path) -> None:
    frozen = replace(OPTIONS, minutes=60.0, patience=2, learning_rate=0.0, rollout_learning_rate=0.0, weight_decay=0.0)
    reports = _run(_trainer(tmp_path / "w.safetensors", replace(frozen, minutes=5.0)))
    assert [r.phase for r in reports] == ["likelihood"] * 3 + ["rollouts"] * 2
    assert [r.best for r in reports] == [True, False, False, False, False]


def test_training_can_start_from_weights(tmp_path: Path) -> None:
    known = tiny_weights(tmp_path, TINY_LAYOUT)
    still = replace(OPTIONS, minutes=0.1, learning_rate=0.0, rollout_learning_rate=0.0, weight_decay=0.0)
    out = tmp_path / "w.safetensors"
    _run(Trainer(TRAIN, VALIDATION, TINY_LAYOUT, out, still, initial=known))
    before, after = load_checkpoint(known)[0].state_dict(), load_checkpoint(out)[0].state_dict()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor)
    with pytest.raises(CheckpointError, match=MEDIAPIPE_POSE_33.id):
        Trainer(TRAIN, VALIDATION, TINY_LAYOUT, out, still, initial=tiny_weights(tmp_path, MEDIAPIPE_POSE_33))


def test_clips_too_short_for_a_window_are_refused(tmp_path: Path) -> None:
    short = motion_set("a", frames=18)
    for train, validation in ((short, VALIDATION), (TRAIN, short)):
        with pytest.raises(InvalidInput, match="19 frames") as caught:
            Trainer(train, validation, TINY_LAYOUT, tmp_path / "w", OPTIONS, architecture=SMALL)
        assert caught.value.field == "data"


def test_refinement_is_chosen_by_the_validation_score_and_kept_in_the_weights(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path, TINY_LAYOUT)
    said: list[str] = []
    choice = tune_refinement(weights, VALIDATION, said.append, budget_s=1.0)
    refined = [(score, text) for name, text, score in choice.tries if name.startswith("gru_snf")]
    assert str(choice.refinement) == min(refined)[1] and said
    metadata = load_checkpoint(weights)[1]
    assert metadata.refinement == choice.refinement
    search = metadata.validation["refinement_search"]
    assert search["chosen"]["refinement"] == str(choice.refinement)
    assert len(search["tries"]) == len(choice.tries) == TRIES + 1
    assert set(metadata.controls) == {name for name in FAMILIES if not name.startswith("gru_snf")}


def test_every_kernel_and_every_control_gets_as_many_tries() -> None:
    counts = set()
    for name, family in FAMILIES.items():
        coarse = family.coarse()
        fine = family.around(coarse[5])
        settings = {str(family.build(*dials)) for dials in [*coarse, *fine]}
        assert len(settings) >= len(coarse) + len(fine) - 2, name  # finer settings may meet coarse ones
        counts.add((len(coarse), len(fine)))
    assert len(counts) == 1 and sum(*counts) * len(FAMILIES) == TRIES
