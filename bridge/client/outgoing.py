"""What a client has to send: the last moments of every avatar, and how much of them the connection has not had yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bridge import limits
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2

RESEND_S = 1.5
"""Frames handed over within so many seconds are kept: more than the context that a forecast reads."""
MAX_KEPT_FRAMES = 512
"""Frames kept for one avatar, however fast they come."""
_MAX_BATCH_BYTES = limits.MAX_MESSAGE_BYTES // 2


@dataclass(slots=True)
class _Kept:
    message: pose_pb2.PoseFrame
    given_s: float
    was_sent: bool = False


class _Trail:
    """Recent frames of one avatar, oldest first; the last ``unsent`` of them have yet to go out."""

    __slots__ = ("frames", "unsent")

    def __init__(self) -> None:
        self.frames: deque[_Kept] = deque()
        self.unsent = 0

    def forget_before(self, limit_s: float, max_frames: int) -> int:
        """Drop what is too old or too much; return how many of these were never sent."""
        dropped = 0
        while self.frames and (self.frames[0].given_s < limit_s or len(self.frames) > max_frames):
            dropped += not self.frames.popleft().was_sent
        self.unsent = min(self.unsent, len(self.frames))
        return dropped


class Outgoing:
    """Frames of all avatars on their way to the server. Not thread-safe: its owner holds a lock.

    One trail per avatar serves two ends. What the connection is too slow to take is dropped oldest first ("fresh or
    nothing"), so memory is bounded and adding never blocks. And after a reconnect the trail goes out again from its
    start, so the new session can forecast at once instead of waiting for a fresh window.
    """

    def __init__(self) -> None:
        self._trails: dict[str, _Trail] = {}
        self._configs: dict[str, forecast_pb2.AvatarConfig] = {}
        self._unsent_configs: dict[str, forecast_pb2.AvatarConfig] = {}
        self.sent: int = 0
        self.resent: int = 0
        self.dropped: int = 0

    def add(self, message: pose_pb2.PoseFrame, now_s: float) -> None:
        """Take a frame that is to be sent; beyond 1024 avatars the one that was silent longest is forgotten."""
        # Popping and putting back keeps the dictionary in order of the last frame, longest silent first.
        trail = self._trails.pop(message.avatar_id, None) or _Trail()
        if len(self._trails) >= limits.MAX_AVATARS_PER_SESSION:
            silent = self._trails.pop(next(iter(self._trails)))
            self.dropped += sum(not kept.was_sent for kept in silent.frames)
        self._trails[message.avatar_id] = trail
        trail.frames.append(_Kept(message, now_s))
        trail.unsent += 1
        self.dropped += trail.forget_before(now_s - RESEND_S, MAX_KEPT_FRAMES)

    def configure(self, message: forecast_pb2.AvatarConfig) -> None:
        """Take the settings of an avatar that are to be sent, to every new session too; beyond 1024 the oldest go."""
        self._configs.pop(message.avatar_id, None)
        self._configs[message.avatar_id] = message
        self._unsent_configs[message.avatar_id] = message
        if len(self._configs) > limits.MAX_AVATARS_PER_SESSION:
            oldest = next(iter(self._configs))
            del self._configs[oldest]
            self._unsent_configs.pop(oldest, None)

    def rewind(self, now_s: float) -> None:
        """A new session knows nothing: all settings and everything recent are to be sent (again)."""
        self._unsent_configs = dict(self._configs)
        for trail in self._trails.values():
            self.dropped += trail.forget_before(now_s - RESEND_S, MAX_KEPT_FRAMES)
            trail.unsent = len(trail.frames)
        self._trails = {name: trail for name, trail in self._trails.items() if trail.frames}

    @property
    def waiting(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._unsent_configs) or any(trail.unsent for trail in self._trails.values())

    def take(self) -> list[forecast_pb2.StreamForecastsRequest]:
        """Return messages with everything that is to be sent, avatar by avatar in order, and count it as sent."""
        configs, self._unsent_configs = self._unsent_configs, {}
        requests = [forecast_pb2.StreamForecastsRequest(avatar_config=config) for config in configs.values()]
        batch: list[pose_pb2.PoseFrame] = []
        batch_bytes = 0
        for trail in self._trails.values():
            for index in range(len(trail.frames) - trail.unsent, len(trail.frames)):
                kept = trail.frames[index]
                size = kept.message.ByteSize()
                if batch and (len(batch) >= limits.MAX_FRAMES_PER_MESSAGE or batch_bytes + size > _MAX_BATCH_BYTES):
                    requests.append(_request(batch))
                    batch, batch_bytes = [], 0
                batch.append(kept.message)
                batch_bytes += size
                self.resent += kept.was_sent
                self.sent += not kept.was_sent
                kept.was_sent = True
            trail.unsent = 0
        if batch:
            requests.append(_request(batch))
        return requests

    def given_s(self, avatar_id: str, sequence: int, timestamp_us: int) -> float | None:
        """Return when a frame was handed over, None if it is no longer kept."""
        trail = self._trails.get(avatar_id)
        for kept in reversed(trail.frames) if trail else ():
            if kept.message.sequence == sequence and kept.message.timestamp_us == timestamp_us:
                return kept.given_s
        return None

    def newest_timestamp_us(self, avatar_id: str) -> int:
        """Return the capture time of the avatar's newest frame, 0 if none is kept."""
        trail = self._trails.get(avatar_id)
        return trail.frames[-1].message.timestamp_us if trail and trail.frames else 0


def _request(batch: list[pose_pb2.PoseFrame]) -> forecast_pb2.StreamForecastsRequest:
    if len(batch) == 1:
        return forecast_pb2.StreamForecastsRequest(frame=batch[0])
    return forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=batch))
