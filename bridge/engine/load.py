"""How much of what sessions ask for they can have: less often first, then fewer samples, then fewer avatars."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul

from bridge import limits

PLAN_EVERY_S = 0.1
"""How often shares are worked out anew, with few sessions."""
_PLAN_EVERY_SESSION_S = 0.0004
"""With many sessions it is this times their number: the work is theirs to bear, and grows with them."""
MIN_RATE_SHARE = 1 / 3
"""Forecasts come at least this often, as a share of the asked rate, before samples are given up."""
SAMPLES_SHARES = (1.0, 0.5, 0.25)
"""Few values, so that windows of different sessions still run in one batch."""

_HEARD_S = 0.5
"""Demand is what was asked for in so many last seconds."""
_FIRST_HEARD_S = 0.25
_NOISE = 0.2
_NOISE_GAIN = 0.2
"""Changes of demand below that share are taken for noise, of which so much counts each time."""
_FORGET_AFTER_S = 5.0
_FALL = 0.96
_RISE = 1.08
"""What a session gets changes when it falls or rises by more than this factor."""
_GROWTH = 1.35
"""A share grows at most by this factor each time."""
_COST_GAIN = 0.15
"""Weight of a window's present cost in a running mean: what is learned from single batches is not steady enough."""
_KEPT_SHAPES = 256
_SLACK = 0.92
"""A session that gets less keeps getting less until all could be served with this share of the target."""
_HELD = 0.95
"""The share of a session that is kept so."""
_LEVEL_RISE = 1.15
_RETRY_MS = (500, 2000)
_NEWCOMER_RATE_HZ = 10.0
"""What one avatar of a new session must be able to get, with the fewest samples."""

_STANDING_EVERY_S = 1.0
_STANDING_S = 0.05
_TRUST = (0.5, 1.0)
_TRUST_FALL = 0.9
_TRUST_RISE = (0.02, 0.2)
"""By how much trust comes back each time: while nearly all of the engines' time is asked for, and while it is not."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a session gets of what it asks for.

    Attributes:
        rate_share: of the asked forecast rate.
        samples_share: of the asked samples: 1, 0.5 or 0.25.
        avatars_share: of its avatars that are served at all (at least one).
        retry_after_ms: for those that are not; 0 if all are.
    """

    rate_share: float = 1.0
    samples_share: float = 1.0
    avatars_share: float = 1.0
    retry_after_ms: int = 0


FULL = Allowance()
_NOTHING: tuple[float, ...] = (0.0,) * len(SAMPLES_SHARES)


class _Session:
    """What a session asked for lately and what it gets."""

    __slots__ = ("allowance", "asked", "first_s", "heard", "heard_s", "level", "scale", "share", "sums_s")

    def __init__(self, now_s: float) -> None:
        self.asked: dict[tuple[int, int], int] = {}  # forecasts since the last plan, by shape
        self.heard: deque[tuple[float, tuple[float, ...]]] = deque()
        self.first_s = self.heard_s = now_s
        self.sums_s = _NOTHING
        self.share = self.scale = 1.0
        self.level = 0
        self.allowance = FULL


class LoadController:
    """Shares the engines' time out between sessions so that no more than ``target`` of it is used.

    Sessions say what they would have computed at the rate that their clients asked for (`note_demand`). Ten times a
    second the controller adds up what that costs and, where it is more than there is, gives each session the same
    time, or all that it asks for if that is less. A session whose share is smaller than its demand first gets fewer
    forecasts a second (down to a third), then fewer samples, then forecasts for some of its avatars only.

    Shares fall at once and come back within two seconds; small changes are ignored. Where work stands waiting
    for seconds although the shares say that it fits, the prediction is wrong and less is given out (`note_backlog`).

    All methods may be called from any thread; times are seconds of one monotonic clock.

    Args:
        window_s: seconds of an engine that a window of (samples, steps) costs; `bridge.engine.Batcher.window_s`.
        engines: how many share the work; may be set anew.
        target: share of the engines' time that is given out.
    """

    def __init__(self, window_s: Callable[[int, int], float], *, engines: int = 1, target: float = 0.85) -> None:
        self._window_s = window_s
        self.engines = engines
        self._target = target
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        self._plan_next_s = float("-inf")
        self._utilisation = 0.0
        self._newcomer_s = float("inf")
        self._least_s = 0.0
        self._worth_s: dict[tuple[int, int], tuple[float, ...]] = {}
        self._trust = 1.0
        self._standing_since_s: float | None = None
        self._standing_s = float("inf")

    @property
    def utilisation(self) -> float:
        """Demanded share of the engines' time as last worked out; above 1 under overload."""
        return self._utilisation

    def note_demand(self, session_id: str, samples: int, horizon_frames: int, now_s: float) -> None:
        """Count a forecast that is due at the asked rate, whether it will be computed or not."""
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                session = self._sessions[session_id] = _Session(now_s)
            shape = (samples, horizon_frames)
            session.asked[shape] = session.asked.get(shape, 0) + 1
            session.heard_s = now_s
            if now_s >= self._plan_next_s:
                self._plan(now_s)

    def allowance(self, session_id: str, now_s: float) -> Allowance:
        """Return what a session gets at present."""
        with self._lock:
            if now_s >= self._plan_next_s:
                self._plan(now_s)
            session = self._sessions.get(session_id)
            return FULL if session is None else session.allowance

    def forget(self, session_id: str) -> None:
        """Forget a session that is over."""
        with self._lock:
            self._sessions.pop(session_id, None)

    def refuses_new_sessions(self, now_s: float) -> int:
        """Return after how many milliseconds a new session may be tried; 0 if one is welcome.

        It is not when its fair share would not serve one avatar, ten times a second with the fewest samples.
        """
        self.update(now_s)
        with self._lock:
            return _RETRY_MS[1] if self._newcomer_s < self._least_s else 0

    def update(self, now_s: float) -> None:
        """Work shares out anew if it is time; for those who look at `utilisation` while nobody asks for anything."""
        with self._lock:
            if now_s >= self._plan_next_s:
                self._plan(now_s)

    def note_backlog(self, seconds: float, now_s: float) -> None:
        """Note how many seconds of work each engine has waiting after it took a batch."""
        with self._lock:
            self._standing_s = min(self._standing_s, seconds)
            if self._standing_since_s is None:
                self._standing_since_s = now_s

    # -- planning

    def _plan(self, now_s: float) -> None:
        self._plan_next_s = now_s + max(PLAN_EVERY_S, _PLAN_EVERY_SESSION_S * len(self._sessions))
        self._forget_silent(now_s)
        sessions = list(self._sessions.values())
        if len(self._worth_s) > _KEPT_SHAPES:
            self._worth_s.clear()
        for shape in {shape for session in sessions for shape in session.asked}:
            self._worth_s[shape] = self._worth_of(shape)
        for session in sessions:
            self._hear(session, now_s)
        self._least_s = _NEWCOMER_RATE_HZ * min((worth_s[-1] for worth_s in self._worth_s.values()), default=0.0)
        demands = [session.sums_s[0] for session in sessions]
        total = sum(demands)
        self._utilisation = total / self.engines
        self._doubt(now_s, total)
        capacity = self.engines * self._target * self._trust
        level, slack_level = _level(demands, capacity), _level(demands, capacity * _SLACK)
        # A newcomer that asks for much gets what all get who ask for more than their share.
        self._newcomer_s = _level([*demands, float("inf")], capacity)
        for session in sessions:
            demand = session.sums_s[0]
            share = level / demand if demand > level else 1.0
            if share == 1.0 and session.allowance is not FULL and demand > slack_level:
                share = _HELD
            self._allow(session, share)

    def _hear(self, session: _Session, now_s: float) -> None:
        """Bring a session's demand up to date: seconds of an engine a second, for each of `SAMPLES_SHARES`."""
        if session.asked:
            worth_s = [self._worth_s[shape] for shape in session.asked]
            counts = session.asked.values()
            sums_s = (sum(map(mul, counts, column)) for column in zip(*worth_s, strict=True))
            session.heard.append((session.heard_s, tuple(sums_s)))
            session.asked.clear()
        while session.heard and session.heard[0][0] <= now_s - _HEARD_S:
            session.heard.popleft()
        span_s = min(_HEARD_S, max(_FIRST_HEARD_S, now_s - session.first_s))
        columns = zip(*(sums_s for _, sums_s in session.heard), strict=True)
        heard_s = tuple(sum(column) / span_s for column in columns) or _NOTHING
        if abs(heard_s[0] - session.sums_s[0]) < _NOISE * session.sums_s[0]:
            heard_s = tuple(old + _NOISE_GAIN * (new - old) for old, new in zip(session.sums_s, heard_s, strict=True))
        session.sums_s = heard_s

    def _worth_of(self, shape: tuple[int, int]) -> tuple[float, ...]:
        """Seconds that a window of a shape costs, for each of `SAMPLES_SHARES`."""
        samples, horizon_frames = shape
        fewer = [max(min(limits.MIN_SAMPLES, samples), round(samples * share)) for share in SAMPLES_SHARES]
        now_s = tuple(self._window_s(count, horizon_frames) for count in fewer)
        mean_s = self._worth_s.get(shape, now_s)
        return tuple(mean + _COST_GAIN * (now - mean) for mean, now in zip(mean_s, now_s, strict=True))

    def _allow(self, session: _Session, share: float) -> None:
        """Turn a share of a session's demand into what is done with less."""
        session.share = share = min(share, session.share * _GROWTH)
        if share >= (_FALL if session.allowance is FULL else 1.0):
            session.level, session.scale, session.allowance = 0, 1.0, FULL
            return
        full_s = session.sums_s[0]
        left = [sum_s / full_s if full_s else of for sum_s, of in zip(session.sums_s, SAMPLES_SHARES, strict=True)]
        level = next((level for level, of in enumerate(left) if share >= MIN_RATE_SHARE * of), len(left) - 1)
        while level < session.level and share < _LEVEL_RISE * MIN_RATE_SHARE * left[level]:
            level += 1
        scale = share / left[level]
        if level == session.level and _FALL * session.scale <= scale <= _RISE * session.scale:
            return
        session.level, session.scale = level, scale
        refused = max(0.0, 1.0 - scale / MIN_RATE_SHARE)
        soonest_ms, latest_ms = _RETRY_MS
        session.allowance = Allowance(
            rate_share=min(1.0, max(MIN_RATE_SHARE, scale)),
            samples_share=SAMPLES_SHARES[level],
            avatars_share=1.0 - refused,
            retry_after_ms=round(soonest_ms + refused * (latest_ms - soonest_ms)) if refused else 0,
        )

    def _doubt(self, now_s: float, demand: float) -> None:
        """Trust the predicted costs less while work stands waiting, and again when it does not."""
        since_s = self._standing_since_s
        if since_s is None:
            self._standing_since_s = now_s
        elif now_s - since_s >= _STANDING_EVERY_S:
            low, high = _TRUST
            if _STANDING_S < self._standing_s < float("inf"):
                self._trust = max(low, _TRUST_FALL * self._trust)
            else:
                pressed = demand > 0.7 * self.engines * self._target * self._trust
                self._trust = min(high, self._trust + _TRUST_RISE[not pressed])
            self._standing_since_s, self._standing_s = now_s, float("inf")

    def _forget_silent(self, now_s: float) -> None:
        silent = [
            name
            for name, session in self._sessions.items()
            if not session.asked and now_s - session.heard_s > _FORGET_AFTER_S
        ]
        for name in silent:
            del self._sessions[name]


def _level(demands: Sequence[float], capacity: float) -> float:
    """Return the most that anyone gets when all get what they ask for, or the same if that is less; inf if all do.

    Max-min fairness, by filling up from the smallest: with sorted demands d_1 <= … <= d_n it is the first
    (capacity - d_1 - … - d_i) / (n - i) that is less than d_(i+1).
    """
    ordered = sorted(demands)
    given = 0.0
    for index, demand in enumerate(ordered):
        level = (capacity - given) / (len(ordered) - index)
        if level < demand:
            return level
        given += demand
    return float("inf")
