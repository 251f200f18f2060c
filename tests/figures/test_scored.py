"""A scored recording as a picture: the alerts of a real rule over a body that jumps."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from bridge.anomaly import BUNDLED_CALIBRATION, Calibration, ReplayedTrack, alerts_of, p_values_of, replay
from bridge.errors import InvalidInput
from bridge.figures import Drawing, plot_scores
from bridge.figures.bodies import DARK, LIGHT
from bridge.forecaster import Forecaster
from bridge.recordings import BUNDLED_RECORDING, Clip, load_clips
from tests.figures.pictures import has_colour


def shaken(clip: Clip) -> Clip:
    """The first five seconds of a clip, of which 20 frames are shaken at random; a hand is never seen."""
    pose_m, visibility = clip.pose_m[:150].copy(), clip.visibility[:150].copy()
    pose_m[100:120] += np.random.default_rng(0).normal(scale=0.3, size=(20, 33, 3)).astype(np.float32)
    pose_m[:, [15, 17, 19, 21]], visibility[:, [15, 17, 19, 21]] = np.nan, 0.0
    return replace(clip, pose_m=pose_m, visibility=visibility, timestamp_us=clip.timestamp_us[:150])


@pytest.fixture(scope="module")
def track() -> ReplayedTrack:
    clip = shaken(load_clips(BUNDLED_RECORDING)[0])
    (replayed,) = replay(Forecaster.load(device="cpu"), [clip], calibration=Calibration.load(BUNDLED_CALIBRATION))
    return replayed


def pixels(drawing: Drawing) -> np.ndarray:
    image: np.ndarray = imread(io.BytesIO(drawing._repr_png_()))
    return image[..., :3]


@pytest.mark.parametrize(("theme", "paper"), [("light", LIGHT), ("dark", DARK)])
def test_alerts_stand_out_over_p_values_and_evidence(track: ReplayedTrack, theme: str, paper: object) -> None:
    alerts = alerts_of(track)
    assert alerts
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = plot_scores(track, theme="light" if theme == "light" else "dark")
        image = pixels(drawing)
    over_time, evidence, *bodies = drawing.axes
    (line,) = (line for line in over_time.lines if len(line.get_xdata()) == 150)  # type: ignore[arg-type]
    told = np.array([np.nan if p is None else p for p in p_values_of(track)], np.float64)
    np.testing.assert_array_equal(np.asarray(line.get_ydata()), told)
    assert len(over_time.patches) == len(evidence.patches) == len(alerts)
    assert len(bodies) == 6 * min(len(alerts), 4)
    assert f"{len(alerts)} alert" in over_time.get_title(loc="left")
    colours = LIGHT if paper is LIGHT else DARK
    assert has_colour(image, colours.paper) and has_colour(image, colours.ink)


def test_a_recording_without_a_verdict_is_drawn_as_such(track: ReplayedTrack) -> None:
    silent = replace(track, frames=())
    drawing = plot_scores(silent)
    assert "0 alerts" in drawing.axes[0].get_title(loc="left")
    assert has_colour(pixels(drawing), LIGHT.paper)


def test_another_theme_is_refused(track: ReplayedTrack) -> None:
    with pytest.raises(InvalidInput, match="theme: is 'sepia'"):
        plot_scores(track, theme="sepia")  # type: ignore[arg-type]
