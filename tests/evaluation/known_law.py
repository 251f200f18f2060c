"""Questions whose true law is known, and a method that knows it: what several tests of the evaluation share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation.windows import EvaluationWindow
from bridge.frames import Window
from tests.support import TINY_LAYOUT

CONTEXT, HORIZON, RATE_HZ = 16, 30, 30.0
SPREAD_M = 0.05
FAMILIES = ("cmu", "recording")
ACTIONS = ("walking", "walking", "standing", "")


@dataclass(frozen=True)
class KnowsTheLaw:
    """Samples the law that `known_windows` draws its futures from, ``width`` times as wide, off by ``bias_m``."""

    name: str
    samples: int = 24
    width: float = 1.0
    bias_m: float = 0.0
    stochastic: bool = True

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        drawn = [
            _futures(w.pose_m[-1], np.random.default_rng(s), self.samples, self.width)
            for w, s in zip(windows, seeds, strict=True)
        ]
        return np.stack(drawn)[:, :, :horizon_frames] + np.float32(self.bias_m)


def known_windows(count: int = 60) -> list[EvaluationWindow]:
    """Questions of five subjects: a body stands still, then every landmark drifts at random."""
    pose = TINY_LAYOUT.template * np.float32(0.4)
    windows = []
    for n in range(count):
        truth = _futures(pose, np.random.default_rng(1000 + n), 1, 1.0)[0]
        window = Window(
            layout_id=TINY_LAYOUT.id,
            pose_m=np.repeat(pose[None], CONTEXT, axis=0),
            observed=np.ones((CONTEXT, TINY_LAYOUT.joints), bool),
            root_m=None,
            bridged=np.zeros(CONTEXT, bool),
            sequence=n,
            timestamp_us=1,
        )
        windows.append(
            EvaluationWindow(
                window, truth, f"clip{n}", f"subject{n % 5}", FAMILIES[n % 5 // 3], ACTIONS[n % len(ACTIONS)], CONTEXT
            )
        )
    return windows


def _futures(pose: NDArray[np.float32], random: np.random.Generator, samples: int, width: float) -> NDArray[np.float32]:
    """(samples, H, J, 3): a random walk of every landmark but the hips."""
    steps = random.normal(scale=SPREAD_M * width, size=(samples, HORIZON, TINY_LAYOUT.joints, 3))
    steps[:, :, list(TINY_LAYOUT.hips)] = 0.0
    return (pose + steps.cumsum(axis=1)).astype(np.float32)
