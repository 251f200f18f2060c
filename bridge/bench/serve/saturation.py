"""How much of the forecaster's own speed is left when all of it is asked for over sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from bridge.bench.serve.children import child
from bridge.bench.serve.figures import batch_sizes
from bridge.bench.serve.measure import LoadOptions, Measurement, measured_until_s, measurement_of, run_avatars
from bridge.bench.serve.target import ServiceOptions, running_service
from bridge.errors import Unavailable

ASKED_SHARE = 1.6
"""Asked for: so much of what the forecaster can do alone. More would cost samples, and be another measurement."""
_BATCHES = (1, 2, 4, 8, 16, 32)
_MOST_SIZES = 8
_ALONE_TIMEOUT_S = 240.0
_SECONDS_A_SIZE = 1.0


@dataclass(frozen=True, slots=True)
class Saturation:
    """The same cores and threads, with the service and without.

    Attributes:
        load: what was asked for and what came of it.
        windows_per_s: forecasts served. batches: share of them that was computed in batches of which size.
        alone_windows_per_s: what the forecaster does in batches of one size, one after the other; the better of before
            and after.
        alone_as_served_windows_per_s: the same, in batches of the sizes served.
        share_as_served: windows_per_s over that.
        share_of_best: windows_per_s over the best of all sizes.
        share_by_processor_time: processor time per window alone, in batches of the sizes served, over that of service
            and engine together: what other work on the machine disturbs least.
    """

    load: Measurement
    windows_per_s: float
    batches: dict[int, float]
    alone_windows_per_s: dict[int, float]
    alone_as_served_windows_per_s: float
    share_as_served: float
    share_of_best: float
    share_by_processor_time: float


def saturate(options: ServiceOptions, load: LoadOptions) -> Saturation:
    """Measure the forecaster alone, ask a service for `ASKED_SHARE` of that, measure the forecaster alone again.

    Raises:
        Unavailable, DeadlineExceeded: if a process fails, or not one forecast comes.
    """
    first = _alone(options, load, _BATCHES)
    best = max(size / wall_s for size, (wall_s, _) in first.items())
    with running_service(options, load.pinning.server) as target:
        log = run_avatars(target, load, max(2, ceil(ASKED_SHARE * best / load.hz)))
        seen = measurement_of(log, load, target.warmup_s)
        served = batch_sizes(log.journals, target.warmup_s, measured_until_s(log))
    if not served:
        raise Unavailable("the service gave no forecast at all", field="saturate")
    common = sorted(served, key=lambda size: -served[size])[:_MOST_SIZES]
    again = _alone(options, load, sorted({*common, *_BATCHES}))
    # The better of both: other work on the machine only ever slows down.
    wall_s, cpu_s = (
        {size: min(times[which], first.get(size, times)[which]) for size, times in again.items()} for which in (0, 1)
    )
    as_served = windows_per_s_as_served(served, wall_s)
    windows_per_s = seen.figures.forecasts_per_s
    alone = {size: size / spent_s for size, spent_s in wall_s.items()}
    total = sum(served.values())
    spent_s = seen.spent.service_cpu_s + seen.spent.engine_cpu_s
    return Saturation(
        load=seen,
        windows_per_s=windows_per_s,
        batches={size: count / total for size, count in sorted(served.items())},
        alone_windows_per_s=alone,
        alone_as_served_windows_per_s=as_served,
        share_as_served=windows_per_s / as_served,
        share_of_best=windows_per_s / max(alone.values()),
        share_by_processor_time=total / windows_per_s_as_served(served, cpu_s) / spent_s if spent_s else 0.0,
    )


def windows_per_s_as_served(served: Mapping[int, int], seconds: Mapping[int, float]) -> float:
    """Return windows per second when so many windows are computed in batches of each size, one batch after the other.

    The time of a size that was not measured lies on the line between its neighbours'.
    """
    sizes = sorted(seconds)
    spent_s = sum(
        count / size * float(np.interp(size, sizes, [seconds[known] for known in sizes]))
        for size, count in served.items()
    )
    return sum(served.values()) / spent_s


def _alone(options: ServiceOptions, load: LoadOptions, batches: Sequence[int]) -> dict[int, tuple[float, float]]:
    arguments = ["--batches", ",".join(map(str, batches)), "--seconds", str(_SECONDS_A_SIZE)]
    arguments += ["--threads", str(options.threads)] if options.threads else []
    arguments += ["--weights", str(options.weights.resolve())] if options.weights else []
    arguments += ["--device", options.device] if options.device else []
    with child("bridge.bench.serve.alone", arguments, cores=load.pinning.server) as process:
        printed: dict[str, tuple[float, float]] = json.loads(process.read_line(_ALONE_TIMEOUT_S))
    return {int(size): (wall_s, cpu_s) for size, (wall_s, cpu_s) in printed.items()}
