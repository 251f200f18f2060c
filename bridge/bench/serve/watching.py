"""What it costs that motion is watched: the same load on two services in turn, with scores and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.bench.serve.measure import LoadOptions, Measurement, measure
from bridge.bench.serve.target import ServiceOptions, running_service
from bridge.errors import Unavailable

_TURNS = (True, False, False, True)
"""In this order what drifts meanwhile (other work on the machine) counts for both alike."""


@dataclass(frozen=True, slots=True)
class WatchingCost:
    """Microseconds of processor time per forecast, of the service's process and the engine's together.

    Attributes:
        watched_us, unwatched_us: with the scores of every frame, and without.
        watched, unwatched: the loads, in the order in which they were measured.
    """

    watched_us: float
    unwatched_us: float
    watched: tuple[Measurement, ...]
    unwatched: tuple[Measurement, ...]

    @property
    def share(self) -> float:
        """What watching adds, as a share of what there is without."""
        return self.watched_us / self.unwatched_us - 1.0


def watching_cost(options: ServiceOptions, load: LoadOptions, avatars: int) -> WatchingCost:
    """Put a load of so many avatars on each of two services twice.

    Both run all the time, on the same cores; the one whose turn it is not has nothing to do.

    Raises:
        Unavailable, DeadlineExceeded: if a process fails, or not one forecast comes.
    """
    seen: dict[bool, list[Measurement]] = {True: [], False: []}
    with (
        running_service(replace(options, anomaly=True), load.pinning.server) as watched,
        running_service(replace(options, anomaly=False), load.pinning.server) as unwatched,
    ):
        for turn in _TURNS:
            seen[turn].append(measure(watched if turn else unwatched, load, avatars))
    return WatchingCost(
        _cpu_us_per_forecast(seen[True]), _cpu_us_per_forecast(seen[False]), tuple(seen[True]), tuple(seen[False])
    )


def _cpu_us_per_forecast(loads: Sequence[Measurement]) -> float:
    forecasts = sum(one.figures.forecasts for one in loads)
    if not forecasts:
        raise Unavailable("the service gave no forecast at all", field="watching")
    return 1e6 * sum(one.spent.service_cpu_s + one.spent.engine_cpu_s for one in loads) / forecasts
