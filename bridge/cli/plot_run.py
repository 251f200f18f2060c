"""What ``pose-bridge plot`` does: forecasts one moment of a recording, as a live session would, and draws it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bridge.cli.clips import choose_clip
from bridge.cli.plot import Kind
from bridge.cli.progress import announced, busy, counting
from bridge.cli.replay_run import AVATAR
from bridge.engine import Completed, EngineInfo, EngineRequest, Outcome
from bridge.engine.local import LocalEngine
from bridge.errors import BridgeError, FailedPrecondition, InternalError, InvalidInput
from bridge.figures.bodies import THEMES
from bridge.figures.forecasts import title_of
from bridge.figures.moments import Moment, errors_mm, interest, moment_of
from bridge.figures.observed import Observed
from bridge.frames import Frame
from bridge.recordings import Clip, clip_frames
from bridge.session.avatar import Avatar, Due
from bridge.whole_file import check_output, whole_file
from bridge.wire.values import Forecast, SessionConfig

_NEAR_S = 0.1


SUFFIXES = {
    Kind.STILL: (".png", ".svg"),
    Kind.STORYBOARD: (".png", ".svg"),
    Kind.ANIMATION: (".gif", ".mp4"),
}
"""Files that a kind can be written to, the usual one first."""


@dataclass(frozen=True, slots=True)
class PlotPlan:
    """What is asked for; see the options of ``pose-bridge plot``."""

    recording: Path
    clip_id: str | None
    joint_map: Path | None
    out: Path | None
    kind: Kind | None
    at_s: float | None
    config: SessionConfig
    theme: str
    weights: Path | None
    device: str
    threads: int | None


def choose_output(out: Path | None, kind: Kind | None, recording: Path) -> tuple[Path, Kind]:
    """Return file and kind: what is not given follows from the other, without both it is a still beside us.

    Raises:
        InvalidInput: if the two do not go together, the suffix is none of ours, or there is no such folder.
    """
    if out is None:
        kind = kind or Kind.STILL
        return Path(f"{recording.stem}.{kind}{SUFFIXES[kind][0]}"), kind
    suffix = out.suffix.lower()
    kinds = [each for each, suffixes in SUFFIXES.items() if suffix in suffixes]
    if not kinds:
        raise InvalidInput(f"{out} has no known suffix", field="out", expected=".png, .svg, .gif or .mp4")
    if kind is not None and kind not in kinds:
        right = " or ".join(SUFFIXES[kind])
        raise InvalidInput(f"{out} cannot hold a {kind}", field="out", expected=f"a name in {right}")
    check_output(out)
    return out, kind or kinds[0]


def run_plot(plan: PlotPlan, console: Console) -> dict[str, Any]:
    """Draw what the plan says and return what was drawn as JSON values; what takes a while is told on the console.

    Raises:
        NotFound, InvalidInput: if the recording cannot be read, or an option is wrong; names it.
        FailedPrecondition: if the recording never holds a full window, or ffmpeg is wanted and missing.
        CheckpointError: if the weights cannot be used.
        ResourceExhausted: if there is no room for the file.
        Unavailable: if ffmpeg fails.
    """
    out, kind = choose_output(plan.out, plan.kind, plan.recording)
    if out.suffix.lower() == ".mp4":
        from bridge.figures.film_files import require_ffmpeg

        require_ffmpeg()
    clip = choose_clip(plan.recording, plan.clip_id, plan.joint_map, console)
    with announced(console, "Loading the weights"):
        engine = LocalEngine.load(plan.weights, device=plan.device, threads=plan.threads)
    info = engine.info
    if clip.layout_id != info.layout.id:
        raise InvalidInput(f"{clip.clip_id} has layout {clip.layout_id}", field="recording", expected=info.layout.id)
    config = plan.config.validated(called="plot")
    config.require_reply_fits(joints=info.layout.joints, rate_hz=info.rate_hz, called="plot")
    frames = list(clip_frames(clip, AVATAR))
    observed = Observed(frames, info.layout, config.visibility_threshold)
    row = _choose_row(clip, frames, observed, config, info, plan.at_s)
    with busy(console, "forecasting"):
        forecast = forecast_at(engine, frames[: row + 1], config)
    moment = moment_of(forecast, observed)
    at_s = float(clip.timestamp_us[row] - clip.timestamp_us[0]) / 1e6
    with whole_file(out, keep_suffix=True) as draft:
        _draw(draft, kind, moment, observed, info, clip, at_s, plan.theme, console)
    errors = errors_mm(moment)
    known = [error for error in errors if error is not None]
    return {
        "out": str(out.resolve()),
        "bytes": out.stat().st_size,
        "kind": kind.value,
        "recording": str(plan.recording),
        "clip": clip.clip_id,
        "frame": row,
        "at_s": round(at_s, 6),
        "horizon_ms": moment.future_ms[-1],
        "futures": len(forecast.probabilities),
        "samples": forecast.samples,
        "probabilities": [round(float(p), 6) for p in forecast.probabilities],
        "errors_mm": [None if error is None else round(error, 2) for error in errors],
        "closest_future": int(np.argmin(known)) if known else None,
        "theme": plan.theme,
        "seed": config.seed,
        "weights_id": info.weights_id,
        "device": info.device,
    }


def forecast_at(engine: LocalEngine, frames: Sequence[Frame], config: SessionConfig) -> Forecast:
    """Return the forecast that a session with this config gives for the last of the frames.

    Raises:
        FailedPrecondition: if they do not end with a full window.
        BridgeError: if the body in it fits no canonical frame.
    """
    avatar = Avatar(frames[0].avatar_id, "plot", config, engine.info)
    for frame in frames:
        avatar.add(frame)
    snapshot = avatar.snapshot()
    if snapshot is None:
        raise FailedPrecondition("the frames do not end with a full window", field="frames")
    now_s = time.monotonic()
    request = avatar.request(snapshot, arrived_s=now_s, deadline_s=now_s + 600.0, done=_nobody_waits)
    (result,) = engine.infer([request], request.deadline_s)
    if isinstance(result, BridgeError):
        raise result
    return avatar.forecast(request, Completed(result, now_s, time.monotonic() - now_s, 1))


def _nobody_waits(request: EngineRequest, outcome: Outcome) -> None:
    """Only a dispatcher tells outcomes."""
    raise InternalError(f"{request.key} was told {outcome}")


def _choose_row(
    clip: Clip,
    frames: Sequence[Frame],
    observed: Observed,
    config: SessionConfig,
    info: EngineInfo,
    at_s: float | None,
) -> int:
    """The frame to forecast from: the one nearest to ``at_s``, else that with the most movement around it."""
    avatar = Avatar(AVATAR, "plot", config, info)
    rows = [row for row, frame in enumerate(frames) if avatar.add(frame) is not Due.NOTHING]
    if not rows:
        raise FailedPrecondition(
            f"{clip.clip_id} never shows a person for {info.context_frames} frames in a row",
            field="recording",
            expected=f"at least {info.context_frames / info.rate_hz:.2f} s without a gap above 200 ms",
        )
    if at_s is None:
        horizon_us = round(config.horizon_steps(info.rate_hz) * 1e6 / info.rate_hz)
        return max(rows, key=lambda row: interest(observed, frames[row].timestamp_us, horizon_us))
    times_s = (clip.timestamp_us[rows] - clip.timestamp_us[0]) / 1e6
    nearest = int(np.argmin(np.abs(times_s - at_s)))
    if not abs(float(times_s[nearest]) - at_s) <= _NEAR_S:  # nor if it is no number
        context_s = info.context_frames / info.rate_hz
        raise InvalidInput(
            f"{at_s:g} s does not end {context_s:.2f} s in which {clip.clip_id} shows a person",
            field="at",
            expected=f"a time from {times_s[0]:.2f} to {times_s[-1]:.2f} s, the nearest one is {times_s[nearest]:.2f}",
        )
    return rows[nearest]


def _draw(
    out: Path,
    kind: Kind,
    moment: Moment,
    observed: Observed,
    info: EngineInfo,
    clip: Clip,
    at_s: float,
    theme_name: str,
    console: Console,
) -> None:
    theme, forecast = THEMES[theme_name], moment.forecast
    count = len(forecast.probabilities)
    title = title_of(moment)
    where = f"{clip.clip_id} at {at_s:.2f} s: {count} chosen from {forecast.samples} drawn trajectories, with the share"
    if kind is Kind.STILL:
        from bridge.figures.still import draw_moment

        caption = (
            f"{where} of them that each stands for.\n"
            "Grey: what happened. Right: mean distance over all landmarks in the last column."
        )
        draw_moment(moment, info.layout, title=title, caption=caption, theme=theme).savefig(out)
    elif kind is Kind.STORYBOARD:
        from bridge.figures.strip import draw_strip

        caption = f"{where} of them that each stands for."
        draw_strip(moment, info.layout, title=title, caption=caption, theme=theme).savefig(out)
    else:
        from bridge.figures.film import GIF, MP4, Film, instants
        from bridge.figures.film_files import save_gif, save_mp4

        film = Film(moment, observed, info.layout, theme, title)
        is_gif = out.suffix.lower() == ".gif"
        form = GIF if is_gif else MP4
        count = len(instants(film.horizon_ms, form.fps))
        with counting(console, "pictures", count) as advance:
            pictures = _counted(film.pictures(form), advance)
            if is_gif:
                save_gif(out, pictures, theme)
            else:
                save_mp4(out, pictures)


def _counted(pictures: Iterable[NDArray[np.uint8]], advance: Callable[..., None]) -> Iterator[NDArray[np.uint8]]:
    for picture in pictures:
        yield picture
        advance(1)
