"""What capture does: opens the source, looks at its pictures, sends and keeps what is seen, and says how it went."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from bridge import __version__
from bridge.capture import (
    AnnotatedVideo,
    PoseDetector,
    PoseStream,
    Preview,
    Recorder,
    Seen,
    Smoothing,
    Source,
    check_model,
    find_model,
    open_source,
)
from bridge.capture.libraries import load_cv2, load_vision, native_messages_away
from bridge.cli.capture_sender import Sender
from bridge.cli.credentials import ClientCredentials
from bridge.cli.output import write_json
from bridge.cli.progress import busy, download_bar, picture_bar
from bridge.client import connect
from bridge.errors import BridgeError, NotFound
from bridge.wire.values import SessionConfig

_SHORT = 0.98
"""A video that gives less than this share of the pictures that it says it has was cut or is damaged."""


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """The options of ``pose-bridge capture``."""

    source: str
    to: str | None
    out: Path | None
    annotated: Path | None
    preview: bool
    model: str | None
    model_url: str
    avatars: tuple[str, ...]
    client_name: str
    mirror: bool
    smoothing: Smoothing | None
    min_confidence: float
    fps: float | None
    seconds: float | None
    credentials: ClientCredentials


@dataclass(slots=True)
class _Tally:
    """What has been seen so far, how it ended and what was written."""

    frames: int = 0
    detected: int = 0
    dropped: int = 0
    first_us: int = 0
    last_us: int = 0
    by_avatar: Counter[str] = field(default_factory=Counter)
    ended_by: str = "end"
    failure: BridgeError | None = None
    results: dict[str, Any] = field(default_factory=dict)

    def add(self, seen: Seen) -> None:
        if self.frames == 0:
            self.first_us = seen.picture.timestamp_us
        self.last_us = seen.picture.timestamp_us
        self.frames += 1
        self.detected += bool(seen.detections)
        self.by_avatar.update(seen.detections.keys())

    @property
    def span_s(self) -> float:
        return (self.last_us - self.first_us) * 1e-6


@dataclass(frozen=True, slots=True)
class _Sinks:
    """Where what is seen goes; None where it does not."""

    recorder: Recorder | None
    video: AnnotatedVideo | None
    preview: Preview | None
    sender: Sender | None


class _Interrupt:
    """Ctrl-C and SIGTERM end the capture at the next picture; a second one ends the command at once."""

    number = signal.SIGINT
    wanted = False

    def __call__(self, number: int, frame: object) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted, self.number = True, signal.Signals(number)


def run_capture(plan: CapturePlan, *, print_json: bool) -> None:
    """Carry out a plan.

    Raises:
        BridgeError: if it cannot be begun, or broke off; what was seen until then is written.
        NotFound: if nobody was ever detected.
        typer.Exit: with 130 (143 after SIGTERM) if a video or folder was not seen to its end.
    """
    console = Console(stderr=True, highlight=False)
    tally = _Tally()
    with native_messages_away(), ExitStack() as stack:
        # What is quick to refuse comes first, then what waits for others.
        recorder = None if plan.out is None else Recorder(plan.out, plan.avatars)
        with busy(console, "loading MediaPipe"):
            load_cv2()
            load_vision()
        source = open_source(plan.source, fps=plan.fps)
        stack.callback(source.close)
        video = None if plan.annotated is None else AnnotatedVideo(plan.annotated, fps=source.fps)
        preview = Preview() if plan.preview else None
        with download_bar(console) as progress:
            model = find_model(plan.model, check=check_model, base_url=plan.model_url, progress=progress)
        with busy(console, "loading the model"):
            detector = stack.enter_context(
                PoseDetector(model, max_poses=len(plan.avatars), min_confidence=plan.min_confidence)
            )
        stream = PoseStream(source, detector, plan.avatars, mirror=plan.mirror, smoothing=plan.smoothing)
        sender = None
        if plan.to is not None:
            client = stack.enter_context(
                connect(plan.to, config=SessionConfig(client_name=plan.client_name), **plan.credentials)
            )
            sender = Sender(client, paced=not source.live, tell=console.print)
        sinks = _Sinks(recorder, video, preview, sender)
        began_s = time.monotonic()
        with _interruptible() as interrupt:
            try:
                with _kept(tally):
                    _look(plan, stream, sinks, tally, interrupt, console)
            finally:
                tally.dropped = source.dropped
                _finish(plan, source, model, sinks, tally)
        elapsed_s = time.monotonic() - began_s
    _say(plan, source, tally, console, elapsed_s)
    if tally.failure is not None:
        raise tally.failure
    if tally.detected == 0:
        raise NotFound(
            f"nobody was detected in any of the {tally.frames} pictures of {source.name}",
            field="source",
            expected="a person in the picture, lit and not too small",
        )
    if print_json:
        document = {
            "source": plan.source,
            "model": str(model.resolve()),
            "frames": tally.frames,
            "detected": tally.detected,
            "dropped": tally.dropped,
            "seconds": round(elapsed_s, 3),
            "source_seconds": round(tally.span_s, 3),
            "avatars": {avatar: tally.by_avatar[avatar] for avatar in plan.avatars},
            "ended_by": tally.ended_by,
            **tally.results,
        }
        write_json(document)
    if tally.ended_by in ("interrupt", "window") and not source.live:
        raise typer.Exit(128 + interrupt.number)


def _look(
    plan: CapturePlan, stream: PoseStream, sinks: _Sinks, tally: _Tally, interrupt: _Interrupt, console: Console
) -> None:
    """Take pictures until there are no more, or somebody wants no more."""
    with picture_bar(console, stream.source.total) as advance:
        for seen in stream:
            if seen is not None:
                if (
                    plan.seconds is not None
                    and tally.frames
                    and seen.picture.timestamp_us - tally.first_us >= plan.seconds * 1e6
                ):
                    tally.ended_by = "seconds"
                    return
                tally.add(seen)
                if sinks.recorder is not None:
                    sinks.recorder.add(seen.frames)
                if sinks.video is not None:
                    sinks.video.add(seen)
                if sinks.sender is not None:
                    sinks.sender.send(seen.frames, alone=len(plan.avatars) == 1, stopped=lambda: interrupt.wanted)
                advance(tally.detected, stream.source.dropped)
            if sinks.preview is not None and not sinks.preview.show(seen):
                tally.ended_by = "window"
                return
            if interrupt.wanted:
                tally.ended_by = "interrupt"
                return


def _finish(plan: CapturePlan, source: Source, model: Path, sinks: _Sinks, tally: _Tally) -> None:
    """Complete every output, also after a failure; the first failure is kept."""
    results = tally.results
    results["out"] = None
    results["annotated"] = None
    if sinks.recorder is not None and tally.detected:
        with _kept(tally):
            results["out"] = _save(plan, source, model, sinks.recorder)
    if sinks.video is not None:
        with _kept(tally):
            path = sinks.video.close()
            results["annotated"] = None if path is None else str(path.resolve())
    if sinks.preview is not None:
        sinks.preview.close()
    if sinks.sender is not None:
        with _kept(tally):
            sinks.sender.finish()
        results |= {"to": plan.to, **sinks.sender.results()}


def _save(plan: CapturePlan, source: Source, model: Path, recorder: Recorder) -> str | dict[str, str]:
    """Write the recordings; return their file, or with several avatars the file of each that was seen."""
    smoothing = plan.smoothing
    written = recorder.save(
        fps=source.fps,
        source=source.name,
        model=model.name,
        mirrored="yes" if plan.mirror else "no",
        smoothing=f"one-euro {smoothing.min_cutoff_hz:g} Hz, {smoothing.beta_per_m:g} per m" if smoothing else "none",
        software=f"pose-bridge {__version__}",
    )
    files = {avatar: str(path.resolve()) for avatar, path in written.items()}
    return files if len(plan.avatars) > 1 else files[plan.avatars[0]]


@contextmanager
def _kept(tally: _Tally) -> Iterator[None]:
    """Keep what goes wrong for the end, unless something went wrong before."""
    try:
        yield
    except BridgeError as error:
        tally.failure = tally.failure or error


def _say(plan: CapturePlan, source: Source, tally: _Tally, console: Console, elapsed_s: float) -> None:
    """Tell people how it went."""
    results = tally.results
    dropped = f", {tally.dropped} dropped" if tally.dropped else ""
    out = results["out"]
    places = list(out.values()) if isinstance(out, dict) else [out]
    places = [place for place in (*places, results["annotated"], results.get("to")) if place is not None]
    console.print(
        f"{source.name}: {tally.frames} pictures in {elapsed_s:.1f} s, somebody in {tally.detected}{dropped}"
        + (f" -> {', '.join(places)}" if places and tally.detected else ""),
        soft_wrap=True,
    )
    if "to" in results:
        console.print(
            f"{results['frames_sent']} frames sent, {results['forecasts']} forecasts, {results['frame_faults']} faults"
        )
    whole = tally.ended_by == "end" and tally.failure is None and source.total is not None
    if whole and tally.frames + tally.dropped < _SHORT * (source.total or 0):
        console.print(
            f"{source.name} announces {source.total} pictures: it may have been cut",
            style="yellow",
        )


@contextmanager
def _interruptible() -> Iterator[_Interrupt]:
    """Turn Ctrl-C and SIGTERM into a wish that is looked at between pictures."""
    interrupt = _Interrupt()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield interrupt
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
