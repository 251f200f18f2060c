"""How long a batch takes: measured on the engine at hand, never assumed."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict, deque
from math import inf

import numpy as np

_GAIN = 0.2
"""Weight of the newest measurement in a running mean."""
_SIZES = tuple(1 << power for power in range(14))
"""Windows of a batch, at which costs are kept; between them they are interpolated."""
_KEPT_SHAPES = 64
_SPREAD = 0.8
"""What makes one size slower makes the others slower: they follow the logarithm of its change by so much."""
_BOUND_GAIN = 0.1
_LEAST_S = 1e-6
_SURPRISE = 2.0
"""The first measurement of a shape may hold a warm-up: at most so many times what was expected is believed."""


class _Estimate:
    """A running mean that neither a warm-up nor a single stall of the machine moves.

    It averages in the median of the last three measurements. Without a value to begin with, of the first two the
    shorter counts.
    """

    __slots__ = ("_recent", "value_s")

    def __init__(self, value_s: float | None = None) -> None:
        self.value_s = value_s or 0.0
        self._recent: deque[float] = deque([value_s] * 2 if value_s else [], maxlen=3)

    def learn(self, seconds: float, most_s: float = inf, gain: float = _GAIN) -> float:
        """Take a measurement in; return by which factor the mean has moved, 1 while it has not settled.

        Of the first one, no more than ``most_s`` is believed.
        """
        self._recent.append(seconds)
        if len(self._recent) < 3:
            self.value_s = min(self._recent) if len(self._recent) == 2 else min(seconds, most_s)
            return 1.0
        before_s = self.value_s
        self.value_s += gain * (sorted(self._recent)[1] - before_s)
        return self.value_s / before_s

    def bound(self, most_s: float) -> None:
        """Come nearer to what it can cost at most."""
        if self.value_s > most_s:
            self.value_s += _BOUND_GAIN * (most_s - self.value_s)

    def relax(self) -> None:
        """Believe half as much, and the next measurement at once."""
        self.value_s /= 2
        self._recent.clear()


class CostModel:
    """Predicts the seconds that an engine needs for a batch of windows of one shape (samples S, horizon H).

    Costs are kept for 1, 2, 4, … windows of each shape that was seen lately. For what was not seen they follow from a
    curve that all shapes share, of seconds per step over rows (windows times samples): all samples of a batch are
    rolled out together, one step after the other. Until something is measured, everything costs 0 s.

    With ``padded``, a batch costs as much as the next power of two of windows.

    All methods may be called from any thread.
    """

    def __init__(self, *, padded: bool = False) -> None:
        self.padded = padded
        self._lock = threading.Lock()
        self._per_step: dict[int, _Estimate] = {}
        self._measured: OrderedDict[tuple[int, int], dict[int, _Estimate]] = OrderedDict()
        self._curves: dict[tuple[int, int], tuple[float, ...]] = {}
        self._best: dict[tuple[int, int, float, int], tuple[int, float]] = {}

    def predict_s(self, windows: int, samples: int, horizon_frames: int) -> float:
        """Return the seconds that a batch of so many windows takes; never less than a smaller one."""
        with self._lock:
            return self._predict_s(windows, (samples, horizon_frames))

    def most_windows(self, budget_s: float, limit: int, samples: int, horizon_frames: int) -> int:
        """Return how many windows, 1 to ``limit``, run together within so many seconds (1 even if that is too long)."""
        with self._lock:
            return self._most_windows(budget_s, limit, (samples, horizon_frames))

    def best_batch(self, budget_s: float, limit: int, samples: int, horizon_frames: int) -> tuple[int, float]:
        """Return `most_windows` and the seconds that each window of a batch of just that time costs."""
        asked = (samples, horizon_frames, budget_s, limit)
        with self._lock:
            found = self._best.get(asked)
            if found is None:
                shape = (samples, horizon_frames)
                windows = self._most_windows(budget_s, limit, shape)
                found = windows, self._window_s(windows, budget_s, limit, shape)
                if len(self._best) >= _KEPT_SHAPES:
                    self._best.clear()
                self._best[asked] = found
            return found

    def observe(self, windows: int, samples: int, horizon_frames: int, seconds: float) -> None:
        """Learn from a batch that took so long."""
        shape = (samples, horizon_frames)
        seconds = max(seconds, _LEAST_S)
        with self._lock:
            of_shape = self._measured.setdefault(shape, {})
            self._measured.move_to_end(shape)
            if len(self._measured) > _KEPT_SHAPES:
                self._measured.popitem(last=False)
            expected_s = self._predict_s(windows, shape)
            low = 1 << (windows.bit_length() - 1)
            high_weight = float(low != windows) if self.padded else windows / low - 1.0
            known = range(min(of_shape, default=1), max(of_shape, default=1))
            for size, weight in ((low, 1.0 - high_weight), (2 * low, high_weight)):
                if weight < 0.5 and not (weight > 0.0 and size in of_shape):
                    continue
                # What this size would have cost: as much more or less than expected as the batch did.
                size_s = self._predict_s(size, shape)
                measured_s = seconds * (size_s / expected_s if expected_s else 0.5 + 0.5 * size / windows)
                estimate = of_shape.setdefault(size, _Estimate(size_s if size in known else None))
                factor = estimate.learn(measured_s, _SURPRISE * (size_s or inf), weight * _GAIN)
                self._spread(estimate, factor**_SPREAD, size, shape)
                self._learn_per_step(size * samples, estimate.value_s / horizon_frames)
            self._forget_predictions()

    def relax(self) -> None:
        """Halve every cost: what was measured, perhaps on a machine that stood still, keeps the engine from running."""
        with self._lock:
            for estimate in self._per_step.values():
                estimate.relax()
            for of_shape in self._measured.values():
                for estimate in of_shape.values():
                    estimate.relax()
            self._forget_predictions()

    def _learn_per_step(self, rows: int, seconds: float) -> None:
        at = _power_near(rows)
        expected_s = self._per_step_s(at) or inf
        estimate = self._per_step.setdefault(at, _Estimate())
        estimate.learn(seconds * (0.5 + 0.5 * at / rows), _SURPRISE * expected_s)

    def _spread(self, source: _Estimate, factor: float, windows: int, shape: tuple[int, int]) -> None:
        """Let all others follow what was learned of one.

        More windows or samples cost at most in proportion, fewer at most as much: so what was once thought too dear to
        be tried is tried again.
        """
        samples, horizon_frames = shape
        for (other_samples, other_horizon), of_shape in self._measured.items():
            ratio = max(1.0, other_samples / samples) * other_horizon / horizon_frames
            for size, estimate in of_shape.items():
                if estimate is not source:
                    estimate.value_s *= factor
                    estimate.bound(source.value_s * ratio * max(1.0, size / windows))

    def _forget_predictions(self) -> None:
        self._curves.clear()
        self._best.clear()

    def _predict_s(self, windows: int, shape: tuple[int, int]) -> float:
        curve = self._curves.get(shape)
        if curve is None:
            if len(self._curves) >= _KEPT_SHAPES:
                self._curves.clear()
            curve = self._curves[shape] = self._curve_of(shape)
        if self.padded:
            windows = 1 << (windows - 1).bit_length()
        power = windows.bit_length() - 1
        if power >= len(_SIZES) - 1:
            return curve[-1] * windows / _SIZES[-1]
        low_s = curve[power]
        return low_s + (curve[power + 1] - low_s) * (windows - _SIZES[power]) / _SIZES[power]

    def _most_windows(self, budget_s: float, limit: int, shape: tuple[int, int]) -> int:
        fits, fits_not = 1, limit + 1
        while fits_not - fits > 1:
            windows = (fits + fits_not) // 2
            if self._predict_s(windows, shape) <= budget_s:
                fits = windows
            else:
                fits_not = windows
        return fits

    def _window_s(self, windows: int, budget_s: float, limit: int, shape: tuple[int, int]) -> float:
        """Seconds for each of so many windows (not a whole number) that they take just ``budget_s``: it never jumps."""
        seconds = self._predict_s(windows, shape)
        if self.padded or windows == limit or seconds >= budget_s:
            return seconds / windows
        more_s = self._predict_s(windows + 1, shape)
        return budget_s / (windows + (budget_s - seconds) / (more_s - seconds))

    def _curve_of(self, shape: tuple[int, int]) -> tuple[float, ...]:
        """Seconds for each of `_SIZES`: the curve of all shapes, drawn through what was measured of this one."""
        samples, horizon_frames = shape
        common_s = [self._per_step_s(size * samples) * horizon_frames for size in _SIZES]
        measured = self._measured.get(shape)
        if measured:
            known = sorted(measured)
            ratios = [measured[size].value_s / common_s[size.bit_length() - 1] for size in known]
            corrections = np.interp(np.log2(_SIZES), np.log2(known), ratios).tolist()
            common_s = [seconds * ratio for seconds, ratio in zip(common_s, corrections, strict=True)]
        for power in range(1, len(common_s)):
            common_s[power] = max(common_s[power - 1 : power + 1])
            if measured and _SIZES[power] > max(measured) > 1:
                # More windows cost more by as much at least as the last ones did.
                common_s[power] = max(common_s[power], 3 * common_s[power - 1] - 2 * common_s[power - 2])
        return tuple(common_s)

    def _per_step_s(self, rows: int) -> float:
        """Seconds per step: on straight lines through what is known; from one point, half in proportion to rows."""
        known = sorted((at, estimate.value_s) for at, estimate in self._per_step.items())
        if len(known) < 2:
            return sum(seconds * (0.5 + 0.5 * rows / at) for at, seconds in known)
        above = min(max(1, bisect_left(known, (rows, 0.0))), len(known) - 1)
        (low, low_s), (high, high_s) = known[above - 1], known[above]
        slope_s = (high_s - low_s) / (high - low)
        if rows < low:
            return max(low_s / 4, low_s - max(0.0, slope_s) * (low - rows))
        if rows > high:
            return high_s + max(slope_s, high_s / high / 4) * (rows - high)
        return low_s + slope_s * (rows - low)


def _power_near(count: int) -> int:
    """The power of two that is nearest in proportion."""
    above = 1 << (count - 1).bit_length()
    return above if 2 * count * count > above * above else above // 2
