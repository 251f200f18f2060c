"""The bench of the service as one JSON object and as tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from bridge.bench.serve.bench import BenchReport
from bridge.bench.serve.figures import Figures, Spread
from bridge.bench.serve.watching import WatchingCost
from bridge.wire.values import SessionConfig

DEFINITIONS = {
    "latency_ms": "from the time that a frame was due to be sent to its forecast's arrival at the client: a client "
    "that falls behind shows as latency (late_ms says how far it did)",
    "age_ms": "as forecasts say it: from a frame's arrival at the server to handing over its forecast",
    "frames_lost": "neither a forecast of the frame, nor a refusal, nor a next forecast of the avatar that is marked "
    "degraded",
    "shed": "frames taken in whose forecast was left out, and the avatar's next forecast says so (degraded)",
    "refused": "frame errors with RESOURCE_EXHAUSTED; frames_refused counts the frames that went without a forecast "
    "because of them",
    "server_cpu_us_per_frame": "processor time of the service's process per frame sent, microseconds; the engine's "
    "process, where there is one, is engine_cpu_us_per_frame",
    "echo_cpu_us_per_frame": "the same of a bare byte handler that answers the same load with blobs of the same size",
    "server_rss_mb": "most that was resident, 10^6 bytes, of the service's process and the engine's together",
    "watching": "processor time of service and engine per forecast with anomaly scores against without, the same load "
    "on two services in turn",
    "other_cpu_percent": "of all cores, busy with neither the server nor its clients nor this command",
    "capacity_avatars": "most avatars with p99 latency under one frame, none refused, at most 0.5 % of the frames "
    "degraded or without their own forecast",
}
_PACKAGES = ("grpcio", "pyzmq", "protobuf", "numpy", "torch")


def to_json(report: BenchReport) -> dict[str, Any]:
    """One JSON object: the plain load at its top, everything else below it."""
    plain, echo = report.plain, report.echo
    seen = plain.figures
    load, service = report.options.load, report.options.service
    document = {
        "transport": load.transport,
        "engine": service.engine,
        "avatars": plain.avatars,
        "sessions": plain.sessions,
        "hz": load.hz,
        "seconds": load.seconds,
        "frames_sent": seen.frames_sent,
        "frames_lost": seen.frames_lost,
        "forecasts": seen.forecasts,
        "forecasts_per_s": seen.forecasts_per_s,
        "latency_ms": asdict(seen.latency_ms),
        "age_ms": asdict(seen.age_ms),
        "shed": seen.shed,
        "degraded": seen.degraded,
        "refused": seen.refused,
        "server_cpu_us_per_frame": plain.service_cpu_us_per_frame,
        "echo_cpu_us_per_frame": echo.service_cpu_us_per_frame,
        "server_rss_mb": plain.service_rss_mb + plain.engine_rss_mb,
        "other_cpu_percent": 100 * plain.spent.other_share,
        "capacity_avatars": report.capacity_avatars,
        "frames_due": seen.frames_due,
        "frames_refused": seen.frames_refused,
        "errors": seen.errors,
        "late_ms": asdict(seen.late_ms),
        "windows_per_batch": seen.windows_per_batch,
        "samples": seen.samples,
        "clients": plain.clients,
        "batched": load.batched,
        "cpu_ratio": cpu_ratio(report),
        "engine_cpu_us_per_frame": plain.engine_cpu_us_per_frame,
        "service_rss_mb": plain.service_rss_mb,
        "engine_rss_mb": plain.engine_rss_mb,
        "server_threads": plain.threads,
        "server_fds": plain.fds,
        "clients_cpu_percent": 100 * plain.spent.clients_cpu_s / plain.spent.seconds,
        "stolen_cpu_percent": 100 * plain.spent.stolen_share,
        "echo_latency_ms": asdict(echo.figures.latency_ms),
        "echo_late_ms": asdict(echo.figures.late_ms),
        "request_bytes": plain.request_bytes,
        "reply_bytes": plain.reply_bytes,
        "troubles": plain.troubles,
        "per_second": plain.series,
        "trials": [asdict(trial) for trial in report.trials],
        "overload": None if report.overload is None else asdict(report.overload),
        "faults": [fault.to_json() for fault in report.faults],
        "saturation": None if report.saturation is None else asdict(report.saturation),
        "watching": None if report.watching is None else watching_json(report.watching),
        "engine_placement": service.engine_placement,
        "threads": service.threads,
        "device": report.model.device,
        "pinned": asdict(load.pinning) if load.pinning.server else None,
        "machine": machine(),
        "versions": {"pose-bridge": report.model.server_version, **{name: version(name) for name in _PACKAGES}},
        "definitions": DEFINITIONS,
    }
    return {name: _rounded(value) for name, value in document.items()}


def watching_json(cost: WatchingCost) -> dict[str, Any]:
    """What watching costs, with the loads that say so."""
    return {
        "watched_cpu_us_per_forecast": cost.watched_us,
        "unwatched_cpu_us_per_forecast": cost.unwatched_us,
        "added_share": cost.share,
        "watched": [one.figures.to_json() for one in cost.watched],
        "unwatched": [one.figures.to_json() for one in cost.unwatched],
    }


def cpu_ratio(report: BenchReport) -> float | None:
    """Processor time of the service per frame over that of the echo."""
    service, echo = report.plain.service_cpu_us_per_frame, report.echo.service_cpu_us_per_frame
    return service / echo if service is not None and echo else None


def machine() -> str:
    """What it ran on, in words."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
                break
    return f"{model}, {os.cpu_count()} cores"


def to_tables(report: BenchReport) -> Iterator[Table]:
    """What people want to see, one table a measurement."""
    load, plain, echo = report.options.load, report.plain, report.echo
    title = f"{report.options.service.engine} engine over {load.transport}: {plain.avatars} avatars, {load.hz:g} Hz"
    table = _table(f"{title}, {plain.sessions} sessions, {load.seconds:g} s", _FIGURES, first="")
    table.add_row("service", *_cells(plain.figures), _number(plain.service_cpu_us_per_frame))
    # Blobs have no age.
    table.add_row("echo", *_cells(echo.figures)[:-1], "-", _number(echo.service_cpu_us_per_frame))
    yield table
    if report.trials:
        table = _table("Capacity", ("avatars", "forecasts/s", "p99 ms", "verdict"))
        for trial in report.trials:
            table.add_row(
                str(trial.avatars), _number(trial.forecasts_per_s), _number(trial.p99_ms), trial.why or "in full"
            )
        yield table
    if (over := report.overload) is not None:
        recovery = "never" if over.recovery_s is None else f"{over.recovery_s:.2f} s"
        table = _table(f"Overload: {over.overload_avatars} avatars, recovery {recovery}", _FIGURES, first="", cpu=False)
        parts = {"before": over.before, "during": over.during, "after": over.after}
        for name, figures in parts.items():
            table.add_row(name, *_cells(figures))
        yield table
    if report.faults:
        table = _table("What others notice of faults", ("fault", "part", *_FIGURES[:-1]))
        for fault in report.faults:
            for name, part in (("before", fault.before), ("during", fault.during), ("after", fault.after)):
                if part is not None:
                    table.add_row(fault.fault, name, *_cells(part))
        yield table
    if (saturation := report.saturation) is not None:
        table = _table(
            "Saturation, windows a second", ("served", "alone, as served", "alone, best size", "of processor time")
        )
        table.add_row(
            _number(saturation.windows_per_s),
            f"{_number(saturation.alone_as_served_windows_per_s)} ({saturation.share_as_served:.0%})",
            f"{_number(max(saturation.alone_windows_per_s.values()))} ({saturation.share_of_best:.0%})",
            f"{saturation.share_by_processor_time:.0%}",
        )
        yield table


def to_lines(report: BenchReport) -> Iterator[str]:
    """What does not fit a table."""
    plain, pinning = report.plain, report.options.load.pinning
    ratio = cpu_ratio(report)
    if ratio is not None:
        yield f"The service takes {ratio:.2f} times the processor time of the echo per frame."
    yield (
        f"Resident: {plain.service_rss_mb:.0f} MB, engine's process {plain.engine_rss_mb:.0f} MB. "
        f"{plain.threads} threads, {plain.fds} descriptors."
    )
    if (cost := report.watching) is not None:
        p50, p50_without = (
            sum(one.figures.latency_ms.p50 or 0.0 for one in loads) / len(loads)
            for loads in (cost.watched, cost.unwatched)
        )
        yield (
            f"Watching motion adds {cost.share:.1%}: {cost.watched_us:,.0f} µs of processor time per forecast, service "
            f"and engine together, against {cost.unwatched_us:,.0f} without; latency p50 {p50:.1f} ms against "
            f"{p50_without:.1f}."
        )
    for problem, count in plain.troubles.items():
        yield f"The server said {count} times: {problem}"
    if report.capacity_avatars is not None:
        yield f"Capacity: {report.capacity_avatars} avatars."
    if report.saturation is not None and (report.saturation.load.figures.samples or 0.0) < SessionConfig().samples:
        yield "Saturation: forecasts had fewer samples than asked for; the comparison does not hold."
    where = f"server on cores {_cores(pinning.server)}, clients on {_cores(pinning.clients)}"
    yield f"{machine()}; {where if pinning.server else 'nothing is pinned'}; {plain.clients} client processes."
    yield f"Others used {100 * plain.spent.other_share:.1f} % of all cores meanwhile."


_FIGURES = ("due", "forecasts", "lost", "shed", "degr.", "refused", "p50 ms", "p95", "p99", "max", "age p99", "cpu µs")


def _table(title: str, columns: tuple[str, ...], *, first: str | None = None, cpu: bool = True) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    if first is not None:
        table.add_column(first, no_wrap=True)
    for name in columns if cpu else columns[:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(seen: Figures) -> list[str]:
    counts = (seen.frames_due, seen.forecasts, seen.frames_lost, seen.shed, seen.degraded, seen.refused)
    latency: Spread = seen.latency_ms
    times = (latency.p50, latency.p95, latency.p99, latency.max, seen.age_ms.p99)
    return [*map(str, counts), *map(_number, times)]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cores(cores: tuple[int, ...]) -> str:
    return ",".join(map(str, cores))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
