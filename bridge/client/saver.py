"""Frame saving, the client's side: which frames need not be sent, because the forecast tells them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from bridge import limits
from bridge.errors import InvalidInput
from bridge.frames import Frame, seen_landmarks
from bridge.geometry import hip_middle
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from bridge.wire.codec import frame_to_message
from bridge.wire.values import Forecast, FrameSaving

# The next frame may come this much later than the last did.
_LATE_FRAME_PERIODS = 1.5


@dataclass(slots=True)
class _Trail:
    """What was seen of one avatar, and since when forecasts can tell it."""

    newest_us: int
    sent_us: int
    since_us: int
    detected: bool
    unsent: int = 0


class FrameSaver:
    """Decides which frames go out: every n-th, or those that left the forecast, or both.

    The service fills in what lies between two sent frames (`bridge.wire.values.FrameSaving`). Always sent are frames
    that no forecast tells (before an avatar's first, after its frames were interrupted), those with which somebody
    appears or disappears, and those without which the silence would become too long. Nothing else changes for who
    sends::

        with connect("127.0.0.1:50551", saver=FrameSaver(threshold_m=0.04)) as client:
            for frame in frames:
                client.send(frame)
            print(client.stats().bytes_saved)

    One session's; not thread-safe: the client asks it under its own lock.

    Args:
        every_nth: send every n-th frame, 2 or more.
        threshold_m: send a frame whose seen landmarks are further than this, on average and relative to the middle of
            the hips, from what the forecast expects (`bridge.wire.values.Forecast.pose_at`), metres.
        max_silence_ms: longest time between two sent frames of an avatar, 34 to 1000 and at most the horizon.
        layout: of the landmarks.
        visibility_threshold: landmarks with a lower visibility are not seen.

    Attributes:
        frames_seen, frames_sent: so far, over all avatars.
        bytes_saved: serialized size of the frames that were not sent.

    Raises:
        InvalidInput: if neither rule is given, or a number is out of its range.
    """

    def __init__(
        self,
        *,
        every_nth: int | None = None,
        threshold_m: float | None = None,
        max_silence_ms: int = 500,
        layout: Layout = MEDIAPIPE_POSE_33,
        visibility_threshold: float = 0.1,
    ) -> None:
        if every_nth is None and threshold_m is None:
            raise InvalidInput("no rule", field="every_nth", expected="every_nth, threshold_m or both")
        if every_nth is not None and every_nth < 2:
            raise InvalidInput(f"is {every_nth}", field="every_nth", expected="2 or more")
        if threshold_m is not None and not 0 < threshold_m < limits.MAX_COORDINATE_M:
            raise InvalidInput(f"is {threshold_m}", field="threshold_m", expected="metres above 0")
        if not limits.MIN_SILENCE_MS <= max_silence_ms <= limits.MAX_SILENCE_MS:
            expected = f"{limits.MIN_SILENCE_MS} to {limits.MAX_SILENCE_MS}"
            raise InvalidInput(f"is {max_silence_ms}", field="max_silence_ms", expected=expected)
        self.layout: Layout = layout
        self.frame_saving: FrameSaving = FrameSaving(max_silence_ms)
        self.frames_seen: int = 0
        self.frames_sent: int = 0
        self.bytes_saved: int = 0
        self._every_nth = every_nth
        self._threshold_m = threshold_m
        self._silence_us = max_silence_ms * 1000
        self._visibility_threshold = visibility_threshold
        self._trails: OrderedDict[str, _Trail] = OrderedDict()

    def __repr__(self) -> str:
        """Its rules and what they came to, in one line."""
        rules = {"every_nth": self._every_nth, "threshold_m": self._threshold_m}
        told = [f"{name}={value}" for name, value in rules.items() if value is not None]
        told.append(f"max_silence_ms={self.frame_saving.max_silence_ms}")
        return f"FrameSaver({', '.join(told)}: {self.frames_sent} of {self.frames_seen} frames sent)"

    def should_send(self, frame: Frame, latest_forecast: Forecast | None) -> bool:
        """Whether a frame is to be sent; call it once for every frame, in order, with the avatar's newest forecast."""
        self.frames_seen += 1
        trail = self._trails.get(frame.avatar_id)
        detected = self._detected(frame)
        if trail is None or frame.timestamp_us <= trail.newest_us:  # a new avatar, or a new clock
            self._begin(frame, detected)
            self.frames_sent += 1
            return True
        self._trails.move_to_end(frame.avatar_id)
        send = self._is_needed(frame, detected, trail, latest_forecast)
        trail.newest_us, trail.detected = frame.timestamp_us, detected
        if send:
            self.frames_sent += 1
            trail.sent_us, trail.unsent = frame.timestamp_us, 0
        else:
            self.bytes_saved += frame_to_message(frame).ByteSize()
            trail.unsent += 1
        return send

    def _begin(self, frame: Frame, detected: bool) -> None:
        now_us = frame.timestamp_us
        self._trails[frame.avatar_id] = _Trail(now_us, now_us, now_us, detected)
        self._trails.move_to_end(frame.avatar_id)
        if len(self._trails) > limits.MAX_AVATARS_PER_SESSION:
            self._trails.popitem(last=False)

    def _is_needed(self, frame: Frame, detected: bool, trail: _Trail, forecast: Forecast | None) -> bool:
        now_us = frame.timestamp_us
        period_us = now_us - trail.newest_us
        if detected != trail.detected or period_us > self._silence_us:
            trail.since_us = now_us
            return True
        if now_us + _LATE_FRAME_PERIODS * period_us > trail.sent_us + self._silence_us:
            return True
        if not detected:
            return False
        if forecast is None or forecast.based_on_timestamp_us < trail.since_us:
            return True
        off_m = self._distance_m(frame, forecast)
        if off_m is None or (self._threshold_m is not None and off_m > self._threshold_m):
            return True
        return self._every_nth is not None and trail.unsent + 1 >= self._every_nth

    def _detected(self, frame: Frame) -> bool:
        return frame.landmarks is not None and bool(seen_landmarks(frame.landmarks, self._visibility_threshold).any())

    def _distance_m(self, frame: Frame, forecast: Forecast) -> float | None:
        """Mean distance of the seen landmarks from the forecast; None where they cannot be compared."""
        expected_m = forecast.pose_at(frame.timestamp_us)
        assert frame.landmarks is not None
        seen = seen_landmarks(frame.landmarks, self._visibility_threshold)
        if expected_m is None or not seen[list(self.layout.hips)].all():
            return None
        pose_m = frame.landmarks[:, :3] - hip_middle(frame.landmarks[:, :3], self.layout)
        return float(np.linalg.norm((pose_m - expected_m)[seen], axis=1).mean())
