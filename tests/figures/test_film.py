"""Films: what is in them when, and files that are opened again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.errors import Unavailable
from bridge.figures.bodies import DARK, LIGHT
from bridge.figures.film import GIF, MP4, Film, FilmFormat, instants
from bridge.figures.film_files import save_gif, save_mp4
from bridge.figures.moments import moment_of
from bridge.figures.observed import Observed
from tests.figures.builders import head_forecast, moving_frames
from tests.support import TINY_LAYOUT, skip_allowed

FEW = FilmFormat(3.0, GIF.dots_per_inch)


def film_of(futures: int = 3, steps: int = 9, frames: int = 60) -> Film:
    observed = Observed(moving_frames(frames), TINY_LAYOUT, 0.1)
    moment = moment_of(head_forecast(30, [0.02 * k for k in range(futures)], steps=steps), observed)
    return Film(moment, observed, TINY_LAYOUT, LIGHT, "title")


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
