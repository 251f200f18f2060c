"""From a forecast and what was seen, as people have them, to a moment that can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bridge.errors import InvalidInput
from bridge.figures.moments import Moment, moment_of
from bridge.figures.observed import Observed
from bridge.forecaster.results import ForecastResult
from bridge.frames import Frame, Window
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout, get_layout, layout_ids
from bridge.wire.values import Forecast, Timing

_RATE_HZ = 30.0
"""Of windows and results that do not say theirs."""
_VISIBILITY_THRESHOLD = 0.1


class Given(NamedTuple):
    """What a drawing is made of."""

    moment: Moment
    observed: Observed
    layout: Layout


def given(
    forecast: Forecast | ForecastResult,
    seen: Window | Sequence[Frame],
    truth: Sequence[Frame] | None,
    layout: Layout | None,
) -> Given:
    """Check that the parts belong together and gather what is drawn of them; see `bridge.figures.plot_forecast`.

    Raises:
        InvalidInput: naming the argument that does not fit the others.
        NotFound: if the window's layout is not known.
    """
    _check_numbers(forecast)
    joints = forecast.futures_m.shape[2]
    if isinstance(seen, Window):
        layout = layout or get_layout(seen.layout_id)
        frames, newest_us = _rows(seen), seen.timestamp_us
        told = _of_window(forecast, seen)
        if told.based_on_timestamp_us != newest_us:
            raise InvalidInput(
                f"ends at {newest_us} us, the forecast starts from {told.based_on_timestamp_us} us",
                field="seen",
                expected="the window that the forecast was made from",
            )
    else:
        frames = sorted(seen, key=lambda frame: frame.timestamp_us)
        if not frames:
            raise InvalidInput("is empty", field="seen", expected="the window, or frames of the avatar")
        layout = layout or _layout_with(joints)
        told = _of_frames(forecast, frames)
    if layout.joints != joints:
        raise InvalidInput(
            f"has {layout.joints} landmarks ({layout.id}), the forecast {joints}", field="layout", expected="the same"
        )
    if truth is not None:
        after = sorted(
            (frame for frame in truth if frame.timestamp_us > told.based_on_timestamp_us),
            key=lambda frame: frame.timestamp_us,
        )
        if not after:
            raise InvalidInput(
                f"none of {len(truth)} frames is later than the forecast's, at {told.based_on_timestamp_us} us",
                field="truth",
                expected="frames of the same avatar and clock, seen after it",
            )
        frames = [frame for frame in frames if frame.timestamp_us <= told.based_on_timestamp_us] + after
    _check_frames(frames, told.avatar_id, layout)
    observed = Observed(frames, layout, _VISIBILITY_THRESHOLD)
    return Given(moment_of(told, observed), observed, layout)


def _check_numbers(forecast: Forecast | ForecastResult) -> None:
    shape, probabilities = forecast.futures_m.shape, np.asarray(forecast.probabilities)
    if len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise InvalidInput(f"has shape {shape}", field="forecast.futures_m", expected="(K, H, J, 3), none of them 0")
    if probabilities.shape != shape[:1]:
        raise InvalidInput(
            f"has shape {probabilities.shape}", field="forecast.probabilities", expected=f"({shape[0]},): one a future"
        )
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all() and probabilities.sum() > 0):
        raise InvalidInput(
            f"is {np.array2string(probabilities, threshold=16)}",
            field="forecast.probabilities",
            expected="numbers from 0 that add up to 1",
        )


def _check_frames(frames: Sequence[Frame], avatar_id: str, layout: Layout) -> None:
    for frame in frames:
        if avatar_id and frame.avatar_id and frame.avatar_id != avatar_id:
            raise InvalidInput(
                f"holds a frame of {frame.avatar_id!r}, the forecast is of {avatar_id!r}",
                field="truth" if frames[0].avatar_id in ("", avatar_id) else "seen",
                expected="frames of the forecast's avatar",
            )
        if frame.landmarks is not None and frame.landmarks.shape != (layout.joints, 4):
            raise InvalidInput(
                f"has shape {frame.landmarks.shape}", field="frame.landmarks", expected=f"({layout.joints}, 4)"
            )


def _layout_with(joints: int) -> Layout:
    """The layout with so many landmarks, as frames do not name theirs."""
    if joints == MEDIAPIPE_POSE_33.joints:
        return MEDIAPIPE_POSE_33
    found = [layout for layout in map(get_layout, layout_ids()) if layout.joints == joints]
    if len(found) != 1:
        raise InvalidInput(
            f"is not given, and {len(found)} known layouts have {joints} landmarks",
            field="layout",
            expected="the layout of the frames",
        )
    return found[0]


def _rows(window: Window) -> list[Frame]:
    """A window's rows as frames; what it only fills in counts as unseen."""
    landmarks = np.concatenate([window.pose_m, window.observed[..., None]], axis=-1, dtype=np.float32)
    period_us = 1e6 / (window.rate_hz or _RATE_HZ)
    last = len(landmarks) - 1
    return [
        Frame(window.avatar_id, row, window.timestamp_us - round((last - row) * period_us), landmarks[row])
        for row in range(last + 1)
    ]


def _of_window(forecast: Forecast | ForecastResult, window: Window) -> Forecast:
    if forecast.avatar_id and window.avatar_id and forecast.avatar_id != window.avatar_id:
        raise InvalidInput(
            f"is of {window.avatar_id!r}, the forecast is of {forecast.avatar_id!r}",
            field="seen",
            expected="the window that the forecast was made from",
        )
    if isinstance(forecast, Forecast):
        return forecast
    step_us = round(1e6 / (window.rate_hz or _RATE_HZ))
    return _told(forecast, window.avatar_id, window.sequence, window.timestamp_us, step_us)


def _of_frames(forecast: Forecast | ForecastResult, frames: Sequence[Frame]) -> Forecast:
    """The forecast in the session's terms; it says itself from which of the frames it was made."""
    if isinstance(forecast, ForecastResult):
        newest = frames[-1]
        forecast = _told(forecast, newest.avatar_id, newest.sequence, newest.timestamp_us, round(1e6 / _RATE_HZ))
    if not any(frame.timestamp_us <= forecast.based_on_timestamp_us for frame in frames):
        raise InvalidInput(
            f"begins at {frames[0].timestamp_us} us, after the forecast's frame at {forecast.based_on_timestamp_us} us",
            field="seen",
            expected="frames up to that one",
        )
    return forecast


def _told(result: ForecastResult, avatar_id: str, sequence: int, timestamp_us: int, step_us: int) -> Forecast:
    """A result as a session tells it, with what it does not say itself taken from what was seen."""
    return Forecast(
        avatar_id=result.avatar_id or avatar_id,
        based_on_sequence=sequence if result.based_on_sequence is None else result.based_on_sequence,
        based_on_timestamp_us=timestamp_us if result.based_on_timestamp_us is None else result.based_on_timestamp_us,
        step_us=step_us if result.step_us is None else result.step_us,
        futures_m=result.futures_m,
        roots_m=None,
        probabilities=result.probabilities,
        spread_m=result.spread_m,
        mode_ids=tuple(range(len(result.probabilities))),
        unobserved_landmarks=result.unobserved_landmarks,
        bridged_share=result.bridged_share,
        samples=len(result.samples_m),
        acceptance_rate=result.acceptance_rate,
        timing=Timing(),
    )
