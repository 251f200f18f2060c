"""Forecasts as pictures and films, from Python: what ``pose-bridge plot`` draws, for notebooks."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from bridge.figures.bodies import Theme, ThemeName, theme_of
from bridge.figures.drawing import Drawing
from bridge.figures.film import GIF, MP4, Film
from bridge.figures.film_files import save_gif, save_mp4
from bridge.figures.given import given
from bridge.figures.moments import Moment
from bridge.figures.still import draw_moment
from bridge.figures.strip import draw_strip
from bridge.forecaster.results import ForecastResult
from bridge.frames import Frame, Window
from bridge.skeleton import Layout
from bridge.whole_file import check_output, whole_file
from bridge.wire.values import Forecast


def plot_forecast(
    forecast: Forecast | ForecastResult,
    seen: Window | Sequence[Frame],
    *,
    truth: Sequence[Frame] | None = None,
    layout: Layout | None = None,
    theme: ThemeName = "light",
    title: str | None = None,
) -> Drawing:
    """Draw what was seen and the K futures, one in each row, the more probable the wider its branch.

    The figure shows itself at the end of a notebook's cell; ``.savefig("forecast.png")`` writes it to a file.

    Args:
        forecast: what `bridge.forecaster.Forecaster.forecast` or a client returned.
        seen: the window that it was made from, or frames of the avatar; those after the one that the forecast is based
            on are then what happened.
        truth: frames of the avatar to take what happened from, on the clock of ``seen``; may be a whole recording.
        layout: names and bones of the landmarks. None takes that of the window; for frames, the known one with as many.
        theme: "light" or "dark" paper.
        title: above everything; None says how many futures there are and how far they reach.

    Raises:
        InvalidInput: if the parts do not belong together (another avatar, another moment, another number of landmarks),
            or there is no such theme; names the argument.
        NotFound: if the window's layout is not known.

    Example:
        >>> from bridge.forecaster import Forecaster
        >>> from bridge.recordings import BUNDLED_RECORDING, clip_frames, load_clips
        >>> frames = list(clip_frames(load_clips(BUNDLED_RECORDING)[0], "me"))
        >>> forecaster = Forecaster.load(device="cpu")
        >>> window = forecaster.window(frames[:120])
        >>> figure = plot_forecast(forecaster.forecast(window), window, truth=frames)
        >>> figure.get_size_inches()[0].item()
        15.0
    """
    moment, _, layout = given(forecast, seen, truth, layout)
    return draw_moment(moment, layout, title=title or title_of(moment), caption=_caption(moment), theme=theme_of(theme))


def storyboard(
    forecast: Forecast | ForecastResult,
    seen: Window | Sequence[Frame],
    *,
    truth: Sequence[Frame] | None = None,
    layout: Layout | None = None,
    theme: ThemeName = "light",
    title: str | None = None,
) -> Drawing:
    """Draw a strip, one column a moment: the past, and all futures over each other above what happened.

    Arguments, result and errors are those of `plot_forecast`.
    """
    moment, _, layout = given(forecast, seen, truth, layout)
    caption = f"{_where(moment)}."
    return draw_strip(moment, layout, title=title or title_of(moment), caption=caption, theme=theme_of(theme))


def animate(
    forecast: Forecast | ForecastResult,
    seen: Window | Sequence[Frame],
    *,
    truth: Sequence[Frame] | None = None,
    layout: Layout | None = None,
    theme: ThemeName = "light",
    title: str | None = None,
) -> Animation:
    """Make a film of about five seconds: the past, the futures parting, and what happened catching up with them.

    It shows itself at the end of a notebook's cell, and ``.save("film.gif")`` or ``.save("film.mp4")`` writes it. Its
    pictures are drawn when they are first needed, which takes some seconds.

    Arguments and errors are those of `plot_forecast`.
    """
    moment, observed, layout = given(forecast, seen, truth, layout)
    colours = theme_of(theme)
    return Animation(Film(moment, observed, layout, colours, title or title_of(moment)), colours)


class Animation:
    """A film of a forecast; made by `animate`."""

    def __init__(self, film: Film, theme: Theme) -> None:
        self._film = film
        self._theme = theme
        self._gif: bytes | None = None

    def __repr__(self) -> str:
        return f"Animation({self._film.horizon_ms:.0f} ms ahead)"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        data = base64.b64encode(self.gif).decode("ascii")
        return f'<img alt="the forecast as a film" src="data:image/gif;base64,{data}">'

    @property
    def gif(self) -> bytes:
        """The film as an endless GIF of 960 x 540."""
        if self._gif is None:
            buffer = io.BytesIO()
            save_gif(buffer, self._film.pictures(GIF), self._theme)
            self._gif = buffer.getvalue()
        return self._gif

    def save(self, path: Path | str) -> None:
        """Write the film; the suffix says how: ``.gif``, or ``.mp4`` (1920 x 1080, needs ffmpeg).

        Raises:
            InvalidInput: if the suffix is another, or the file cannot be written.
            ResourceExhausted: if there is no room for it.
            FailedPrecondition: if ffmpeg is wanted and missing.
            Unavailable: if ffmpeg fails.
        """
        path = Path(path)
        check_output(path, field="path", suffixes=(".gif", ".mp4"))  # before some seconds of drawing
        with whole_file(path, field="path", keep_suffix=True) as draft:
            if path.suffix.lower() == ".mp4":
                save_mp4(draft, self._film.pictures(MP4))
            else:
                draft.write_bytes(self.gif)


def title_of(moment: Moment) -> str:
    """How many futures there are, and how far they reach."""
    count = len(moment.futures)
    return f"PoseBridge: {count} future{'s' * (count != 1)}, {moment.future_ms[-1]} ms ahead"


def _where(moment: Moment) -> str:
    """Whose moment it is, and what the percentages mean."""
    forecast = moment.forecast
    drawn = f"the {forecast.samples} drawn trajectories" if forecast.samples else "the drawn trajectories"
    who = f"{forecast.avatar_id} at {forecast.based_on_timestamp_us / 1e6:.2f} s" if forecast.avatar_id else "Forecast"
    each = "with the share that it stands for" if len(moment.futures) == 1 else "each with the share that it stands for"
    return f"{who}: chosen from {drawn}, {each}"


def _caption(moment: Moment) -> str:
    if all(pose is None for pose in moment.happened):
        return f"{_where(moment)}."
    judged = "" if moment.happened[-1] is None else " Right: mean distance over all landmarks in the last column."
    return f"{_where(moment)}.\nGrey: what happened.{judged}"
