"""What people press and read on the page: time, options, alerts, strips, read-outs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.viewer.history import AlertMark, History
from bridge.viewer.playback import SPEEDS, Playback
from bridge.viewer.readouts import Readouts
from bridge.viewer.stage import StageOptions
from bridge.viewer.strip import MAX_STRIPS, Strip, shown_span_us, strips_svg

if TYPE_CHECKING:
    import viser

_NO_ALERTS = "no alerts"
_BEFORE_AN_ALERT_US = 700_000
_LONGEST_STRIP_US = 60_000_000
_SCRUB_STEP_S = 0.01
_MOST_LISTED = 40


class Controls:
    """The panel; callbacks come on viser's threads and only set values that the page's loop reads.

    Args:
        gui: of a viser server.
        playback: what the time controls move.
        horizon_ms: how far ahead samples may be shown.
        can_show_samples: whether what is drawn can be had at all.
        speed: initial one, among `bridge.viewer.playback.SPEEDS`.
        futures_apart_m: initial distance of the futures.
    """

    def __init__(
        self,
        gui: viser.GuiApi,
        playback: Playback,
        *,
        horizon_ms: int,
        can_show_samples: bool,
        speed: str = "1",
        futures_apart_m: float = 0.0,
    ) -> None:
        self._gui = gui
        self._playback = playback
        self._alerts: dict[str, AlertMark] = {}
        self._origin_us = 0
        self._span_s = (0.0, 0.0)
        self.options_changed = False
        with gui.add_folder("Time"):
            self._play = gui.add_button("Pause", hint="Stop or go on")
            self._scrub: Any = gui.add_slider("Seconds", min=0.0, max=1.0, step=_SCRUB_STEP_S, initial_value=0.0)
            self._speed = gui.add_dropdown("Speed", SPEEDS, initial_value=speed)
            self._live = gui.add_button("Show live", visible=playback.live, hint="Follow the newest moment")
        with gui.add_folder("Alerts"):
            self._strips = gui.add_html("")
            self._alert = gui.add_dropdown("Go to", (_NO_ALERTS,), initial_value=_NO_ALERTS, disabled=True)
            self._steps = gui.add_button_group("Alert", ("previous", "next"), visible=False)
        with gui.add_folder("Show"):
            self._futures = gui.add_checkbox("Futures", True)
            self._apart = gui.add_slider(
                "Apart (m)", min=0.0, max=1.5, step=0.1, initial_value=futures_apart_m, hint="Futures beside the body"
            )
            self._samples = gui.add_checkbox("Samples", False, visible=can_show_samples, hint="All that was drawn")
            self._ahead = gui.add_slider(
                "Ahead (ms)", min=0, max=horizon_ms, step=10, initial_value=horizon_ms // 2, visible=False
            )
        with gui.add_folder("Read-outs"):
            self._numbers = gui.add_markdown("")
        self._connect()

    @property
    def stage_options(self) -> StageOptions:
        """What is to be drawn."""
        return StageOptions(bool(self._futures.value), float(self._apart.value))

    @property
    def samples_ahead_ms(self) -> int | None:
        """How far ahead the cloud of samples is to be shown; None for not at all."""
        return int(self._ahead.value) if self._samples.value else None

    def show_time(self, first_us: int, last_us: int, now_us: int) -> None:
        """Bring the time controls up to date."""
        span_s = (first_us / 1e6, max(last_us / 1e6, first_us / 1e6 + _SCRUB_STEP_S))
        # The slider never shrinks under a hand that holds it, and is not sent anew for every frame of a stream.
        if span_s[0] != self._span_s[0] or abs(span_s[1] - self._span_s[1]) > 0.2 or not self._playback.live:
            if span_s != self._span_s:
                self._scrub.min, self._scrub.max = round(span_s[0], 2), round(span_s[1], 2)
            self._span_s = span_s
        if self._playback.playing:
            self._scrub.value = round(min(max(now_us / 1e6, self._scrub.min), self._scrub.max), 2)
        self._play.label = "Pause" if self._playback.playing else "Play"
        self._live.disabled = self._playback.following

    def show_strips(self, history: History, first_us: int, last_us: int, now_us: int) -> None:
        """Draw the strips and list the alerts."""
        begin_us, end_us = shown_span_us(first_us, last_us, now_us, _LONGEST_STRIP_US)
        alerts = history.alerts
        strips = [
            Strip(
                name,
                history.p_values(name, begin_us, end_us) if row < MAX_STRIPS else (),
                [alert for alert in alerts if alert.avatar == name],
                history.moment(name, now_us).p_value if row < MAX_STRIPS else None,
            )
            for row, name in enumerate(history.avatars)
        ]
        self._strips.content = strips_svg(strips, begin_us, end_us, now_us)
        named = {_named(alert): alert for alert in alerts[-_MOST_LISTED:]}
        if named.keys() != self._alerts.keys():
            self._alerts = named
            self._alert.options = (f"{len(alerts)} alert{'s' if len(alerts) != 1 else ''}", *named)
            self._alert.disabled = not named
            self._steps.visible = bool(named)
        self._alerts = named

    def show_numbers(self, readouts: Readouts, *, avatars: int, browsers: int) -> None:
        """Bring the read-outs up to date."""
        self._numbers.content = readouts.to_markdown(avatars=avatars, browsers=browsers)

    def note_position(self, now_us: int) -> None:
        """Remember where previous and next start from."""
        self._origin_us = now_us

    # -- what people do

    def _connect(self) -> None:
        self._play.on_click(lambda _: self._playback.pause() if self._playback.playing else self._playback.play())
        self._live.on_click(lambda _: self._playback.follow())
        self._scrub.on_update(self._on_scrub)
        self._speed.on_update(lambda _: self._set_speed())
        self._alert.on_update(self._on_alert)
        self._steps.on_click(lambda _: self._step(str(self._steps.value)))
        self._futures.on_update(lambda _: self._changed())
        self._apart.on_update(lambda _: self._changed())
        self._samples.on_update(lambda _: self._changed())
        self._ahead.on_update(lambda _: self._changed())

    def _changed(self) -> None:
        self._ahead.visible = bool(self._samples.value)
        self.options_changed = True

    def _set_speed(self) -> None:
        self._playback.speed = float(self._speed.value)

    def _on_scrub(self, event: viser.GuiEvent[Any]) -> None:
        if event.client_id is not None:  # a hand, not the page's own loop
            self._playback.seek(float(self._scrub.value) * 1e6)

    def _on_alert(self, event: viser.GuiEvent[Any]) -> None:
        alert = self._alerts.get(str(self._alert.value))
        if event.client_id is not None and alert is not None:
            self._go_to(alert)

    def _step(self, way: str) -> None:
        starts = sorted(self._alerts.values(), key=lambda alert: alert.raised_us)
        here_us = self._origin_us + _BEFORE_AN_ALERT_US
        if way == "next":
            there = next((alert for alert in starts if alert.raised_us > here_us + 50_000), None)
        else:
            there = next((alert for alert in reversed(starts) if alert.raised_us < here_us - 50_000), None)
        if there is not None:
            self._go_to(there)

    def _go_to(self, alert: AlertMark) -> None:
        self._playback.seek(alert.raised_us - _BEFORE_AN_ALERT_US)


def _named(alert: AlertMark) -> str:
    where = f", {alert.where[0].replace('_', ' ')}" if alert.where else ""
    return f"{alert.raised_us / 1e6:.2f} s {alert.avatar}: {alert.severity}{where}"
