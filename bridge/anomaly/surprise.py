"""From scores of different kinds to one number: how many nats a frame surprises by.

Each score is first judged against how fast the body moved until shortly before: fast motion is predicted less well
(where that holds: `BY_SPEED`), by a line through the medians of equal shares of normal frames, and another through
the logarithm of their spread. Then it is turned into nats: -log of the share of normal frames that score at least as
high, continued above the 98 % quantile by an exponential tail (mean excess), where normal motion has no more to say.
The frame's surprise is the largest of its scores' (what one of them sees, the others may not), turned into nats once
more in the same way.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly.scored import SCORE_NAMES

FloatArray = NDArray[np.float64]

BY_SPEED: frozenset[str] = frozenset({"likelihood", "innovation", "outside", "frozen_100ms", "frozen_200ms"})
MOST_NATS = 30.0

_BINS = 8
_TAIL_FROM = 0.98
_GRID = 257
_SMALLEST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True)
class SpeedLine:
    """What a score of normal motion is at a log speed v: about ``a + b v``, give or take ``exp(c + d v)``."""

    a: float = 0.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0

    @classmethod
    def fit(cls, log_speed: FloatArray, values: FloatArray) -> SpeedLine:
        """Fit to normal frames (n,); the spread never shrinks with speed."""
        edges = np.quantile(log_speed, np.linspace(0.0, 1.0, _BINS + 1))
        middles, medians, spreads = [], [], []
        for low, high in pairwise(edges):
            inside = (log_speed >= low) & (log_speed <= high)
            median, upper = np.quantile(values[inside], (0.5, 0.9))
            middles.append(float(np.median(log_speed[inside])))
            medians.append(float(median))
            spreads.append(max(float(upper - median), _SMALLEST_SPREAD))
        if np.ptp(middles) < 1e-6:
            return cls(a=float(np.median(medians)), c=float(np.log(np.median(spreads))))
        b, a = np.polyfit(middles, medians, 1)
        d, c = np.polyfit(middles, np.log(spreads), 1)
        if d < 0.0:
            spread = max(float(np.quantile(values - (a + b * log_speed), 0.9)), _SMALLEST_SPREAD)
            c, d = np.log(spread), 0.0
        return cls(float(a), float(b), float(c), float(d))

    def apply(self, values: FloatArray, log_speed: FloatArray) -> FloatArray:
        """Values (n,) relative to what is normal at their speeds."""
        return np.asarray((values - (self.a + self.b * log_speed)) / np.exp(self.c + self.d * log_speed))


@dataclass(frozen=True, slots=True, eq=False)
class Nats:
    """A monotone map of a score to nats: ``grid`` (G,) of scores, their ``nats`` (G,), ``slope`` nats a unit beyond."""

    grid: FloatArray
    nats: FloatArray
    slope: float

    @classmethod
    def fit(cls, values: FloatArray) -> Nats:
        """Fit to scores of normal frames (n,), finite."""
        levels = np.linspace(0.0, _TAIL_FROM, _GRID)
        grid = np.quantile(values, levels)
        beyond = values[values > grid[-1]]
        excess = float((beyond - grid[-1]).mean()) if len(beyond) else 0.0
        nats = -np.log1p(-levels)
        # Of equal scores the first level counts: that many frames and more score at least as high.
        keep = np.insert(np.diff(grid) > 0.0, 0, True)
        return cls(grid[keep], nats[keep], 1.0 / max(excess, 1e-3 * (np.ptp(values) + 1e-6)))

    def apply(self, values: FloatArray) -> FloatArray:
        """Nats (...) of scores (...); NaN stays NaN."""
        inside = np.interp(values, self.grid, self.nats)
        beyond = self.nats[-1] + (values - self.grid[-1]) * self.slope
        return np.where(values > self.grid[-1], beyond, np.where(np.isnan(values), np.nan, inside))


class SurpriseModel:
    """Turns scores (..., N) and log speeds (...) into nats; fitted to normal motion, kept as plain arrays."""

    def __init__(self, lines: Sequence[SpeedLine], scores: Sequence[Nats], whole: Nats) -> None:
        self.lines: tuple[SpeedLine, ...] = tuple(lines)
        self.scores: tuple[Nats, ...] = tuple(scores)
        self.whole = whole
        # One frame at a time is what a live stream asks for: plain numbers are ten times as fast as arrays of one.
        self._of_score = [_Plain(nats) for nats in self.scores]
        self._of_whole = _Plain(whole)
        self._plain = [(line.a, line.b, line.c, line.d) for line in self.lines]

    @classmethod
    def fit(
        cls, scores: NDArray[np.floating], log_speed: NDArray[np.floating], by_speed: frozenset[str] = BY_SPEED
    ) -> SurpriseModel:
        """Fit to normal frames: (n, N) with NaN where a score is missing, (n,).

        ``by_speed`` names the scores that are judged against the speed of the body.
        """
        values, speed = np.asarray(scores, np.float64), np.asarray(log_speed, np.float64)
        lines, maps = [], []
        for column, name in enumerate(SCORE_NAMES):
            known = np.isfinite(values[:, column])
            line = SpeedLine.fit(speed[known], values[known, column]) if name in by_speed else SpeedLine()
            lines.append(line)
            maps.append(Nats.fit(line.apply(values[known, column], speed[known])))
        blank = cls(lines, maps, Nats(np.array([0.0]), np.array([0.0]), 1.0))
        largest = blank.largest(values, speed)
        return cls(lines, maps, Nats.fit(largest[np.isfinite(largest)]))

    def parts(self, scores: NDArray[np.floating], log_speed: NDArray[np.floating]) -> FloatArray:
        """Nats of every score, (n, N); NaN where it is missing, at most `MOST_NATS`."""
        values, speed = np.asarray(scores, np.float64), np.asarray(log_speed, np.float64)
        columns = [
            nats.apply(line.apply(values[:, i], speed))
            for i, (line, nats) in enumerate(zip(self.lines, self.scores, strict=True))
        ]
        return np.minimum(np.stack(columns, axis=1), MOST_NATS)

    def largest(self, scores: NDArray[np.floating], log_speed: NDArray[np.floating]) -> FloatArray:
        """The largest of a frame's parts (n,); NaN for frames without any."""
        parts = self.parts(scores, log_speed)
        filled = np.where(np.isnan(parts), -1.0, parts).max(axis=1)
        return np.where(filled < 0.0, np.nan, filled)

    def surprise(self, scores: NDArray[np.floating], log_speed: NDArray[np.floating]) -> FloatArray:
        """Nats that each frame surprises by (n,); NaN for frames without a verdict."""
        return self.whole.apply(self.largest(scores, log_speed))

    def largest_of_one(self, scores: Sequence[float], log_speed: float) -> float | None:
        """`largest` of one frame: N numbers, NaN where one is missing; None without any."""
        best = -1.0
        for value, (a, b, c, d), nats in zip(scores, self._plain, self._of_score, strict=True):
            if value == value:  # not NaN
                relative = (value - a - b * log_speed) / _exp(c + d * log_speed)
                part = nats.apply(relative)
                best = max(best, part)
        return None if best < 0.0 else min(best, MOST_NATS)

    def whole_of_one(self, largest: float) -> float:
        """Nats that a frame surprises by, from its largest part."""
        return self._of_whole.apply(largest)

    # -- as arrays

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Plain arrays for a file."""
        arrays = {"lines": np.array([[x.a, x.b, x.c, x.d] for x in self.lines])}
        for i, nats in enumerate((*self.scores, self.whole)):
            name = "whole" if i == len(self.scores) else str(i)
            arrays[f"grid_{name}"] = nats.grid
            arrays[f"nats_{name}"] = nats.nats
            arrays[f"slope_{name}"] = np.array([nats.slope])
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> SurpriseModel:
        """Inverse of `to_arrays`.

        Raises:
            KeyError, ValueError: if something is missing.
        """

        def nats(name: str) -> Nats:
            grid, values = arrays[f"grid_{name}"], arrays[f"nats_{name}"]
            if grid.ndim != 1 or grid.shape != values.shape or not len(grid):
                raise ValueError(f"grid {name} has shape {grid.shape}")
            return Nats(grid, values, float(arrays[f"slope_{name}"][0]))

        lines = [SpeedLine(*(float(x) for x in row)) for row in arrays["lines"]]
        return cls(lines, [nats(str(i)) for i in range(len(lines))], nats("whole"))


class _Plain:
    """`Nats.apply` for one number at a time."""

    def __init__(self, nats: Nats) -> None:
        self._grid = nats.grid.tolist()
        self._nats = nats.nats.tolist()
        self._slope = nats.slope

    def apply(self, value: float) -> float:
        grid, nats = self._grid, self._nats
        after = bisect_right(grid, value)
        if after == 0:
            return float(nats[0])
        if after == len(grid):
            return float(nats[-1] + (value - grid[-1]) * self._slope)
        low = grid[after - 1]
        share = (value - low) / (grid[after] - low)
        return float(nats[after - 1] + share * (nats[after] - nats[after - 1]))


def _exp(value: float) -> float:
    return math.exp(min(value, 50.0))
