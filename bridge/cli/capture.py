"""``pose-bridge capture``: a webcam, video or image folder through MediaPipe, to a server, a recording, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.credentials import NO_CREDENTIALS, CredentialFiles, with_credentials
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, SendTo
from bridge.errors import InvalidInput


@examples(
    ("pose-bridge capture 0 --to 127.0.0.1:50551", "Streams the first camera to a server here."),
    (
        "pose-bridge capture walk.mp4 --out walk.npz --annotated walk-seen.mp4",
        "Records a video, and draws what it saw.",
    ),
)
@with_credentials()
def capture(
    source: Annotated[
        str,
        typer.Argument(help="A camera's number (0 for the first), a video file, or a folder of images."),
    ],
    to: SendTo = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Recording; with several avatars FILE.AVATAR.npz for each.")
    ] = None,
    annotated: Annotated[
        Path | None, typer.Option(metavar="FILE.mp4", help="Video of the pictures with what was seen in them.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show what is seen in a window; q or Esc ends.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="lite|full|heavy|FILE.task",
            help="Model; one that is not a file is fetched once. [default: POSE_BRIDGE_MODEL, else full]",
        ),
    ] = None,
    model_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where models are fetched. [default: Google's model storage]")
    ] = None,
    max_poses: Annotated[
        int | None, typer.Option(min=1, help="People at a time. [default: as many as --avatar, else 1]")
    ] = None,
    avatar: Annotated[
        list[str] | None,
        typer.Option(help="Name; give it once for each person. [default: player1, player2 ...]"),
    ] = None,
    client_name: Annotated[str, typer.Option(help="Of the session; an avatar's full name is client/avatar.")] = (
        "capture"
    ),
    mirror: Annotated[
        bool, typer.Option("--mirror", help="The pictures are mirrored (a selfie view): turn them back first.")
    ] = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="Smooth the landmarks with a One-Euro filter.")] = False,
    smooth_min_cutoff_hz: Annotated[
        float | None, typer.Option(help="Its cut-off at rest: lower is calmer. [default: 1.5]")
    ] = None,
    smooth_beta: Annotated[
        float | None, typer.Option(help="Hz per m/s: higher lags less; at most 1/(2 pi beta) metres. [default: 10]")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="For finding a person and for following one.")
    ] = 0.5,
    fps: Annotated[
        float | None, typer.Option(help="Of a folder's images (else 30), or what a camera is asked for.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="End after so long by the pictures' times. [default: at the end]"),
    ] = None,
    credentials: CredentialFiles = NO_CREDENTIALS,
    as_json: AsJson = False,
) -> None:
    """Find people in pictures with MediaPipe and send or record their poses: 33 landmarks in metres.

    A video goes to a server at its own speed, to a file as fast as it can be read, every frame of it; of a camera the
    newest picture is taken, and those that nobody had time for are counted as dropped. Times are those of capture: the
    video's own, or the monotonic clock's when a camera's picture came.

    Ctrl-C ends a capture and leaves complete files: exit code 0 for a camera, 130 for a video or folder that has not
    been seen to its end. Exit code 1 if nobody was ever detected; no recording is written then.

    Model files: --model, else what POSE_BRIDGE_MODEL names, else the cache (pose-bridge/models in XDG_CACHE_HOME or
    ~/.cache), into which they are fetched once and checked.
    """
    # Loaded late: help and wrong options should not wait for numpy, OpenCV and MediaPipe.
    from bridge.capture import (
        DEFAULT_BETA_PER_M,
        DEFAULT_MIN_CUTOFF_HZ,
        MODEL_URL,
        Smoothing,
        avatar_names,
    )
    from bridge.cli.capture_run import CapturePlan, run_capture

    if to is None and out is None and annotated is None and not preview:
        raise InvalidInput(
            "says neither where to send what is seen nor where to write it",
            field="capture",
            expected="--to, --out, --annotated or --preview",
        )
    smoothing = None
    if smooth:
        smoothing = Smoothing(
            DEFAULT_MIN_CUTOFF_HZ if smooth_min_cutoff_hz is None else smooth_min_cutoff_hz,
            DEFAULT_BETA_PER_M if smooth_beta is None else smooth_beta,
        )
    elif smooth_min_cutoff_hz is not None or smooth_beta is not None:
        raise InvalidInput("is set without smoothing", field="smooth", expected="--smooth with it")
    plan = CapturePlan(
        source=source,
        to=to,
        out=out,
        annotated=annotated,
        preview=preview,
        model=model,
        model_url=model_url or MODEL_URL,
        avatars=avatar_names(avatar or (), max_poses),
        client_name=client_name,
        mirror=mirror,
        smoothing=smoothing,
        min_confidence=min_confidence,
        fps=fps,
        seconds=seconds,
        credentials=credentials.read(),
    )
    run_capture(plan, print_json=as_json)
