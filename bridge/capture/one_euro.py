"""The One-Euro filter: a low-pass whose cut-off rises with speed, so that what rests is calm and what moves is on time.

G. Casiez, N. Roussel, D. Vogel: 1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems, CHI 2012, https://doi.org/10.1145/2207676.2208639.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput

DEFAULT_MIN_CUTOFF_HZ = 1.5
DEFAULT_BETA_PER_M = 10.0
_SPEED_CUTOFF_HZ = 1.0
_MAX_GAP_US = 200_000
"""After a longer time without a value a track starts anew; the same gap ends a window of the service."""

FloatArray = NDArray[np.float64]


@dataclass(slots=True)
class OneEuroFilter:
    """Smooths each number of an array on its own, over time.

    With time constant tau = 1/(2 pi f), f = min_cutoff_hz + beta_per_m * speed, a value that moves at a steady speed v
    is followed v * tau behind, so never further than 1/(2 pi beta_per_m): 16 mm with the defaults. A value that stays
    is given back as it is. Speed is that between values as they came (the paper takes the smoothed one for the earlier
    of the two), low-passed at 1 Hz: only so is the lag the one above.

    Args:
        min_cutoff_hz: cut-off at rest; lower is calmer.
        beta_per_m: how fast the cut-off rises with speed, Hz per m/s; higher is nearer to what moves.

    Raises:
        InvalidInput: if the cut-off is not above 0 or beta is below 0.
    """

    min_cutoff_hz: float = DEFAULT_MIN_CUTOFF_HZ
    beta_per_m: float = DEFAULT_BETA_PER_M
    _value: FloatArray | None = field(default=None, init=False, repr=False)
    _came: FloatArray = field(default_factory=lambda: np.zeros(0), init=False, repr=False)
    _speed: FloatArray = field(default_factory=lambda: np.zeros(0), init=False, repr=False)
    _seen_us: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what would not filter."""
        if not self.min_cutoff_hz > 0:
            raise InvalidInput(f"is {self.min_cutoff_hz:g}", field="smooth-min-cutoff-hz", expected="above 0")
        if not self.beta_per_m >= 0:
            raise InvalidInput(f"is {self.beta_per_m:g}", field="smooth-beta", expected="0 or more")

    @property
    def max_lag_m(self) -> float:
        """How far behind a value at a steady speed is followed at most, metres; infinite when beta is 0."""
        return float("inf") if self.beta_per_m == 0 else 1.0 / (2.0 * np.pi * self.beta_per_m)

    def __call__(self, value: NDArray[np.floating], timestamp_us: int) -> FloatArray:
        """Return the smoothed value, of the same shape, at this time (microseconds, increasing).

        Numbers that are not finite come back as they are and count as not seen; each number starts anew when it was
        not seen for 200 ms.
        """
        value = np.asarray(value, np.float64)
        if self._value is None or self._value.shape != value.shape:
            self._value = np.full(value.shape, np.nan)
            self._came = np.full(value.shape, np.nan)
            self._speed = np.zeros(value.shape)
            self._seen_us = np.zeros(value.shape, np.int64)
        known = np.isfinite(self._value) & (timestamp_us - self._seen_us <= _MAX_GAP_US)
        known &= timestamp_us > self._seen_us
        seen = np.isfinite(value)
        step_s = np.where(known, (timestamp_us - self._seen_us) * 1e-6, 1.0)
        before = np.where(known, self._value, value)
        raw_speed = np.where(known, value - self._came, 0.0) / step_s
        share = _share(np.full(value.shape, _SPEED_CUTOFF_HZ), step_s)
        speed = np.where(known, self._speed + share * (raw_speed - self._speed), 0.0)
        cutoff_hz = self.min_cutoff_hz + self.beta_per_m * np.abs(speed)
        smooth = np.where(known, before + _share(cutoff_hz, step_s) * (value - before), value)
        self._value = np.where(seen, smooth, self._value)
        self._came = np.where(seen, value, self._came)
        self._speed = np.where(seen, speed, self._speed)
        self._seen_us = np.where(seen, timestamp_us, self._seen_us)
        return np.where(seen, smooth, value)


def _share(cutoff_hz: FloatArray, step_s: FloatArray) -> FloatArray:
    """Weight of the new value in an exponential mean with this cut-off: 1 / (1 + tau / step)."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff_hz * step_s))
