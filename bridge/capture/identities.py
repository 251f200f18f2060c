"""Who is who from picture to picture: people keep their number as long as they can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.capture.detector import Detection
from bridge.skeleton import MEDIAPIPE_POSE_33

_TRUNK = (*MEDIAPIPE_POSE_33.shoulders, *MEDIAPIPE_POSE_33.hips)
_REACH = 0.35
"""How far a trunk may have moved between two pictures, in heights of the body as the picture shows it."""
_REACH_PER_S = 1.5
"""And how much further for every second that the person was not seen."""


@dataclass(slots=True)
class _Person:
    trunk: NDArray[np.float32]
    seen_us: int


class Identities:
    """Gives each detection one of ``count`` numbers, the same for the same person.

    The nearest pairs of known people and detections are matched first. Somebody new gets a number that nobody has had,
    else that of whoever was last seen longest ago. With a count of 1 everyone is number 0.
    """

    def __init__(self, count: int) -> None:
        self._people: list[_Person | None] = [None] * count

    def assign(self, detections: Sequence[Detection], timestamp_us: int) -> list[int]:
        """Return the number of each detection; more detections than numbers are cut off.

        ``timestamp_us`` is the time of the picture, microseconds, increasing.
        """
        detections = detections[: len(self._people)]
        trunks = [_trunk(detection) for detection in detections]
        heights = [_height(detection) for detection in detections]
        numbers: dict[int, int] = {}
        for _, row, number in sorted(self._pairs(trunks, heights, timestamp_us)):
            if row not in numbers and number not in numbers.values():
                numbers[row] = number
        for row in range(len(detections)):
            if row not in numbers:
                numbers[row] = self._longest_unseen(set(numbers.values()))
        for row, number in numbers.items():
            self._people[number] = _Person(trunks[row], timestamp_us)
        return [numbers[row] for row in range(len(detections))]

    def _pairs(
        self, trunks: Sequence[NDArray[np.float32]], heights: Sequence[float], timestamp_us: int
    ) -> list[tuple[float, int, int]]:
        """Distance in body heights, row of the detection and number of the person, where they may be the same."""
        pairs = []
        for number, person in enumerate(self._people):
            if person is None:
                continue
            reach = _REACH + _REACH_PER_S * (timestamp_us - person.seen_us) * 1e-6
            for row, (trunk, height) in enumerate(zip(trunks, heights, strict=True)):
                distance = float(np.linalg.norm(trunk - person.trunk, axis=-1).mean()) / height
                if distance <= reach:
                    pairs.append((distance, row, number))
        return pairs

    def _longest_unseen(self, taken: set[int]) -> int:
        free = [number for number in range(len(self._people)) if number not in taken]
        seen_us = {number: -1 if (person := self._people[number]) is None else person.seen_us for number in free}
        return min(free, key=lambda number: (seen_us[number], number))


def _trunk(detection: Detection) -> NDArray[np.float32]:
    """Shoulders and hips (4, 2) in the picture, in shares of its height."""
    return detection.image[list(_TRUNK)] * np.array([detection.aspect, 1.0], np.float32)


def _height(detection: Detection) -> float:
    """Longer side of what surrounds the landmarks, in shares of the picture's height."""
    spans = np.ptp(detection.image, axis=0) * (detection.aspect, 1.0)
    return max(float(spans.max()), 1e-3)
