"""The page in the browser: a viser server, and the loop that brings the scene up to date."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from bridge.errors import BridgeError, FailedPrecondition, InternalError, InvalidInput
from bridge.skeleton import Layout
from bridge.viewer.controls import Controls
from bridge.viewer.history import History
from bridge.viewer.playback import Playback
from bridge.viewer.readouts import Readouts
from bridge.viewer.stage import Stage

if TYPE_CHECKING:
    import viser

TICKS_PER_SECOND = 40
"""Looks at the history: more than frames come, so that none waits long."""
_STRIPS_EVERY_S, _NUMBERS_EVERY_S, _TIME_EVERY_S = 0.4, 0.5, 0.15
_FAN_M, _A_ROW, _VIEW_DEGREES = 0.8, 4, 40.0

SamplesAt = Callable[[str, int, int], "NDArray[np.floating[Any]] | None"]
"""From an avatar, a time and how many milliseconds ahead: the poses (S, J, 3) that were drawn, None if not known."""


class Page:
    """Shows a history until `stop`; use it in a ``with`` statement. ``error`` says why it ended by itself.

    Args:
        layout: of the landmarks.
        history: what is shown; others write it.
        playback: which moment of it.
        readouts: numbers of the page's own and of the sources.
        host: where to listen, an address of this machine. port: 0 for any free one.
        horizon_ms: how far ahead forecasts reach.
        avatars: how many are expected: one has its futures beside it at first, not on it.
        on_position: is told which time is shown and whether samples are wanted, at every look.
        samples_at: looks drawn samples up; None if there are none to be had.
        visibility_threshold: landmarks with a lower visibility are not drawn.

    Raises:
        FailedPrecondition: if viser is not installed, or cannot be kept to its own page.
        InvalidInput: if nothing can listen there; says why.
    """

    def __init__(
        self,
        layout: Layout,
        history: History,
        playback: Playback,
        readouts: Readouts,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        horizon_ms: int = 1000,
        avatars: int = 1,
        on_position: Callable[[int, bool], None] | None = None,
        samples_at: SamplesAt | None = None,
        visibility_threshold: float = 0.1,
    ) -> None:
        self._history = history
        self._playback = playback
        self._readouts = readouts
        self._on_position = on_position
        self._samples_at = samples_at
        self._stopping = threading.Event()
        self._position_us = 0
        self.error: BridgeError | None = None
        self._server = _open_server(host, port)
        try:
            self._build(layout, horizon_ms, avatars, visibility_threshold)
        except BaseException:
            _stop_server(self._server)
            raise
        self._thread = threading.Thread(target=self._work, name="view-page", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._server.get_port())

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = self._server.get_host()
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}"

    @property
    def position_us(self) -> int:
        """The time that is shown, 0 before there is one."""
        return self._position_us

    @property
    def browsers(self) -> int:
        """How many pages are open."""
        return len(self._server.get_clients())

    def stop(self) -> None:
        """End the loop and close the port; may be called again."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join(5.0)
        _stop_server(self._server)

    def _build(self, layout: Layout, horizon_ms: int, avatars: int, visibility_threshold: float) -> None:
        server = self._server
        server.gui.configure_theme(
            control_width="large", show_logo=False, show_share_button=False, brand_color=(0, 114, 178)
        )
        server.gui.set_panel_label("PoseBridge")
        fan_m = _FAN_M if avatars == 1 else 0.0
        wide_m = 1.7 * min(avatars, _A_ROW) if avatars > 1 else 5.6 * fan_m
        deep_m = 2.2 * ((avatars - 1) // _A_ROW)
        # The panel covers the right; what is looked at is left of the middle.
        aside_m = 0.21 * wide_m
        server.initial_camera.fov = math.radians(_VIEW_DEGREES)
        server.initial_camera.position = (aside_m, -(1.5 + 1.15 * wide_m), 1.6 + 0.9 * deep_m)
        server.initial_camera.look_at = (aside_m, deep_m / 2, 0.95)
        speed = f"{self._playback.speed:g}"
        self._stage = Stage(server.scene, layout, visibility_threshold=visibility_threshold)
        self._controls = Controls(
            server.gui,
            self._playback,
            horizon_ms=horizon_ms,
            can_show_samples=self._samples_at is not None,
            speed=speed,
            futures_apart_m=fan_m,
        )

    # -- the loop, on its own thread

    def _work(self) -> None:
        due_s = {"time": 0.0, "strips": 0.0, "numbers": 0.0}
        next_s = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._tick(due_s)
            except Exception as error:
                # Whoever waits for the page's end finds it there.
                self.error = InternalError(f"the page cannot be brought up to date: {error!r}")
                return
            next_s = max(next_s + 1.0 / TICKS_PER_SECOND, time.monotonic())
            self._stopping.wait(max(0.0, next_s - time.monotonic()))

    def _tick(self, due_s: dict[str, float]) -> None:
        now_s = time.monotonic()
        span_us = self._history.span_us
        if span_us is not None:
            now_us = self._playback.advance(*span_us)
            self._position_us = now_us
            self._controls.note_position(now_us)
            self._draw(now_us)
            if now_s >= due_s["time"]:
                due_s["time"] = now_s + _TIME_EVERY_S
                self._controls.show_time(*span_us, now_us)
            if now_s >= due_s["strips"]:
                due_s["strips"] = now_s + _STRIPS_EVERY_S
                self._controls.show_strips(self._history, *span_us, now_us)
        if now_s >= due_s["numbers"]:
            due_s["numbers"] = now_s + _NUMBERS_EVERY_S
            avatars = len(self._history.avatars)
            self._controls.show_numbers(self._readouts, avatars=avatars, browsers=self.browsers)

    def _draw(self, now_us: int) -> None:
        ahead_ms = self._controls.samples_ahead_ms if self._samples_at is not None else None
        if self._on_position is not None:
            self._on_position(now_us, ahead_ms is not None)
        if self._controls.options_changed:
            self._controls.options_changed = False
            self._stage.redraw()
        options = self._controls.stage_options
        avatars = self._history.avatars
        with self._server.atomic():
            self._stage.arrange(avatars)
            for name in avatars:
                if self._stage.show(name, self._history.moment(name, now_us), options):
                    self._readouts.updates.mark()
                if self._samples_at is not None:
                    samples_m = None if ahead_ms is None else self._samples_at(name, now_us, ahead_ms)
                    self._stage.show_samples(name, samples_m)
        self._readouts.ticks.mark()


def require_viser() -> None:
    """Check that the page can be made at all.

    Raises:
        FailedPrecondition: if viser is not installed; names what to install.
    """
    try:
        import viser  # noqa: F401
    except ImportError:
        raise FailedPrecondition(
            "viser is not installed", field="view", expected="pip install 'pose-bridge[viewer]'"
        ) from None


def _open_server(host: str, port: int) -> viser.ViserServer:
    require_viser()
    import rich

    from bridge.viewer.guarded_server import GuardedServer

    _require_free(host, port)
    # viser says things on rich's own console: stdout is for the one JSON object.
    rich.reconfigure(stderr=True)
    with _quiet_rich():
        server = GuardedServer(host, port)
    if port and server.get_port() != port:
        _stop_server(server)
        raise InvalidInput(f"{port} was taken just now", field="port", expected="a free port, or 0 for any")
    return server


def _require_free(host: str, port: int) -> None:
    """Find out whether something can listen there: viser tries a thousand ports, and then waits for ever."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise InvalidInput(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            field="port",
            expected="a free port (0 for any) of an address of this machine",
        ) from None


def _stop_server(server: viser.ViserServer) -> None:
    with _quiet_rich():
        server.stop()


@contextmanager
def _quiet_rich() -> Iterator[None]:
    """Viser tells of its start and its end where our own words stand."""
    import rich

    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before
