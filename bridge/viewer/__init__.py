"""The live view: avatars, their futures, p-values and alerts on a page in the browser."""

from bridge.viewer.feed import SessionFeed, WatchFeed
from bridge.viewer.history import AlertMark, History, ShownForecast
from bridge.viewer.local import LocalForecasts
from bridge.viewer.page import Page, require_viser
from bridge.viewer.playback import SPEEDS, Playback
from bridge.viewer.readouts import Readouts

__all__ = [
    "SPEEDS",
    "AlertMark",
    "History",
    "LocalForecasts",
    "Page",
    "Playback",
    "Readouts",
    "SessionFeed",
    "ShownForecast",
    "WatchFeed",
    "require_viser",
]
