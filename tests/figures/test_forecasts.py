"""Pictures as one makes them in a notebook: from a forecaster's result and its window, or from a client's forecast."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.image import imread
from PIL import Image

import bridge.figures
from bridge.errors import InvalidInput, NotFound
from bridge.figures import Animation, Drawing, animate, plot_forecast, storyboard
from bridge.figures.bodies import DARK, LIGHT
from bridge.forecaster import ForecastResult
from bridge.frames import Frame
from bridge.skeleton import Layout, register_layout
from tests.figures.builders import BASE_US, STEP_US, head_forecast, moving_frames
from tests.figures.pictures import has_colour
from tests.forecaster.builders import small_forecaster
from tests.support import TINY_LAYOUT

FORECASTER = small_forecaster()
FRAMES = moving_frames(80)
WINDOW = FORECASTER.window(FRAMES[:30])
DRAW: Sequence[Callable[..., Drawing | Animation]] = (plot_forecast, storyboard, animate)


def made(futures: int = 3, **changed: Any) -> ForecastResult:
    """A forecast of the window, with some fields changed."""
    return replace(FORECASTER.forecast(WINDOW, samples=8, futures=futures, seed=1), **changed)


def image(drawing: Drawing) -> np.ndarray:
    pixels: np.ndarray = imread(io.BytesIO(drawing._repr_png_()))
    return pixels[..., :3]


def words(drawing: Drawing) -> str:
    """Everything that is written on a drawing."""
    texts = [*drawing.texts, *(text for axes in drawing.axes for text in axes.texts)]
    return "\n".join(text.get_text() for text in texts)


def parameters() -> dict[str, Any]:
    """Matplotlib's, but for the backend, which is chosen by being asked for."""
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


@pytest.mark.parametrize("draw", [plot_forecast, storyboard])
def test_past_futures_and_probabilities_are_drawn_and_nothing_that_is_not_known(
    draw: Callable[..., Drawing],
) -> None:
    result = made()
    drawing = draw(result, WINDOW)
    pixels, said = image(drawing), words(drawing)
    for colour in (LIGHT.ink, LIGHT.paper, LIGHT.futures[0]):
        assert has_colour(pixels, colour)
    for probability in result.probabilities:
        assert f"{100 * probability:.0f} %" in said
    assert "happened" not in said and "mm off" not in said
    assert "a at 1.97 s" in said and "3 futures, 1000 ms ahead" in said


def test_what_happened_is_drawn_when_it_is_given() -> None:
    said = words(plot_forecast(made(), WINDOW, truth=FRAMES))
    assert "what\nhappened" in said and said.count("mm off") == 3 and said.count("closest") == 1
    # A truth that ends before the last column says nothing of distances.
    said = words(plot_forecast(made(), WINDOW, truth=FRAMES[:45]))
    assert "what\nhappened" in said and "mm off" not in said


def test_a_clients_forecast_is_drawn_from_the_frames_that_were_sent() -> None:
    forecast = head_forecast(30, [0.01, 0.03])
    known, unknown = plot_forecast(forecast, FRAMES), plot_forecast(forecast, FRAMES[:31])
    assert "0 mm off\nclosest" in words(known)
    assert "happened" not in words(unknown)
    # The order in which frames are given does not matter, and neither does how often truth is told.
    assert words(plot_forecast(forecast, FRAMES[::-1], truth=FRAMES)) == words(known)


def test_a_drawing_shows_itself_in_a_notebook_and_leaves_matplotlib_as_it_was() -> None:
    formatter = InteractiveShell.instance().display_formatter
    assert formatter is not None
    before = parameters()
    drawing = plot_forecast(made(), WINDOW, theme="dark")
    shown, _ = formatter.format(drawing)
    assert shown["image/png"][:4] == b"\x89PNG"
    assert has_colour(imread(io.BytesIO(shown["image/png"]))[..., :3], DARK.paper)
    assert parameters() == before
    film, _ = formatter.format(animate(made(), WINDOW))
    assert film["text/html"].startswith("<img ") and "data:image/gif;base64," in film["text/html"]


def test_a_drawing_is_unknown_to_pyplot(tmp_path: Path) -> None:
    from matplotlib import pyplot

    plot_forecast(made(), WINDOW).savefig(tmp_path / "still.png")
    assert pyplot.get_fignums() == []
    assert imread(tmp_path / "still.png").shape[1] == 1950


def test_a_film_is_saved_as_its_suffix_says(tmp_path: Path) -> None:
    film = animate(made(), WINDOW, truth=FRAMES, theme="dark")
    assert repr(film) == "Animation(1000 ms ahead)"
    film.save(tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as opened:
        assert opened.size == (960, 540) and getattr(opened, "n_frames", 1) > 30
    assert (tmp_path / "film.gif").read_bytes() == film.gif
    with pytest.raises(
        InvalidInput, match=r"path: .*film.avi has no known suffix; expected a name that ends in .gif or .mp4"
    ):
        film.save(tmp_path / "film.avi")
    with pytest.raises(InvalidInput, match=r"path: there is no folder .*; expected an existing folder"):
        film.save(tmp_path / "no" / "film.gif")
    assert [file.name for file in tmp_path.iterdir()] == ["film.gif"]


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize("futures", [1, 3])
def test_nothing_that_is_missing_keeps_the_rest_from_being_drawn(
    draw: Callable[..., Drawing | Animation], futures: int
) -> None:
    result = made(futures)
    result.futures_m[:, 3:, 0] = np.nan
    result.futures_m[0, -1] = np.nan
    holes = FRAMES[:]
    for row in (40, 50, 59):
        landmarks = holes[row].landmarks
        assert landmarks is not None
        landmarks = landmarks.copy()
        landmarks[[0, 5], :3] = np.nan
        holes[row] = replace(holes[row], landmarks=landmarks if row < 59 else None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = draw(result, replace(WINDOW, observed=np.zeros_like(WINDOW.observed)), truth=holes)
        if isinstance(drawn, Animation):
            assert len(list(drawn._film.pictures(replace(bridge.figures.film.GIF, fps=2.0)))) > 5
        else:
            assert image(drawn).shape[1] == 1500


@pytest.mark.parametrize("draw", [plot_forecast, storyboard])
@pytest.mark.parametrize("probabilities", [(0.5, 0.3, 0.1999), (0.5, 0.3, 0.21), (1.0, 0.0, 0.0)])
def test_probabilities_are_drawn_as_they_are(
    draw: Callable[..., Drawing], probabilities: tuple[float, float, float]
) -> None:
    drawing = draw(made(probabilities=np.array(probabilities, np.float32)), WINDOW)
    assert f"{100 * probabilities[2]:.0f} %" in words(drawing)
    assert has_colour(image(drawing), LIGHT.futures[0])


def test_a_layout_without_bones_and_one_that_is_not_registered_are_drawn() -> None:
    points = replace(TINY_LAYOUT, id="test.figures.points", bones=(), limb_bones=())
    drawing = plot_forecast(made(), WINDOW, layout=points)
    assert has_colour(image(drawing), LIGHT.futures[0])
    with pytest.raises(NotFound, match=r"no layout 'nobody.knows'"):
        plot_forecast(made(), replace(WINDOW, layout_id="nobody.knows"))
    assert has_colour(image(plot_forecast(made(), replace(WINDOW, layout_id="nobody.knows"), layout=points)), LIGHT.ink)


def test_frames_of_a_layout_that_cannot_be_told_ask_for_it() -> None:
    layout = Layout(
        id="test.figures.5",
        names=("a", "b", "c", "d", "e"),
        bones=(),
        mirror_pairs=(),
        hips=(0, 1),
        shoulders=(2, 3),
        scale_bones=(),
        limb_bones=(),
        template=TINY_LAYOUT.template[:5],
    )
    forecast = head_forecast(30, [0.01])
    forecast = replace(forecast, futures_m=forecast.futures_m[:, :, :5], spread_m=forecast.spread_m[:, :5])
    frames = [replace(f, landmarks=None if f.landmarks is None else f.landmarks[:5]) for f in FRAMES]
    with pytest.raises(InvalidInput, match="layout: is not given, and 0 known layouts have 5 landmarks"):
        plot_forecast(forecast, frames)
    plot_forecast(forecast, frames, layout=layout)
    register_layout(layout)
    plot_forecast(forecast, frames)


ELSEWHERE = [replace(frame, avatar_id="b") for frame in FRAMES]
LATER = replace(WINDOW, timestamp_us=WINDOW.timestamp_us + 33_333)


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize(
    ("parts", "options", "said"),
    [
        ((made(), replace(WINDOW, avatar_id="b")), {}, "seen: is of 'b', the forecast is of 'a'"),
        ((made(), LATER), {}, "seen: ends at 1999990 us, the forecast starts from 1966657 us"),
        ((made(), WINDOW), {"truth": ELSEWHERE}, "truth: holds a frame of 'b', the forecast is of 'a'"),
        ((made(), WINDOW), {"truth": FRAMES[:30]}, "truth: none of 30 frames is later"),
        ((made(), WINDOW), {"theme": "sepia"}, "theme: is 'sepia'"),
        ((head_forecast(20, [0.0]), ELSEWHERE), {}, "seen: holds a frame of 'b', the forecast is of 'a'"),
        ((head_forecast(20, [0.0]), FRAMES[40:]), {}, "seen: begins at"),
        ((head_forecast(20, [0.0]), []), {}, "seen: is empty"),
        ((made(futures_m=np.zeros((3, 30, 9, 3), np.float32)), WINDOW), {}, r"layout: has 7 landmarks"),
        ((made(futures_m=np.zeros((3, 30, 7), np.float32)), WINDOW), {}, "forecast.futures_m: has shape"),
        ((made(probabilities=np.ones(2, np.float32)), WINDOW), {}, "forecast.probabilities: has shape"),
        ((made(probabilities=np.array([1, np.nan, 0], np.float32)), WINDOW), {}, "expected numbers from 0 that add"),
        ((made(probabilities=np.zeros(3, np.float32)), WINDOW), {}, "expected numbers from 0 that add"),
        ((made(probabilities=np.array([1.5, -0.5, 0], np.float32)), WINDOW), {}, "expected numbers from 0 that add"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused_in_one_line(
    draw: Callable[..., object], parts: tuple[Any, Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        draw(*parts, **options)
    assert "\n" not in str(refused.value) and refused.value.expected


def test_frames_of_another_size_are_refused() -> None:
    frames = [*FRAMES[:40], Frame("a", 40, BASE_US + 40 * STEP_US, np.zeros((5, 4), np.float32))]
    with pytest.raises(InvalidInput, match=r"frame.landmarks: has shape \(5, 4\); expected \(7, 4\)"):
        plot_forecast(head_forecast(20, [0.0]), frames)


def test_dollars_in_a_title_are_no_formula() -> None:
    drawing = plot_forecast(made(), WINDOW, title="take $5_{ of $x^")
    image(drawing)
    assert "take $5_{ of $x^" in words(drawing)


@pytest.mark.parametrize("name", bridge.figures.__all__)
def test_public_name_is_found(name: str) -> None:
    assert getattr(bridge.figures, name) is not None


def test_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(AttributeError, match="plot_pose"):
        bridge.figures.plot_pose  # type: ignore[attr-defined]  # noqa: B018
