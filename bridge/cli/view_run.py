"""What the view does: opens the page, starts where frames and forecasts come from, ends all of it."""

from __future__ import annotations

import contextlib
import signal
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from rich.console import Console

from bridge.cli.clips import choose_clip
from bridge.cli.credentials import ClientCredentials
from bridge.cli.output import write_json
from bridge.cli.performance import avatar_names
from bridge.cli.progress import busy
from bridge.cli.view import DEFAULT_PORT
from bridge.errors import BridgeError, InvalidInput
from bridge.skeleton import Layout, get_layout
from bridge.viewer import History, Page, Playback, Readouts, require_viser
from bridge.viewer.page import SamplesAt
from bridge.wire.values import SessionConfig

LIVE_KEPT_S = 60.0
"""Of a stream, so much can be looked back at."""
_LOOK_S = 0.1
_UNKNOWN_AVATARS = 4


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """What the view is asked to do; see the options of ``pose-bridge view``."""

    recording: Path
    clip_id: str | None
    joint_map: Path | None
    to: str | None
    watch: str | None
    avatars: int
    speed: float
    config: SessionConfig
    false_alarms_per_hour: float
    weights: Path | None
    threads: int | None
    host: str
    insecure: bool
    port: int | None
    open_browser: bool
    seconds: float | None
    credentials: ClientCredentials


def run_view(plan: ViewPlan, *, print_json: bool) -> None:
    """Show the page until Ctrl-C, SIGTERM or the time is up; text on stderr, with ``print_json`` an object on stdout.

    Raises:
        FailedPrecondition: if viser is not installed.
        NotFound, InvalidInput: if the recording cannot be read, or nothing can listen there.
        BridgeError: if the server refuses the session, or a forecast fails.
    """
    require_viser()
    console = Console(stderr=True, highlight=False)
    _require_loopback(plan)
    live = plan.to is not None or plan.watch is not None
    history = History(keep_s=LIVE_KEPT_S if live else None)
    readouts = Readouts()
    playback = Playback(live=live, speed=plan.speed)
    opened = _watched if plan.watch is not None else _streamed if plan.to is not None else _recorded
    with _sigterm_as_ctrl_c(), contextlib.suppress(KeyboardInterrupt), ExitStack() as stack:
        layout, hooks, said = stack.enter_context(opened(plan, history, readouts, console))
        with open_page(
            layout,
            history,
            playback,
            readouts,
            host=plan.host,
            port=plan.port,
            horizon_ms=plan.config.horizon_ms,
            avatars=_UNKNOWN_AVATARS if plan.watch is not None else plan.avatars,
            on_position=hooks.on_position,
            samples_at=hooks.samples_at,
            visibility_threshold=plan.config.visibility_threshold,
        ) as page:
            try:
                hooks.start()
                console.print(f"{page.url}  ({said['source']}; Ctrl-C ends it)", soft_wrap=True)
                if print_json:
                    write_json({"url": page.url, "host": plan.host, "port": page.port, **said})
                if plan.open_browser:
                    webbrowser.open(page.url)
                _until(plan.seconds, lambda: hooks.error or page.error)
            finally:
                console.print(_rates(readouts, len(history.avatars)), style="dim", soft_wrap=True)


def open_page(
    layout: Layout,
    history: History,
    playback: Playback,
    readouts: Readouts,
    *,
    host: str,
    port: int | None,
    horizon_ms: int,
    avatars: int,
    on_position: Callable[[int, bool], None] | None = None,
    samples_at: SamplesAt | None = None,
    visibility_threshold: float = 0.1,
) -> Page:
    """Open the page on a port, by default the usual one or, if that is taken, any.

    Raises:
        FailedPrecondition, InvalidInput: as `bridge.viewer.Page`.
    """

    def on(chosen: int) -> Page:
        return Page(
            layout,
            history,
            playback,
            readouts,
            host=host,
            port=chosen,
            horizon_ms=horizon_ms,
            avatars=avatars,
            on_position=on_position,
            samples_at=samples_at,
            visibility_threshold=visibility_threshold,
        )

    if port is not None:
        return on(port)
    try:
        return on(DEFAULT_PORT)
    except InvalidInput:
        return on(0)


@dataclass(slots=True)
class _Hooks:
    """What the page asks of a source."""

    start: Callable[[], None]
    error_of: Callable[[], BridgeError | None]
    on_position: Callable[[int, bool], None] | None = None
    samples_at: SamplesAt | None = None

    @property
    def error(self) -> BridgeError | None:
        return self.error_of()


_Shown = tuple[Layout, _Hooks, dict[str, object]]


@contextmanager
def _recorded(plan: ViewPlan, history: History, readouts: Readouts, console: Console) -> Iterator[_Shown]:
    from bridge.cli.view_sources import RecordedSource, calibration_for, phase_shifted
    from bridge.config import default_threads
    from bridge.forecaster import Forecaster
    from bridge.recordings import clip_frames
    from bridge.viewer import LocalForecasts

    clip = choose_clip(plan.recording, plan.clip_id, plan.joint_map, console)
    with busy(console, "loading the weights"):
        forecaster = Forecaster.load(plan.weights, threads=plan.threads or default_threads())
        calibration = calibration_for(forecaster)
    if clip.layout_id != forecaster.layout.id:
        raise InvalidInput(
            f"{clip.clip_id} has layout {clip.layout_id}", field="recording", expected=forecaster.layout.id
        )
    clips = {name: phase_shifted(clip, index / plan.avatars) for index, name in enumerate(avatar_names(plan.avatars))}
    config = plan.config
    forecasts = LocalForecasts(
        forecaster,
        {name: list(clip_frames(shifted, name)) for name, shifted in clips.items()},
        history,
        readouts,
        samples=config.samples,
        futures=config.futures,
        horizon_ms=config.horizon_ms,
        seed=config.seed,
        visibility_threshold=config.visibility_threshold,
    )
    source = RecordedSource(
        forecaster,
        clips,
        history,
        readouts,
        forecasts,
        calibration=calibration,
        false_alarms_per_hour=plan.false_alarms_per_hour,
        seed=config.seed,
    )
    said: dict[str, object] = {
        "source": "recording",
        "recording": str(plan.recording),
        "clip": clip.clip_id,
        "avatars": plan.avatars,
    }
    try:
        hooks = _Hooks(source.start, lambda: source.error, forecasts.want, forecasts.samples_at)
        yield get_layout(clip.layout_id), hooks, said
    finally:
        source.stop()


@contextmanager
def _streamed(plan: ViewPlan, history: History, readouts: Readouts, console: Console) -> Iterator[_Shown]:
    from bridge.cli.view_sources import StreamedSource
    from bridge.client import connect

    assert plan.to is not None
    clip = choose_clip(plan.recording, plan.clip_id, plan.joint_map, console)
    config = replace(plan.config, layout_id=clip.layout_id).validated()
    with busy(console, f"connecting to {plan.to}"):
        client = connect(plan.to, config=config, **plan.credentials)
    source = StreamedSource(client, clip, plan.avatars, history, readouts)
    said: dict[str, object] = {
        "source": "server",
        "address": client.address,
        "recording": str(plan.recording),
        "clip": clip.clip_id,
        "avatars": plan.avatars,
    }
    try:
        yield get_layout(clip.layout_id), _Hooks(source.start, lambda: source.error), said
    finally:
        source.stop()


@contextmanager
def _watched(plan: ViewPlan, history: History, readouts: Readouts, console: Console) -> Iterator[_Shown]:
    from bridge.cli.view_sources import WatchedSource

    assert plan.watch is not None
    layout = get_layout(plan.config.layout_id)
    source = WatchedSource(plan.watch, history, readouts, joints=layout.joints, curve=plan.credentials["curve"])
    try:
        yield layout, _Hooks(source.start, lambda: source.error), {"source": "publisher", "address": plan.watch}
    finally:
        source.stop()


def _until(seconds: float | None, error: Callable[[], BridgeError | None]) -> None:
    end_s = None if seconds is None else time.monotonic() + seconds
    while end_s is None or time.monotonic() < end_s:
        failed = error()
        if failed is not None:
            raise failed
        time.sleep(_LOOK_S)


def _rates(readouts: Readouts, avatars: int) -> str:
    many = "1 avatar" if avatars == 1 else f"{avatars} avatars, each"
    said = f"{many} updated {readouts.updates_per_avatar(avatars):.1f} times a second at the end"
    said += f", {readouts.forecasts.per_second():.0f} forecasts a second"
    p50, p99 = readouts.latency_ms.percentile(50), readouts.latency_ms.percentile(99)
    if p50 is not None and p99 is not None:
        said += f"; {readouts.latency_means}: {p50:.0f} ms (p99 {p99:.0f})"
    return said


def _require_loopback(plan: ViewPlan) -> None:
    from bridge.service.exposure import is_loopback

    if not plan.insecure and not is_loopback(f"{plan.host}:0"):
        raise InvalidInput(
            f"{plan.host} can be reached from other machines, and nothing encrypts the page or asks who looks",
            field="host",
            expected="a loopback address, or --insecure in a network that you trust",
        )


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
