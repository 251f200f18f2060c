"""What the demo found out: as a table for people, as JSON for programs, as a picture for both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from bridge.cli.scoreboard import HORIZONS_MS, METHODS, Scoreboard, future_distance_mm
from bridge.client import ClientStats
from bridge.figures.observed import Observed
from bridge.skeleton import Layout
from bridge.whole_file import whole_file
from bridge.wire.values import Forecast, FrameFault, ModelInfo

_TITLES = {"best_of_k": "best of the futures", "most_probable": "most probable future", "last_pose": "last pose held"}


@dataclass(slots=True)
class DemoReport:
    """Everything the demo says at its end; `note` keeps it up to date while it runs."""

    transport: str
    clip_id: str
    seconds: float
    threads: int
    observed: dict[str, Observed]
    scoreboard: Scoreboard
    frames_with_full_window: int = 0
    model: ModelInfo | None = None
    stats: ClientStats | None = None
    forecasts: list[Forecast] = field(default_factory=list)
    faults: list[FrameFault] = field(default_factory=list)
    picture: Path | None = None

    def note(self, stats: ClientStats | None, forecasts: Sequence[Forecast], *, now_us: int) -> None:
        """Take the newest counters and all forecasts so far; score what is past at capture time ``now_us``."""
        self.stats = stats
        for forecast in forecasts[len(self.forecasts) :]:
            self.forecasts.append(forecast)
            self.scoreboard.add(forecast)
        self.scoreboard.settle(now_us)

    def draw(self, path: Path, layout: Layout) -> None:
        """Draw the moment with most movement to ``path``."""
        from bridge.figures.moments import choose_moment
        from bridge.figures.still import draw_moment

        moment = choose_moment(self.forecasts, self.observed)
        if moment is None:
            return
        shown = moment.forecast
        caption = (
            f"{self.clip_id}, frame {shown.based_on_sequence}: {len(shown.probabilities)} futures chosen from "
            f"{shown.samples} drawn trajectories, with the share of trajectories that each stands for.\n"
            f"Grey: what happened. Right: mean distance over all landmarks in the last column."
        )
        title = f"PoseBridge: {len(shown.probabilities)} futures, {moment.future_ms[-1]} ms ahead"
        drawing = draw_moment(moment, layout, title=title, caption=caption)
        with whole_file(path, field="picture", keep_suffix=True) as draft:
            drawing.savefig(draft)
        self.picture = path

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values; numbers that could not be measured are None."""
        first = self.forecasts[0] if self.forecasts else None
        sums = [float(forecast.probabilities.sum()) for forecast in self.forecasts]
        return {
            "recording": self.clip_id,
            "transport": self.transport,
            "seconds": round(self.seconds, 3),
            "avatars": len(self.observed),
            "frames_sent": self.stats.frames_sent if self.stats else 0,
            "frames_with_full_window": self.frames_with_full_window,
            "frame_faults": len(self.faults),
            "forecasts": len(self.forecasts),
            "futures": len(first.probabilities) if first else None,
            "samples": first.samples if first else None,
            "horizon_ms": round(first.futures_m.shape[1] * first.step_us / 1e3) if first else None,
            "latency_ms": self.latency_ms,
            "age_ms": _percentiles(forecast.timing.age_us / 1e3 for forecast in self.forecasts),
            "compute_ms": _percentiles(forecast.timing.compute_us / 1e3 for forecast in self.forecasts),
            **{f"{method}_mpjpe_mm": _rounded(self.scoreboard.mpjpe_mm(method)) for method in METHODS},
            "forecasts_scored": self.scoreboard.scored(),
            "future_distance_mm": _mean(map(future_distance_mm, self.forecasts)),
            "spread_mm": _mean(1e3 * float(forecast.spread_m[-1].mean()) for forecast in self.forecasts),
            # The one that is furthest from 1, so that 1 says something about all of them.
            "probabilities_sum": max(sums, key=lambda value: abs(value - 1.0)) if sums else None,
            "acceptance_rate": _mean((forecast.acceptance_rate for forecast in self.forecasts), digits=4),
            "degraded": sum(forecast.degraded for forecast in self.forecasts),
            "refinement": self.model.refinement if self.model else None,
            "weights_id": self.model.weights_id if self.model else None,
            "device": self.model.device if self.model else None,
            "threads": self.threads,
            "server_version": self.model.server_version if self.model else None,
            "picture": str(self.picture.resolve()) if self.picture else None,
        }

    def table(self) -> Table:
        """Return the report as a table for a terminal."""
        table = live_table(self)
        if self.model:
            table.add_row(
                "model", f"{self.model.refinement}, weights {self.model.weights_id[:12]}, {self.model.device}"
            )
        if self.faults:
            table.add_row("frames not used", f"{len(self.faults)}, the last: {self.faults[-1].error}")
        table.add_row("picture", str(self.picture) if self.picture else "none")
        return table

    @property
    def latency_ms(self) -> dict[str, float | None]:
        """Percentiles of the time from handing a frame over to having its forecast; None before the first."""
        return _percentiles(self.stats.latencies_ms if self.stats else ())


def live_table(report: DemoReport) -> Table:
    """Return what is known so far as a table for a terminal."""
    table = Table(title="PoseBridge demo", title_justify="left", show_header=False, title_style="bold")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    stats, newest = report.stats, report.forecasts[-1] if report.forecasts else None
    latency = report.latency_ms
    table.add_row("frames sent", str(stats.frames_sent if stats else 0))
    table.add_row("forecasts", f"{len(report.forecasts)} (frames with a full window: {report.frames_with_full_window})")
    table.add_row("latency", f"p50 {_text(latency['p50'], 'ms')}, p99 {_text(latency['p99'], 'ms')}")
    if newest is not None:
        shares = "  ".join(f"{100 * share:.0f} %" for share in newest.probabilities)
        table.add_row("age at the server", f"{newest.timing.age_us / 1e3:.1f} ms")
        table.add_row("futures", f"{shares}   apart {_text(future_distance_mm(newest), 'mm')}")
        table.add_row("spread at the end", f"{1e3 * newest.spread_m[-1].mean():.0f} mm")
    for method in METHODS:
        errors = report.scoreboard.mpjpe_mm(method)
        cells = "   ".join(f"{horizon} ms: {_text(errors[str(horizon)], 'mm')}" for horizon in HORIZONS_MS)
        table.add_row(_TITLES[method], cells)
    return table


def _text(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def _percentiles(values: Iterable[float]) -> dict[str, float | None]:
    known = list(values)
    return {f"p{percent}": round(float(np.percentile(known, percent)), 3) if known else None for percent in (50, 99)}


def _mean(values: Iterable[float | None], *, digits: int = 2) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), digits) if known else None


def _rounded(values: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 2) for name, value in values.items()}
