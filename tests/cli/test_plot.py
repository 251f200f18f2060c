"""Pictures of a forecast: real recordings, a small network with random weights, files that are opened again."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.cli.child_server import child_server
from bridge.cli.clips import BUNDLED_RECORDING
from bridge.cli.plot import Kind
from bridge.cli.plot_run import choose_output, forecast_at
from bridge.cli.replay_run import AVATAR
from bridge.client import connect
from bridge.engine.local import LocalEngine
from bridge.errors import BridgeError, FailedPrecondition, InvalidInput
from bridge.figures.bodies import LIGHT, THEMES
from bridge.recordings import clip_frames, load_clips, save_recording
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.values import SessionConfig
from tests.cli.helpers import json_of, make_recording, run
from tests.figures.pictures import has_colour
from tests.support import TINY_LAYOUT, tiny_weights


def failure_of(*arguments: object) -> BridgeError:
    """The error that ``pose-bridge plot`` ends with."""
    error = CliRunner().invoke(app, ["plot", *map(str, arguments)]).exception
    assert isinstance(error, BridgeError), error
    return error


def test_the_bundled_recording_becomes_a_still_and_says_what_it_shows(tmp_path: Path) -> None:
    out = tmp_path / "still.png"
    done = run("plot", BUNDLED_RECORDING, "--out", out, "--futures", 3, "--at", 3, "--threads", 1, "--json")
    facts = json_of(done)
    assert (facts["kind"], facts["clip"], facts["frame"], facts["at_s"]) == ("still", "sports2d_demo", 90, 3.0)
    assert (facts["futures"], facts["samples"], facts["horizon_ms"]) == (3, 32, 1000)
    assert sum(facts["probabilities"]) == pytest.approx(1.0, abs=1e-4)
    assert facts["probabilities"] == sorted(facts["probabilities"], reverse=True)
    assert facts["closest_future"] == int(np.argmin(facts["errors_mm"]))
    assert (facts["out"], facts["bytes"]) == (str(out), out.stat().st_size)
    image = imread(out)[..., :3]
    for colour in (LIGHT.ink, LIGHT.paper, *LIGHT.futures[:3]):
        assert has_colour(image, colour)
    assert "3 futures" in done.stderr and str(out) in done.stderr


@pytest.mark.parametrize("kind", ["still", "storyboard"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_stills_and_strips_are_drawn_on_either_paper(kind: str, theme: str, tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "swaying.npz", count=80, lost=(0, 20))
    out = tmp_path / "picture.png"
    wanted = ["plot", recording, "--out", out, "--kind", kind, "--theme", theme, "--futures", 2]
    done = CliRunner().invoke(app, [*map(str, wanted), "--weights", str(tiny_weights(tmp_path)), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    image = imread(out)[..., :3]
    assert image.shape[1] == 1950
    paper = [int(THEMES[theme].paper[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    assert np.allclose(image[0, 0], paper, atol=0.01)
    assert has_colour(image, THEMES[theme].futures[0]) and has_colour(image, THEMES[theme].ink)


def test_a_film_is_five_seconds_of_gif_that_goes_round(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "swaying.npz", count=90)
    out = tmp_path / "film.gif"
    facts = json_of(run("plot", recording, "--out", out, "--weights", tiny_weights(tmp_path), "--threads", 1, "--json"))
    assert facts["kind"] == "animation"
    with Image.open(out) as film:
        assert (film.size, film.info["loop"]) == ((960, 540), 0)
        length_ms, pictures = 0, []
        for index in range(getattr(film, "n_frames", 1)):
            film.seek(index)
            length_ms += film.info["duration"]
            pictures.append(np.asarray(film.convert("RGB"), np.float32) / 255)
    assert 4500 <= length_ms <= 5500
    for colour in LIGHT.futures[:5]:
        assert has_colour(pictures[-1], colour) and not has_colour(pictures[0], colour)
    assert all((before != after).any() for before, after in pairwise(pictures))


def test_mp4_without_ffmpeg_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure_of(tmp_path / "no-such-recording.npz", "--out", tmp_path / "film.mp4")
    assert isinstance(error, FailedPrecondition)
    assert error.field == "out" and "ffmpeg" in error.problem and ".gif" in error.expected


@pytest.mark.parametrize(
    ("out", "kind", "expected"),
    [
        ("film.docx", None, ".png, .svg, .gif or .mp4"),
        ("film.png", Kind.ANIMATION, ".gif or .mp4"),
        ("still.gif", Kind.STILL, ".png or .svg"),
        ("no/where.png", None, "an existing folder"),
    ],
)
def test_a_file_that_cannot_hold_the_kind_is_refused(
    out: str, kind: Kind | None, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as refused:
        choose_output(tmp_path / out, kind, Path("walk.npz"))
    assert refused.value.field == "out" and expected in refused.value.expected


def test_what_is_not_said_follows_from_the_rest() -> None:
    assert choose_output(None, None, Path("in/walk.npz")) == (Path("walk.still.png"), Kind.STILL)
    assert choose_output(None, Kind.ANIMATION, Path("walk.npz")) == (Path("walk.animation.gif"), Kind.ANIMATION)
    assert choose_output(Path("a.gif"), None, Path("walk.npz")) == (Path("a.gif"), Kind.ANIMATION)
    assert choose_output(Path("a.SVG"), Kind.STORYBOARD, Path("walk.npz")) == (Path("a.SVG"), Kind.STORYBOARD)


def test_wrong_input_names_the_field_and_what_would_be_right(tmp_path: Path) -> None:
    weights, out = tiny_weights(tmp_path), tmp_path / "still.png"
    recording = make_recording(tmp_path / "swaying.npz", count=60)
    late = failure_of(recording, "--weights", weights, "--at", 30, "--out", out)
    assert late.field == "at" and "the nearest one is 1.97" in late.expected
    assert failure_of(recording, "--weights", weights, "--at", "nan", "--out", out).field == "at"
    short = failure_of(make_recording(tmp_path / "short.npz", count=8), "--weights", weights, "--out", out)
    assert isinstance(short, FailedPrecondition) and short.field == "recording"
    assert failure_of(recording, "--weights", weights, "--clip", "other", "--out", out).field == "clip"
    assert failure_of(recording, "--weights", weights, "--device", "cuda:99", "--out", out).field == "device"
    (tmp_path / "folder.png").mkdir()
    assert failure_of(recording, "--weights", weights, "--out", tmp_path / "folder.png").field == "out"
    save_recording(
        tmp_path / "tiny.npz",
        pose_m=np.repeat(TINY_LAYOUT.template[None], 60, axis=0),
        visibility=np.ones((60, TINY_LAYOUT.joints)),
        timestamp_us=np.arange(60) * 33_333,
        fps=30.0,
        layout_id=TINY_LAYOUT.id,
    )
    other = failure_of(tmp_path / "tiny.npz", "--weights", weights, "--out", out)
    assert other.field == "recording" and other.expected == MEDIAPIPE_POSE_33.id
    assert not out.exists()


def test_the_futures_drawn_are_those_that_a_server_sends(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path)
    frames = list(clip_frames(load_clips(make_recording(tmp_path / "swaying.npz"))[0], AVATAR))
    config = SessionConfig(client_name="plot", samples=8, futures=3, seed=5)
    engine = LocalEngine.load(weights, device="cpu", threads=1)
    drawn = forecast_at(engine, frames, config)
    with child_server(weights=weights, threads=1) as server, connect(server.grpc, config=config) as client:
        sent = client.forecast(frames)
    assert np.allclose(drawn.futures_m, sent.futures_m, atol=2e-3)
    assert np.allclose(drawn.probabilities, sent.probabilities, atol=1e-6)
    other = forecast_at(engine, frames, SessionConfig(client_name="plot", samples=8, futures=3, seed=6))
    assert not np.allclose(drawn.futures_m, other.futures_m, atol=1e-3)
