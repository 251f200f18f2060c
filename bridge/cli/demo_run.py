"""What the demo does: starts a server, streams, listens, and says how it went."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from bridge.cli.child_server import child_server
from bridge.cli.clips import choose_clip
from bridge.cli.demo_report import DemoReport, live_table
from bridge.cli.output import write_json
from bridge.cli.performance import FIRST_TIMESTAMP_US, avatar_names, default_seconds, in_order_of_time, perform
from bridge.cli.progress import announced, watched
from bridge.cli.scoreboard import Scoreboard
from bridge.client import Client, TransportKind, connect
from bridge.config import default_threads
from bridge.errors import BridgeError, FailedPrecondition, Unavailable
from bridge.figures.observed import Observed
from bridge.frames import Frame
from bridge.session.pacer import Pacer
from bridge.skeleton import get_layout
from bridge.timeline import Timeline
from bridge.whole_file import check_output
from bridge.wire.values import Forecast, SessionAccepted, SessionConfig

if TYPE_CHECKING:
    from bridge.cli.demo_view import ShownPage
    from bridge.viewer import SessionFeed

_LAST_ANSWERS_S = 3.0
_PICTURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What the demo is asked to do; see the options of ``pose-bridge demo``."""

    recording: Path
    clip_id: str | None
    transport: TransportKind
    avatars: int
    seconds: float | None
    config: SessionConfig
    weights: Path | None
    threads: int | None
    picture: Path
    live: bool
    view: bool = False
    open_browser: bool = False


@dataclass(slots=True)
class _Inbox:
    """Forecasts as they come in, gathered on a thread of its own; appending to a list is atomic."""

    forecasts: list[Forecast] = field(default_factory=list)
    error: BridgeError | None = None
    feed: SessionFeed | None = None

    def listen(self, client: Client) -> None:
        try:
            for forecast in client.forecasts():
                self.forecasts.append(forecast)
                if self.feed is not None:
                    self.feed.note_forecast(forecast)
        except BridgeError as error:
            self.error = error


def run_demo(plan: DemoPlan, *, print_json: bool) -> None:
    """Run the demo: text for people on stderr, with ``print_json`` one JSON object on stdout.

    Raises:
        NotFound, InvalidInput: if the recording cannot be read or the picture's suffix names no format.
        FailedPrecondition: if the recording never holds a full window, or viser is missing for its page.
        Unavailable: if the server does not start, or no forecast came back.
        BridgeError: if the server refuses the session.
    """
    console = Console(stderr=True)
    # Before sixteen seconds of streaming.
    check_output(plan.picture, field="picture", suffixes=_PICTURES)
    clip = choose_clip(plan.recording, plan.clip_id)
    config = replace(plan.config, layout_id=clip.layout_id).validated()
    seconds = default_seconds(clip) if plan.seconds is None else plan.seconds
    threads = plan.threads or default_threads()
    performances = {
        name: perform(clip, name, seconds=seconds, phase=index / plan.avatars)
        for index, name in enumerate(avatar_names(plan.avatars))
    }
    layout = get_layout(clip.layout_id)
    observed = {name: Observed(frames, layout, config.visibility_threshold) for name, frames in performances.items()}
    report = DemoReport(
        transport=plan.transport.value,
        clip_id=clip.clip_id,
        seconds=seconds,
        threads=threads,
        observed=observed,
        scoreboard=Scoreboard(observed),
    )
    with ExitStack() as opened:
        shown = None
        if plan.view:
            from bridge.cli.demo_view import shown_page

            page = shown_page(layout, config, console, avatars=plan.avatars, open_browser=plan.open_browser)
            shown = opened.enter_context(page)
        _perform(plan, performances, config, report, console, shown)
        report.scoreboard.settle(None)
        if report.forecasts:
            report.draw(plan.picture, layout)
        console.print(report.table())
        if print_json:
            write_json(report.to_json())
        if not report.forecasts:
            raise Unavailable("no forecast came back")
        if shown is not None and console.is_terminal:
            shown.stay(console)


def _perform(
    plan: DemoPlan,
    performances: dict[str, list[Frame]],
    config: SessionConfig,
    report: DemoReport,
    console: Console,
    shown: ShownPage | None,
) -> None:
    """Stream the frames through a server of its own; ``report`` takes in what comes of it."""
    feed = None if shown is None else shown.feed
    with ExitStack() as running:
        with announced(console, "Starting a server"):
            server = running.enter_context(child_server(weights=plan.weights, threads=report.threads))
        address = server.grpc if plan.transport is TransportKind.GRPC else server.zmq
        with connect(address, config=config) as client:
            accepted = client.wait_connected()
            report.model = client.model_info()
            report.frames_with_full_window = _full_windows(performances, accepted)
            if report.frames_with_full_window == 0:
                raise FailedPrecondition(
                    f"{report.clip_id} never shows a person for {accepted.context_frames} frames in a row",
                    field="recording",
                    expected=f"at least {accepted.context_frames / accepted.rate_hz:.2f} s without a gap above 200 ms",
                )
            console.print(f"Streaming {report.clip_id} to {client.address} for {report.seconds:.1f} s.", style="dim")
            frames = in_order_of_time(list(performances.values()))
            _stream(client, frames, report, console if plan.live and watched(console) else None, feed)


def _stream(
    client: Client, frames: list[Frame], report: DemoReport, live_on: Console | None, feed: SessionFeed | None
) -> None:
    """Send every frame when its time has come, while the forecasts are gathered and shown."""
    inbox = _Inbox(feed=feed)
    listener = threading.Thread(target=inbox.listen, args=(client,), name="demo-listener", daemon=True)
    listener.start()
    screen = None
    if live_on:
        # Gone at the end: the report that follows says the same and more.
        screen = Live(get_renderable=lambda: live_table(report), console=live_on, refresh_per_second=8, transient=True)
    try:
        if screen:
            screen.start()
        begin_s = time.monotonic()
        for frame in frames:
            due_s = begin_s + (frame.timestamp_us - FIRST_TIMESTAMP_US) / 1e6
            if due_s > time.monotonic():
                report.note(client.stats(), inbox.forecasts, now_us=frame.timestamp_us)
                time.sleep(max(0.0, due_s - time.monotonic()))
            if feed is not None:
                feed.note_frame(frame)
                feed.note_alerts(client.alerts())
            client.send(frame)
        _await_last_answers(client, inbox, frames)
        report.note(client.stats(), inbox.forecasts, now_us=frames[-1].timestamp_us)
    finally:
        if screen:
            screen.stop()
        client.close()
        listener.join()
    report.note(report.stats, inbox.forecasts, now_us=frames[-1].timestamp_us)
    report.faults = list(client.frame_faults())
    if inbox.error is not None:
        raise inbox.error


def _await_last_answers(client: Client, inbox: _Inbox, frames: list[Frame]) -> None:
    """Give the answers to the last frames the time to arrive."""
    last = {frame.avatar_id: frame.sequence for frame in frames if frame.landmarks is not None}
    deadline_s = time.monotonic() + _LAST_ANSWERS_S
    while time.monotonic() < deadline_s:
        newest = [(client.latest(avatar_id), sequence) for avatar_id, sequence in last.items()]
        if all(forecast is not None and forecast.based_on_sequence >= sequence for forecast, sequence in newest):
            return
        time.sleep(0.02)


def _full_windows(performances: dict[str, list[Frame]], accepted: SessionAccepted) -> int:
    """Count the frames at which a forecast is due, by the rules that the server itself goes by.

    The window must be full; of a recording faster than the session's forecast rate only so many frames a second count.
    """
    count = 0
    for frames in performances.values():
        timeline = Timeline(
            get_layout(accepted.config.layout_id),
            context_frames=accepted.context_frames,
            rate_hz=accepted.rate_hz,
            visibility_threshold=accepted.config.visibility_threshold,
        )
        pacer = Pacer(accepted.config.forecast_rate_hz)
        for frame in frames:
            timeline.add(frame)
            full = frame.landmarks is not None and timeline.window() is not None
            count += full and pacer.due(frame.timestamp_us)
    return count
