"""The figure that drawings are made on: it belongs to no window system and shows itself in a notebook."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bridge.figures.bodies import Theme

DOTS_PER_INCH = 130
_WIDTH_INCHES = 15.0
_HEADER_INCHES, _FOOTER_INCHES = 0.8, 0.95
_SHOWN_DOTS_PER_INCH = 100


class Drawing(Figure):
    """A matplotlib figure that pyplot knows nothing of: nothing to close, no backend chosen, ``rcParams`` left alone.

    It is shown when it is the last line of a notebook's cell, with ``%matplotlib inline`` or without; ``savefig``
    writes it to a file.
    """

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        buffer = io.BytesIO()
        FigureCanvasAgg(self)
        self.savefig(buffer, format="png", dpi=_SHOWN_DOTS_PER_INCH)
        return buffer.getvalue()


def blank_axes(theme: Theme) -> Axes:
    """Axes without frame or ticks that fill a new drawing, one unit as long to the right as up."""
    axes = Drawing(facecolor=theme.paper, dpi=DOTS_PER_INCH).add_axes((0, 0, 1, 1))
    axes.set_aspect("equal")
    axes.axis("off")
    return axes


def finish(
    axes: Axes,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    title: str,
    caption: str,
    theme: Theme,
) -> Drawing:
    """Size the drawing of `blank_axes` to what lies within these ranges, add the words around it and return it."""
    footer = _FOOTER_INCHES if caption else 0.35 * _FOOTER_INCHES
    body = _WIDTH_INCHES * (y_range[1] - y_range[0]) / (x_range[1] - x_range[0])
    height = _HEADER_INCHES + body + footer
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Drawing)
    figure.set_size_inches(_WIDTH_INCHES, height)
    axes.set_position((0.0, footer / height, 1.0, body / height))
    axes.set_xlim(*x_range)
    axes.set_ylim(*y_range)
    # Names of clips and titles are words and never formulas, whatever dollars they hold.
    figure.text(
        *(0.03, 1 - 0.55 * _HEADER_INCHES / height, title),
        fontsize=22,
        fontweight="bold",
        color=theme.ink,
        va="center",
        parse_math=False,
    )
    figure.text(
        *(0.03, 0.5 * footer / height, caption),
        fontsize=13,
        color=theme.faint,
        va="center",
        linespacing=1.5,
        parse_math=False,
    )
    return figure
