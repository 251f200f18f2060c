"""What ``pose-bridge watch`` shows: a line for each avatar, and the latest alerts."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.wire.alerts import Alert, AlertState, Severity, Verdict

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 48
_MOST_SURPRISE = 3.0
"""Of -log10 p: the smallest p-values of a usual calibration are near a thousandth."""
_MAX_AVATARS = 32
_MAX_ALERTS = 10
_SILENT_S = 5.0
_STYLES = {Severity.LOW: "yellow", Severity.MEDIUM: "dark_orange", Severity.HIGH: "bold red"}


class WatchView:
    """The newest of every avatar and alert; any thread may add, `render` may come from another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._avatars: OrderedDict[tuple[str, str], _Line] = OrderedDict()
        self._alerts: OrderedDict[str, Alert] = OrderedDict()

    def add_verdict(self, client_name: str, avatar_id: str, verdict: Verdict) -> None:
        """Take in a verdict; of too many avatars the one that was silent longest is left out."""
        with self._lock:
            line = self._avatars.setdefault((client_name, avatar_id), _Line())
            line.add(verdict)
            self._avatars.move_to_end((client_name, avatar_id))
            if len(self._avatars) > _MAX_AVATARS:
                self._avatars.popitem(last=False)

    def add_alert(self, alert: Alert) -> None:
        """Take in a change of an alert."""
        with self._lock:
            self._alerts[alert.id] = alert
            if len(self._alerts) > _MAX_ALERTS:
                self._alerts.popitem(last=False)

    def render(self) -> RenderableType:
        """What is known now."""
        with self._lock:
            avatars = sorted(self._avatars.items())
            alerts = list(self._alerts.values())[::-1]
        return Group(_avatars(avatars), Text(), alerts_table(alerts))


class _Line:
    """The last p-values of one avatar."""

    def __init__(self) -> None:
        self._verdicts: deque[Verdict] = deque(maxlen=_WIDTH)
        self._heard_s = 0.0

    def add(self, verdict: Verdict) -> None:
        self._verdicts.append(verdict)
        self._heard_s = time.monotonic()

    @property
    def newest(self) -> Verdict:
        return self._verdicts[-1]

    @property
    def silent(self) -> bool:
        return time.monotonic() - self._heard_s > _SILENT_S

    def sparkline(self) -> Text:
        text = Text()
        for verdict in self._verdicts:
            text.append(bar_of(verdict.p_value), style="bold red" if verdict.alert_id else "cyan")
        return text


def bar_of(p_value: float | None) -> str:
    """A character whose height is -log10 of a p-value; a dot where there is no verdict."""
    if p_value is None:
        return "·"
    height = min(-math.log10(max(p_value, 1e-12)) / _MOST_SURPRISE, 1.0)
    return _BARS[round(height * (len(_BARS) - 1))]


def _avatars(lines: list[tuple[tuple[str, str], _Line]]) -> RenderableType:
    if not lines:
        return Text("No avatar has a verdict yet.", style="dim")
    table = Table(box=None, pad_edge=False)
    table.add_column("avatar")
    table.add_column("surprise, newest on the right", min_width=_WIDTH)
    table.add_column("p", justify="right", min_width=7)
    table.add_column("evidence", justify="right")
    table.add_column("")
    for (client_name, avatar_id), line in lines:
        verdict = line.newest
        p = "-" if verdict.p_value is None else f"{verdict.p_value:.4f}"
        state = Text("ALERT", style="bold red") if verdict.alert_id else Text("")
        if line.silent:
            state = Text("silent", style="dim")
        elif verdict.no_verdict is not None:
            state = Text(verdict.no_verdict.value.replace("_", " "), style="dim")
        table.add_row(f"{client_name}/{avatar_id}", line.sparkline(), p, f"{verdict.evidence:.0%}", state)
    return table


def alerts_table(alerts: list[Alert], *, whole: bool = False) -> Table | Text:
    """A table of alerts; ``whole`` keeps every word of it in one piece, above all the ids."""
    if not alerts:
        return Text("No alerts.", style="dim")
    table = Table(box=None, pad_edge=False, title="Alerts", title_justify="left")
    for name in ("time", "avatar", "state", "severity", "p", "where", "id"):
        table.add_column(name, no_wrap=whole and name != "where")
    for alert in alerts:
        on = alert.active
        when = datetime.fromtimestamp(alert.recorded_unix_us / 1e6).strftime("%H:%M:%S")
        where = ", ".join(joint.name.replace("_", " ") for joint in alert.joints[:3])
        state = alert.state.value if on or alert.state is AlertState.CLEARED else f"{alert.state.value}, over"
        table.add_row(
            when,
            f"{alert.client_name}/{alert.avatar_id}",
            state,
            Text(alert.severity.value, style=_STYLES[alert.severity] if on else "dim"),
            f"{alert.p_value:.4f}",
            where,
            Text(alert.id, style="dim"),
        )
    return table
