"""What the rest of the service knows of an engine: requests in, one outcome each out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bridge.errors import BridgeError
from bridge.frames import Window
from bridge.skeleton import Layout

if TYPE_CHECKING:
    from bridge.forecaster import ForecastResult


class RequestKey(NamedTuple):
    """Whose request it is: a newer request with the same key replaces an older one that has not started."""

    session_id: str
    avatar_id: str


class DropReason(Enum):
    """Why a request was not computed although nothing was wrong with it."""

    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Completed:
    """The request was computed. Times are seconds of `time.monotonic`; ``batch_size`` counts windows."""

    result: ForecastResult
    started_s: float
    compute_s: float
    batch_size: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """The request was let go before it ran."""

    reason: DropReason


@dataclass(frozen=True, slots=True)
class Failed:
    """The computation of this request went wrong."""

    error: BridgeError


Outcome = Completed | Dropped | Failed


@dataclass(frozen=True, slots=True, eq=False)
class EngineRequest:
    """One window to roll out.

    ``arrived_s`` and ``deadline_s`` are seconds of `time.monotonic`: when the newest frame of the window came in, and
    after when the answer is worthless. ``done`` is called exactly once with the request itself and what became of it,
    on the dispatcher's thread or on the thread that submits, cancels or stops; it must be quick and must not raise.
    """

    key: RequestKey
    window: Window
    horizon_frames: int
    samples: int
    futures: int
    seed: int
    arrived_s: float
    deadline_s: float
    done: Callable[[EngineRequest, Outcome], None]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine computes with: its layout, its clock (Hz, frames), and where its numbers come from."""

    layout: Layout
    rate_hz: float
    context_frames: int
    refinement: str
    weights_id: str
    device: str


class Engine(Protocol):
    """Computes forecasts; called from one thread at a time."""

    @property
    def info(self) -> EngineInfo:
        """What this engine serves."""
        ...

    def infer(self, requests: Sequence[EngineRequest]) -> list[ForecastResult]:
        """Forecast every window, in order, as one batch.

        Raises:
            Exception: whatever goes wrong; the dispatcher then tries the requests one by one.
        """
        ...
