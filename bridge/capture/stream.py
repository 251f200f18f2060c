"""From pictures to frames: who is in a picture, turned back if mirrored, named, smoothed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bridge.capture.detector import Detection, PoseDetector
from bridge.capture.identities import Identities
from bridge.capture.one_euro import OneEuroFilter
from bridge.capture.sources import Picture, Source
from bridge.errors import InvalidInput
from bridge.frames import Frame
from bridge.limits import NAME_PATTERN, NAME_RULE

MAX_POSES = 8


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Settings of the One-Euro filter, see `OneEuroFilter`."""

    min_cutoff_hz: float
    beta_per_m: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one picture.

    Attributes:
        picture: the picture, turned back if it was mirrored.
        frames: one for every avatar; ``landmarks`` (33, 4) is None for those who are not in the picture.
        detections: by avatar, as MediaPipe gave them, before smoothing.
    """

    picture: Picture
    frames: Sequence[Frame]
    detections: Mapping[str, Detection]


@dataclass(slots=True)
class PoseStream:
    """Frames of every avatar for every picture of a source.

    Args:
        source: where pictures come from.
        detector: finds people; made for as many as there are ``avatars``.
        avatars: names, one for each person that may be in a picture; see `avatar_names`.
        mirror: the camera shows a mirror image: pictures are turned back first, so that left is left.
        smoothing: of the world landmarks; None for none.
    """

    source: Source
    detector: PoseDetector
    avatars: Sequence[str]
    mirror: bool = False
    smoothing: Smoothing | None = None
    _identities: Identities = field(init=False, repr=False)
    _filters: Mapping[str, OneEuroFilter] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make what follows each avatar; raises InvalidInput if the smoothing cannot be used."""
        self._identities = Identities(len(self.avatars))
        smoothing = self.smoothing
        self._filters = (
            {}
            if smoothing is None
            else {avatar: OneEuroFilter(smoothing.min_cutoff_hz, smoothing.beta_per_m) for avatar in self.avatars}
        )

    def __iter__(self) -> Iterator[Seen | None]:
        """Yield what is seen in each picture; None while a live source has none. Sequences count the pictures from 0.

        Raises:
            Unavailable: if a camera stops.
            InternalError: if MediaPipe fails.
        """
        sequence = 0
        for picture in self.source.pictures():
            if picture is None:
                yield None
                continue
            yield self._look(picture, sequence)
            sequence += 1

    def _look(self, picture: Picture, sequence: int) -> Seen:
        if self.mirror:
            picture = replace(picture, bgr=np.ascontiguousarray(picture.bgr[:, ::-1]))
        found = self.detector.detect(picture)
        numbers = self._identities.assign(found, picture.timestamp_us)
        detections = {self.avatars[number]: found[row] for row, number in enumerate(numbers)}
        frames = [self._frame(avatar, sequence, picture, detections.get(avatar)) for avatar in self.avatars]
        return Seen(picture, frames, detections)

    def _frame(self, avatar: str, sequence: int, picture: Picture, detection: Detection | None) -> Frame:
        if detection is None:
            return Frame(avatar, sequence, picture.timestamp_us, None)
        landmarks = detection.world.copy()
        landmarks[:, 3] = landmarks[:, 3].clip(0.0, 1.0)
        if self.smoothing is not None:
            landmarks[:, :3] = self._filters[avatar](landmarks[:, :3], picture.timestamp_us)
        return Frame(avatar, sequence, picture.timestamp_us, landmarks)


def avatar_names(given: Sequence[str], max_poses: int | None) -> tuple[str, ...]:
    """Return a name for each person that may be in a picture: those given, or player1, player2 ...

    Raises:
        InvalidInput: if a name cannot be used, is given twice, or there are more or fewer than ``max_poses``.
    """
    for name in given:
        if NAME_PATTERN.fullmatch(name) is None:
            raise InvalidInput(f"is {name!r}", field="avatar", expected=NAME_RULE)
    if len({name.replace(":", "_").lower() for name in given}) != len(given):
        raise InvalidInput("two names are the same, as names or as names of files", field="avatar", expected="others")
    count = max_poses if max_poses is not None else max(len(given), 1)
    if not 1 <= count <= MAX_POSES:
        raise InvalidInput(f"is {count}", field="max-poses", expected=f"1 to {MAX_POSES}")
    if given and len(given) != count:
        raise InvalidInput(f"is given {len(given)} times for {count} poses", field="avatar", expected=f"{count} times")
    return tuple(given) or tuple(f"player{number + 1}" for number in range(count))
