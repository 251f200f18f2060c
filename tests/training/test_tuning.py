"""How the default refinement is chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.forecaster import Refinement
from bridge.forecaster.checkpoint import load_checkpoint
from bridge.recordings import load_clips, save_recording
from bridge.training import build_motion_set, tune_refinement
from bridge.training.tuning import TRIES_EACH, _choose, families
from tests.support import TINY_LAYOUT, tiny_weights

FAMILIES = families(guided=True)
TRIES = len(families(guided=False)) * TRIES_EACH


def test_the_cheapest_kernel_wins_among_equals() -> None:
    pcn, langevin = Refinement("pcn", 1, 0.1), Refinement("langevin", 1, 0.1)
    assert _choose([(langevin, 2.0), (pcn, 2.001)]) == (pcn, 2.001)


def test_a_clearly_better_score_wins_whatever_it_costs() -> None:
    pcn, langevin = Refinement("pcn", 1, 0.1), Refinement("langevin", 1, 0.1)
    assert _choose([(langevin, 2.0), (pcn, 2.01)]) == (langevin, 2.0)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_method_gets_the_same_number_of_tries(name: str) -> None:
    family = FAMILIES[name]
    tries = [*family.coarse(), *family.around(family.coarse()[0])]
    assert len(tries) == TRIES_EACH
    for dials in tries:
        family.build(*dials)


def test_the_choice_and_all_tries_are_kept_with_the_weights(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path, TINY_LAYOUT)
    time_s = np.arange(90) / 30
    sway = 0.1 * np.sin(2 * np.pi * time_s)[:, None, None] * np.arange(TINY_LAYOUT.joints)[None, :, None]
    save_recording(
        tmp_path / "sway.npz",
        pose_m=TINY_LAYOUT.template + sway * np.array([0.1, 0.0, 0.2]),
        visibility=np.ones((90, TINY_LAYOUT.joints)),
        timestamp_us=(time_s * 1e6).astype(np.int64) + 1,
        fps=30.0,
        layout_id=TINY_LAYOUT.id,
        subject="somebody",
    )
    motion = build_motion_set(load_clips(tmp_path / "sway.npz"), TINY_LAYOUT, 30.0)
    choice = tune_refinement(weights, motion, lambda _: None, budget_s=0.1)
    _, metadata, _ = load_checkpoint(weights)
    assert metadata.refinement == choice.refinement
    search = metadata.validation["refinement_search"]
    assert len(search["tries"]) == TRIES + 1
    best = min(score for name, _, score in search["tries"] if name.startswith("gru_snf"))
    assert search["chosen"]["energy_score"] <= best * 1.001
    assert {kernel: Refinement.parse(text) for kernel, text in metadata.kernels.items()} == choice.kernels
    assert set(metadata.kernels) == {"pcn", "metropolis", "langevin"}
    for kernel, text in metadata.kernels.items():
        mine = {setting: score for name, setting, score in search["tries"] if name == f"gru_snf:{kernel}"}
        assert mine[text] == min(mine.values())
    assert set(metadata.controls) == {name for name in families(guided=False) if not name.startswith("gru_snf")}
