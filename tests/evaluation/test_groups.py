from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bridge.evaluation.baselines import LastPose
from bridge.evaluation.evaluate import evaluate_methods
from bridge.evaluation.groups import OTHER, balanced_mean, windows_by_action, windows_by_family
from tests.evaluation.known_law import RATE_HZ, known_windows
from tests.support import TINY_LAYOUT


def test_every_family_counts_alike_however_many_windows_it_has() -> None:
    assert balanced_mean(np.array([1.0, 3.0, 3.0, 3.0]), ("a", "b", "b", "b")) == pytest.approx(2.0)


def test_rare_actions_and_unnamed_ones_come_together_and_last() -> None:
    result = evaluate_methods(known_windows(4), [LastPose()], TINY_LAYOUT, rate_hz=RATE_HZ)
    names = ["run"] * 20 + ["jump"] * 19 + ["walk"] * 30 + [""] * 40
    groups = windows_by_action(replace(result, actions=tuple(names)))
    assert [(name, len(rows)) for name, rows in groups.items()] == [("walk", 30), ("run", 20), (OTHER, 59)]
    assert {names[row] for row in groups[OTHER]} == {"jump", ""}


def test_families_are_counted() -> None:
    result = evaluate_methods(known_windows(10), [LastPose()], TINY_LAYOUT, rate_hz=RATE_HZ)
    assert windows_by_family(result) == {"cmu": 6, "recording": 4}
