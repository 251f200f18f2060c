"""Offset and drift between two clocks: from one-way delays (`OneWayClock`) and from round trips (`TwoWayClock`).

A message never arrives before it was sent, and some messages meet no queue. So of many points only the quickest are
kept: the lower edge of the delays is the clocks' own, what lies above it is the network's. Both estimators keep a
bounded number of points and start anew when one of the clocks was set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

MAX_DRIFT_PPM = 500.0
"""Quartz clocks differ by less; what looks steeper is a change of route."""
JUMP_US = 100_000
"""One-way delays this far from the expected least delay are strays, or a clock was set."""
MIN_SPAN_US = 10_000_000
"""Over a shorter time jitter looks like drift: until then the clocks count as equally fast."""

_BUCKET_US = 1_000_000
_BUCKETS = 60
_MIN_POINTS = 10
_EARLY_STRAYS = 5
_LATE_STRAYS_US = 5_000_000

_ROUND_BUCKET_US = 8_000_000
_ROUND_BUCKETS = 16
_ROUND_STRAYS = 2
_ROUND_NOISE_US = 50.0
_ROUND_SLACK_US = 1_000.0
_USUAL_DRIFT = 50e-6

_Point = tuple[int, int]


class OneWayClock:
    """How far the local clock is ahead of a sender's, from messages that carry their time of sending.

    The smallest delay counts as none: what every message takes at least is part of the offset. Of each of the last 60
    seconds the quickest message is kept; the offset lies on the line below all of them that is highest in their middle
    (Moon, Skelly and Towsley 1999), whatever the others' delays are. A clock that was set shows in messages that come
    too early, five in a row, or all of them too late for five seconds: the estimate then starts anew.

    A point costs about a microsecond, and once a second some fifty.

    Example:
        >>> clock = OneWayClock()
        >>> for k in range(100):
        ...     clock.add(k * 33_333, k * 33_333 + 7_000_000 + k * 37 % 20 * 1_000)
        >>> clock.offset_us
        7000000
    """

    def __init__(self) -> None:
        self.restarts = 0
        """How often a clock was set."""
        self._start(0, 0)
        self._points = 0

    def _start(self, local_us: int, delay_us: int) -> None:
        # Times and delays are kept relative to the first point: exact as floats, and as narrow as they can be.
        self._first: _Point = (local_us, delay_us)
        self._points = 1
        self._newest_us = 0
        self._quickest: deque[_Point] = deque([(0, 0)], maxlen=_BUCKETS)
        self._bucket_end_us = _BUCKET_US
        # The least delay expected at time x is level + slope * x.
        self._level_us = 0.0
        self._slope = 0.0
        self._early = 0
        self._late_since_us: int | None = None

    def add(self, sender_us: int, local_us: int) -> None:
        """Take a message that was sent at ``sender_us`` on the sender's clock and came at ``local_us`` on ours."""
        if self._points == 0:
            self._start(local_us, local_us - sender_us)
            return
        time_us = local_us - self._first[0]
        delay_us = local_us - sender_us - self._first[1]
        above_us = delay_us - (self._level_us + self._slope * time_us)
        if not -JUMP_US <= above_us <= JUMP_US:
            if self._clock_was_set(above_us, time_us):
                self.restarts += 1
                self._start(local_us, local_us - sender_us)
            return
        self._early, self._late_since_us = 0, None
        self._points += 1
        self._newest_us = time_us = max(self._newest_us, time_us)
        if above_us < 0:
            self._level_us += above_us
        if time_us >= self._bucket_end_us:
            self._bucket_end_us = (time_us // _BUCKET_US + 1) * _BUCKET_US
            self._quickest.append((time_us, delay_us))
            self._fit()
        elif delay_us < self._quickest[-1][1]:
            self._quickest[-1] = (time_us, delay_us)

    @property
    def offset_us(self) -> int | None:
        """Local minus sender's time as of the newest message, microseconds; None before the tenth message."""
        if self._points < _MIN_POINTS:
            return None
        return self._first[1] + round(self._level_us + self._slope * self._newest_us)

    @property
    def drift_ppm(self) -> float | None:
        """How much faster the local clock runs, millionths; None until messages cover ten seconds."""
        if self._points < _MIN_POINTS or self._newest_us - self._quickest[0][0] < MIN_SPAN_US:
            return None
        return self._slope * 1e6

    def _clock_was_set(self, above_us: float, time_us: int) -> bool:
        """Whether this stray is one too many."""
        if above_us < 0:
            self._early += 1
            return self._early >= _EARLY_STRAYS
        self._early = 0
        if self._late_since_us is None:
            self._late_since_us = time_us
        return time_us - self._late_since_us > _LATE_STRAYS_US

    def _fit(self) -> None:
        points = self._quickest
        if points[-1][0] - points[0][0] < MIN_SPAN_US:
            self._slope = 0.0
        else:
            most = MAX_DRIFT_PPM * 1e-6
            self._slope = min(max(_slope_below(points), -most), most)
        self._level_us = min(delay_us - self._slope * time_us for time_us, delay_us in points)


class TwoWayClock:
    """How far a server's clock is ahead of ours, from messages that go there and back.

    A round trip tells the offset to within half its duration, whatever the way there and back took; the quickest of
    each eight seconds is kept, for two minutes. The offset lies on the line that fits them best, the quicker the more
    weight, with clocks taken to differ by some 50 ppm until the points know better. A clock that was set shows in round
    trips that contradict the line, two in a row: the estimate then starts anew.

    Example:
        >>> clock = TwoWayClock()
        >>> clock.add(1_000, 501_200, 501_300, 1_500)
        >>> clock.offset_us, clock.round_trip_us, clock.to_server_us(2_000)
        (500000, 400, 502000)
    """

    def __init__(self) -> None:
        self.restarts = 0
        """How often a clock was set."""
        self._start()

    def _start(self) -> None:
        self._first: _Point = (0, 0)
        # (time, offset) relative to the first, and the duration of the round trip.
        self._quickest: deque[tuple[int, int, int]] = deque(maxlen=_ROUND_BUCKETS)
        self._bucket_end_us = 0
        self._newest_us = 0
        self._strays = 0
        self._round_trip_us: int | None = None
        self._level_us = 0.0
        self._slope = 0.0

    def add(self, sent_us: int, server_received_us: int, server_sent_us: int, received_us: int) -> None:
        """Take a round trip: sent and received by our clock, received and sent by the server's.

        One that took less time than the server held it, or none at all, says nothing and is ignored.
        """
        round_trip_us = (received_us - sent_us) - (server_sent_us - server_received_us)
        if round_trip_us < 0 or received_us < sent_us or server_sent_us < server_received_us:
            return
        time_us = (sent_us + received_us) // 2
        offset_us = ((server_received_us - sent_us) + (server_sent_us - received_us)) // 2
        if self._quickest and self._contradicts(time_us, offset_us, round_trip_us):
            self._strays += 1
            if self._strays < _ROUND_STRAYS:
                return
            self.restarts += 1
            self._start()
        self._strays = 0
        self._round_trip_us = round_trip_us
        if not self._quickest:
            self._first, self._bucket_end_us = (time_us, offset_us), _ROUND_BUCKET_US
            self._quickest.append((0, 0, round_trip_us))
            return
        point = (time_us - self._first[0], offset_us - self._first[1], round_trip_us)
        self._newest_us = max(self._newest_us, point[0])
        if point[0] >= self._bucket_end_us:
            self._bucket_end_us = (point[0] // _ROUND_BUCKET_US + 1) * _ROUND_BUCKET_US
            self._quickest.append(point)
        elif round_trip_us < self._quickest[-1][2]:
            self._quickest[-1] = point
        else:
            return
        self._fit()

    @property
    def offset_us(self) -> int | None:
        """Server's minus our time as of the newest round trip, microseconds; None before the first."""
        return self._offset_at(self._newest_us) if self._quickest else None

    @property
    def drift_ppm(self) -> float | None:
        """How much faster the server's clock runs, millionths; None until round trips cover ten seconds."""
        if not self._quickest or self._newest_us - self._quickest[0][0] < MIN_SPAN_US:
            return None
        return self._slope * 1e6

    @property
    def round_trip_us(self) -> int | None:
        """Time that the newest round trip spent under way, microseconds; None before the first."""
        return self._round_trip_us

    def to_server_us(self, time_us: int) -> int | None:
        """Return the server's time at a time on our clock, microseconds; None before the first round trip."""
        return time_us + self._offset_at(time_us - self._first[0]) if self._quickest else None

    def _offset_at(self, time_us: int) -> int:
        return self._first[1] + round(self._level_us + self._slope * time_us)

    def _contradicts(self, time_us: int, offset_us: int, round_trip_us: int) -> bool:
        """Whether no offset that this round trip allows is one that the others allow."""
        relative_us = time_us - self._first[0]
        apart_us = abs(offset_us - self._offset_at(relative_us))
        best_us = min(point[2] for point in self._quickest)
        drifted_us = MAX_DRIFT_PPM * 1e-6 * abs(relative_us - self._quickest[-1][0])
        return apart_us > (round_trip_us + best_us) / 2 + drifted_us + _ROUND_SLACK_US

    def _fit(self) -> None:
        """Weighted least squares with a drift that is likely small; a point is off by its queueing, halved."""
        best_us = min(point[2] for point in self._quickest)
        middle_us = self._quickest[-1][0]
        total = sum_x = sum_y = sum_xx = sum_xy = 0.0
        for time_us, offset_us, round_trip_us in self._quickest:
            weight = (_ROUND_NOISE_US + (round_trip_us - best_us) / 2) ** -2
            x = time_us - middle_us
            total += weight
            sum_x += weight * x
            sum_y += weight * offset_us
            sum_xx += weight * x * x
            sum_xy += weight * x * offset_us
        sum_xx += _USUAL_DRIFT**-2
        spread = total * sum_xx - sum_x * sum_x
        # Round trips of days weigh nothing, in floating point not even together: then the drift counts as none.
        self._slope = (total * sum_xy - sum_x * sum_y) / spread if spread > 0.0 else 0.0
        self._level_us = (sum_y - self._slope * sum_x) / total - self._slope * middle_us


def _slope_below(points: Sequence[_Point]) -> float:
    """Slope of the line below all points that is highest at their mean time: an edge of their lower convex hull."""
    hull: list[_Point] = []
    for x, y in points:
        while len(hull) >= 2:
            (x0, y0), (x1, y1) = hull[-2:]
            if (y1 - y0) * (x - x0) < (y - y0) * (x1 - x0):
                break
            hull.pop()
        hull.append((x, y))
    middle = sum(x for x, _ in points) / len(points)
    for (x0, y0), (x1, y1) in pairwise(hull):
        if middle <= x1:
            return (y1 - y0) / (x1 - x0)
    return 0.0
