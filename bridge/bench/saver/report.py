"""The bench as a table, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from bridge.bench.saver.rules import Rule
from bridge.bench.saver.tally import HORIZONS_MS, Tally, Way

DEFINITIONS = {
    "sent, saved": "Share of the frames that the client sent, and of the bytes (serialized PoseFrames) it did not.",
    "unsent frames": "Mean landmark error of what the newest forecast expects when the client leaves a frame out;"
    " in brackets that of the pose sent last.",
    "filled rows": "Mean landmark error of the rows of windows that the service filled in from a forecast; in brackets"
    " that of the same rows on a straight line.",
    "added": "Error of the sample mean of forecasts from windows with filled rows, less that of forecasts from all"
    " frames (same frame, same seed). In brackets, from the same sent frames: gaps filled in along straight lines;"
    " nothing filled in, gaps bridged.",
    "counted": "From a stream's first forecast on; before it, every frame is sent. Errors are hip-centred, against the"
    " recording, over the landmarks that it shows.",
}
"""What the columns mean, in words."""


def to_table(tallies: Mapping[Rule, Tally]) -> Table:
    """One row a rule."""
    table = Table(title="Frame saving: errors in mm, in brackets those of controls", title_justify="left")
    table.add_column("client sends", no_wrap=True)
    for name in ("frames sent", "bytes saved", "unsent frames", "filled rows"):
        table.add_column(name, justify="right")
    for horizon_ms in HORIZONS_MS:
        table.add_column(f"added at {horizon_ms} ms", justify="right")
    for rule, tally in tallies.items():
        filled = [tally.filled_mm[way].value for way in (Way.FORECAST, Way.STRAIGHT)]
        table.add_row(
            rule.name,
            f"{tally.sent_share:.0%}",
            f"{tally.saved_share:.0%}",
            _cell([tally.told_mm.value, tally.held_mm.value], ".1f"),
            _cell(filled, ".1f"),
            *(_cell([tally.added_mm(horizon_ms, way) for way in Way], "+.1f") for horizon_ms in HORIZONS_MS),
        )
    return table


def to_json(tallies: Mapping[Rule, Tally]) -> list[dict[str, Any]]:
    """One object a rule; None where nothing was measured."""
    return [
        {
            "rule": rule.name,
            "every_nth": rule.every_nth,
            "threshold_m": rule.threshold_m,
            "frames": tally.frames,
            "frames_sent": tally.frames_sent,
            "sent_share": tally.sent_share,
            "bytes_all": tally.bytes_all,
            "bytes_sent": tally.bytes_sent,
            "bytes_saved": tally.bytes_all - tally.bytes_sent,
            "bytes_saved_share": tally.saved_share,
            "unsent_error_mm": tally.told_mm.value,
            "unsent_held_error_mm": tally.held_mm.value,
            "filled_rows": tally.filled_mm[Way.FORECAST].count,
            "filled_error_mm": {way.value: mean.value for way, mean in tally.filled_mm.items()},
            "forecasts": tally.full_error_mm[HORIZONS_MS[0]].count,
            "full_error_mm": {str(h): tally.full_error_mm[h].value for h in HORIZONS_MS},
            "added_error_mm": {way.value: {str(h): tally.added_mm(h, way) for h in HORIZONS_MS} for way in Way},
        }
        for rule, tally in tallies.items()
    ]


def _cell(values: Sequence[float | None], form: str) -> str:
    """The first value, the others in brackets."""
    first, *others = ("-" if value is None else format(value, form) for value in values)
    return f"{first} ({', '.join(others)})"
