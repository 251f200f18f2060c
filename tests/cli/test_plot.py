"""Pictures of a forecast: real recordings, a small network with random weights, files that are opened again."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image
from typer.testing import CliRunner

from bridge.cli.animation import GIF, MP4, Film, FilmFormat, instants, save_gif, save_mp4
from bridge.cli.app import app
from bridge.cli.bodies import DARK, LIGHT, THEMES, Pose, draw_body, solidity
from bridge.cli.child_server import child_server
from bridge.cli.clips import BUNDLED_RECORDING
from bridge.cli.picture import moment_of
from bridge.cli.plot import Kind
from bridge.cli.plot_run import choose_output, forecast_at
from bridge.cli.replay_run import AVATAR
from bridge.cli.scoreboard import Observed
from bridge.client import connect
from bridge.engine.local import LocalEngine
from bridge.errors import BridgeError, FailedPrecondition, InvalidInput, Unavailable
from bridge.recordings import clip_frames, load_clips, save_recording
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.values import SessionConfig
from tests.cli.helpers import json_of, make_recording, run
from tests.cli.test_picture import has_colour
from tests.cli.test_scoreboard import head_forecast, moving_frames
from tests.support import TINY_LAYOUT, skip_allowed, tiny_weights

FEW = FilmFormat(3.0, GIF.dots_per_inch)


def film_of(futures: int = 3, steps: int = 9, frames: int = 60) -> Film:
    observed = Observed(moving_frames(frames), TINY_LAYOUT, 0.1)
    moment = moment_of(head_forecast(30, [0.02 * k for k in range(futures)], steps=steps), observed)
    return Film(moment, observed, TINY_LAYOUT, LIGHT, "title")


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


@pytest.mark.parametrize(("futures", "steps"), [(1, 3), (16, 30)])
def test_few_and_many_futures_fit_into_a_film(futures: int, steps: int) -> None:
    film = film_of(futures, steps)
    last = list(film.pictures(FEW))[-1]
    assert last.shape == (540, 960, 3)
    drawn = (np.abs(last.astype(int) - last[0, 0].astype(int)) > 8).any(axis=-1)
    # Nothing reaches the edge, so nothing was cut off.
    assert not drawn[:4].any() and not drawn[-2:].any() and not drawn[:, :4].any() and not drawn[:, -4:].any()


def test_a_film_of_which_the_end_is_not_known_still_runs() -> None:
    film = film_of(2, 30, frames=35)
    assert len(list(film.pictures(FEW))) == len(instants(film.horizon_ms, FEW.fps))


def test_a_film_goes_from_the_past_over_now_to_the_horizon_and_never_back() -> None:
    for horizon_ms in (33.0, 1000.0, 3000.0):
        film = instants(horizon_ms, GIF.fps)
        times_ms = [instant.time_ms for instant in film]
        assert times_ms[0] == -800.0 and 0.0 in times_ms and times_ms[-1] == pytest.approx(horizon_ms)
        assert times_ms == sorted(times_ms)
        assert film[-1].over and not film[0].over
        assert 3.5 <= len(film) / GIF.fps <= 6.0


def test_mp4_without_ffmpeg_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure_of(tmp_path / "no-such-recording.npz", "--out", tmp_path / "film.mp4")
    assert isinstance(error, FailedPrecondition)
    assert error.field == "out" and "ffmpeg" in error.problem and ".gif" in error.expected


def test_what_ffmpeg_complains_about_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho 'Unknown encoder' >&2\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    pictures = [np.zeros((1080, 1920, 3), np.uint8)] * 3
    with pytest.raises(Unavailable, match="Unknown encoder"):
        save_mp4(tmp_path / "film.mp4", pictures)


def test_ffmpeg_gets_every_picture(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        skip_allowed("no ffmpeg")
    out = tmp_path / "film.mp4"
    save_mp4(out, film_of(2, 3).pictures(FilmFormat(3.0, MP4.dots_per_inch)))
    assert out.read_bytes()[4:8] == b"ftyp"


def test_a_gif_has_the_colours_of_its_theme_and_no_others(tmp_path: Path) -> None:
    picture = np.full((20, 20, 3), [int(DARK.paper[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)
    picture[5:9] = [int(DARK.futures[4][at : at + 2], 16) for at in (1, 3, 5)]
    save_gif(tmp_path / "film.gif", [picture, picture[::-1]], DARK)
    with Image.open(tmp_path / "film.gif") as film:
        assert (np.asarray(film.convert("RGB")) == picture).all()


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


def test_the_less_probable_the_fainter_but_never_lost() -> None:
    shares = [solidity(probability, 0.5) for probability in (0.5, 0.3, 0.1, 0.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0 and shares[-1] >= 0.3
    assert LIGHT.faded(LIGHT.ink, 1.0) == LIGHT.ink and LIGHT.faded(LIGHT.ink, 0.0) == LIGHT.paper


def test_a_hand_whose_arm_is_hidden_is_not_drawn_in_the_air() -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    def lines(visible: np.ndarray) -> int:
        axes = Figure().add_subplot()
        pose = Pose(MEDIAPIPE_POSE_33.template, visible)
        draw_body(axes, pose, MEDIAPIPE_POSE_33, (0.0, 0.0), 1.0, LIGHT.ink, width=1.0)
        (collection,) = (each for each in axes.collections if isinstance(each, LineCollection))
        return len(collection.get_segments())

    whole = np.ones(33, bool)
    no_elbow = whole.copy()
    no_elbow[MEDIAPIPE_POSE_33.names.index("left_elbow")] = False
    # Gone are upper arm, lower arm and the four bones of the hand.
    assert lines(whole) - lines(no_elbow) == 6
