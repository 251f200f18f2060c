"""What a forecast is once it is made: numpy arrays only, for those who use forecasts and never make one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr, futures_table


@dataclass(frozen=True, slots=True, eq=False)
class OneStep:
    """How likely the newest block of a window was, given what came before it; see `bridge.forecaster.likelihood`.

    Attributes:
        log_density: exact, under the unrefined flow at temperature 1; nats per unit volume of D coordinates.
        base_square: squared length of what the flow maps the block to; D on average for motion of its own.
        outside_m: (J,) root mean square over the block of what D coordinates cannot say, metres.
    """

    log_density: float
    base_square: float
    outside_m: NDArray[np.float32]

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True, repr=False)
class ForecastResult:
    """A forecast in the sender's world, metres, hip-centred poses.

    Attributes:
        futures_m: (K, H, J, 3), most probable first.
        roots_m: (K, H, 3) where the window had a root, else None; float64.
        probabilities: (K,) adding up to 1.
        spread_m: (H, J) root mean square distance of the samples from their mean.
        samples_m: (S, H, J, 3) everything drawn; (0, H, J, 3) if they were not to be kept.
        acceptance_rate: of the refinement; None without refinement.
        unobserved_landmarks: never seen in the window.
        bridged_share: of the window's frames, [0, 1].
        futures_f16: ``futures_m`` in half precision, from an engine whose library rounds faster than numpy; else None.
        scored_m: (S', H', J, 3) the first samples over the first steps, to compare with what then happens; None if they
            were not asked for.
        one_step: of the window's newest block; None if it was not asked for.
        avatar_id: whose window it was; "" where the window did not say.
        based_on_sequence, based_on_timestamp_us: of the window's newest frame. step_us: between two of the H steps, the
            first of which lies one after that frame. None in results that came through an engine, whose session knows.
    """

    futures_m: NDArray[np.float32]
    roots_m: NDArray[np.float64] | None
    probabilities: NDArray[np.float32]
    spread_m: NDArray[np.float32]
    samples_m: NDArray[np.float32]
    acceptance_rate: float | None
    unobserved_landmarks: tuple[int, ...]
    bridged_share: float
    futures_f16: NDArray[np.float16] | None = None
    scored_m: NDArray[np.float16] | None = None
    one_step: OneStep | None = None
    avatar_id: str = ""
    based_on_sequence: int | None = None
    based_on_timestamp_us: int | None = None
    step_us: int | None = None

    def __repr__(self) -> str:
        """What it is, in one line: its arrays would fill pages."""
        futures, steps, joints, _ = self.futures_m.shape
        shares = ", ".join(f"{share:.0%}" for share in self.probabilities)
        more = "" if self.roots_m is None else ", with roots"
        more += f", {len(self.samples_m)} samples" if len(self.samples_m) else ""
        plural = "" if futures == 1 else "s"
        return f"ForecastResult({futures} future{plural} of {steps} steps, {joints} landmarks{more}: {shares})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        ids = list(range(len(self.probabilities)))
        return futures_table(repr(self), ids, self.probabilities, self.futures_m, self.roots_m)

    def without_samples(self) -> ForecastResult:
        """The same without the samples, and without holding on to the memory that they are in."""
        return replace(self, samples_m=np.empty((0, *self.samples_m.shape[1:]), np.float32))

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays, bytes."""
        arrays = (self.futures_m, self.roots_m, self.probabilities, self.spread_m, self.samples_m, self.futures_f16)
        return sum(array.nbytes for array in arrays if array is not None)
