"""The whole of ``pose-bridge bench serve``: which measurements are made, in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.bench.serve.capacity import Trial, find_capacity, what_is_wrong
from bridge.bench.serve.faults import FaultReport, try_fault
from bridge.bench.serve.measure import LoadOptions, Measurement, measure
from bridge.bench.serve.overload import EASY_SHARE, Overload, overload
from bridge.bench.serve.saturation import Saturation, saturate
from bridge.bench.serve.target import ServiceOptions, Target, running_echo, running_service
from bridge.bench.serve.watching import WatchingCost, watching_cost
from bridge.errors import InvalidInput
from bridge.wire.values import ModelInfo

DEFAULT_AVATARS = 64
_LONGEST_ECHO_S = 5.0
_FIRST_TRIAL = {"null": 64, "local": 4}


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure beside the plain load.

    Attributes:
        avatars: of the plain load; None: 70 % of the capacity where it is known, else 64.
        search: find the capacity first. capacity: what an earlier search found; 0: nothing.
        overload_factor: put so many times the capacity on it in the middle; 0: no overload.
        faults: names of faults to try. saturate: compare with the forecaster alone.
        watching: compare with a service that watches nothing.
    """

    service: ServiceOptions
    load: LoadOptions
    avatars: int | None = None
    search: bool = False
    capacity: int = 0
    overload_factor: float = 0.0
    faults: tuple[str, ...] = ()
    saturate: bool = False
    watching: bool = False


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Everything that was measured; None or empty for what was not asked for."""

    options: BenchOptions
    model: ModelInfo
    plain: Measurement
    echo: Measurement
    capacity_avatars: int | None
    trials: tuple[Trial, ...]
    overload: Overload | None
    faults: tuple[FaultReport, ...]
    saturation: Saturation | None
    watching: WatchingCost | None


def run_bench(options: BenchOptions, *, progress: Callable[[str], None] = lambda what: None) -> BenchReport:
    """Measure what the options ask for; every process that is started has ended when this returns.

    Raises:
        InvalidInput: if the options do not fit together.
        Unavailable, DeadlineExceeded: if a process fails.
    """
    if options.overload_factor and not options.search and not options.capacity:
        expected = "--find-capacity, or --capacity with what it found"
        raise InvalidInput("is asked for without a capacity", field="overload", expected=expected)
    if options.saturate and options.service.engine != "local":
        raise InvalidInput("needs forecasts that cost something", field="saturate", expected="--engine local")
    load = options.load
    capacity: int | None = options.capacity or None
    trials: list[Trial] = []
    over: Overload | None = None
    progress("starting the service")
    with running_service(options.service, load.pinning.server) as target:
        assert target.info is not None
        if options.search:
            first = options.avatars or _FIRST_TRIAL[options.service.engine]
            capacity, trials = find_capacity(lambda avatars: _attempt(target, load, avatars, progress), first=first)
        avatars = options.avatars or (max(1, round(EASY_SHARE * capacity)) if capacity else DEFAULT_AVATARS)
        progress(f"{avatars} avatars")
        plain = measure(target, load, avatars)
        if options.overload_factor and capacity:
            progress(f"overload: {options.overload_factor:g} times {capacity} avatars")
            over = overload(target, load, capacity=capacity, factor=options.overload_factor)
        model = target.info
    progress("the echo of the same sizes")
    echo = measure_echo(load, plain, model.layout_id)
    faults = []
    for name in options.faults:
        progress(f"fault: {name}")
        faults.append(try_fault(name, options.service, load, avatars))
    saturation: Saturation | None = None
    if options.saturate:
        progress("saturation, and the forecaster alone")
        saturation = saturate(options.service, load)
    watching: WatchingCost | None = None
    if options.watching:
        progress("watched and not watched")
        watching = watching_cost(options.service, load, avatars)
    return BenchReport(options, model, plain, echo, capacity, tuple(trials), over, tuple(faults), saturation, watching)


def measure_echo(load: LoadOptions, plain: Measurement, layout_id: str) -> Measurement:
    """Put the same load on a server that answers with blobs of the same size.

    Raises:
        Unavailable, DeadlineExceeded: if a process fails.
    """
    sized = replace(load, sessions=plain.sessions, clients=plain.clients)
    frames_a_message = plain.avatars / plain.sessions if load.batched else 1.0
    with running_echo(
        load.transport,
        reply_bytes=plain.reply_bytes,
        frame_bytes=round(plain.request_bytes / frames_a_message),
        layout_id=layout_id,
        cores=load.pinning.server,
    ) as target:
        return measure(target, sized, plain.avatars, seconds=min(load.seconds, _LONGEST_ECHO_S))


def _attempt(target: Target, load: LoadOptions, avatars: int, progress: Callable[[str], None]) -> Trial:
    progress(f"capacity: {avatars} avatars")
    seen = measure(target, load, avatars).figures
    return Trial(avatars, what_is_wrong(seen, load.hz), seen.latency_ms.p99, seen.forecasts_per_s)
