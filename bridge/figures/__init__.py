"""Pictures and films of forecasts and of scored motion: what commands write to files, and what notebooks show.

Names load on first use: who imports a command should not wait for matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.lazy_names import on_first_use

if TYPE_CHECKING:
    from bridge.figures.bodies import ThemeName
    from bridge.figures.drawing import Drawing
    from bridge.figures.forecasts import Animation, animate, plot_forecast, storyboard
    from bridge.figures.scored import plot_scores

_HOME_OF = {
    "Animation": "forecasts",
    "Drawing": "drawing",
    "ThemeName": "bodies",
    "animate": "forecasts",
    "plot_forecast": "forecasts",
    "plot_scores": "scored",
    "storyboard": "forecasts",
}

__all__ = [
    "Animation",
    "Drawing",
    "ThemeName",
    "animate",
    "plot_forecast",
    "plot_scores",
    "storyboard",
]


if not TYPE_CHECKING:  # a type checker that saw this would believe in any name
    __getattr__ = on_first_use(__name__, _HOME_OF)
