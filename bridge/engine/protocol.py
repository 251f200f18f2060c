"""What the rest of the service knows of an engine: requests in, one outcome each out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bridge.errors import BridgeError
from bridge.skeleton import Layout
from bridge.timeline import Snapshot

if TYPE_CHECKING:
    from bridge.forecaster.results import ForecastResult


class RequestKey(NamedTuple):
    """Whose request it is: a newer request with the same key replaces an older one that has not started."""

    session_id: str
    avatar_id: str


class DropReason(Enum):
    """Why a request was not computed although nothing was wrong with it."""

    SUPERSEDED = "superseded"
    """The avatar's next forecast fell due before this one was computed."""
    REFRESHED = "refreshed"
    """The same forecast will be made from a newer frame, whose request has taken this one's place."""
    EXPIRED = "expired"
    """The answer would have come after the deadline."""
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
    """One window to roll out: ``snapshot`` makes it, when it is known that it will be computed.

    ``arrived_s`` and ``deadline_s`` are seconds of `time.monotonic`: when the newest frame of the window came in, and
    after when the answer is worthless. ``done`` is called exactly once with the request itself and what became of it,
    on the dispatcher's thread or on the thread that submits, cancels or stops; it must be quick and must not raise.

    Without ``keep_samples`` the answer has only the futures chosen from the samples: these are most of its bytes.
    ``scored_samples`` of them over ``scored_steps`` come all the same, in half precision, to compare with what then
    happens; ``wants_likelihood`` asks how likely the window's newest block was. An engine that draws nothing real
    (null) answers without either.
    """

    key: RequestKey
    snapshot: Snapshot
    horizon_frames: int
    samples: int
    futures: int
    seed: int
    arrived_s: float
    deadline_s: float
    done: Callable[[EngineRequest, Outcome], None]
    keep_samples: bool = True
    scored_samples: int = 0
    scored_steps: int = 0
    wants_likelihood: bool = False


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine computes with: its layout, its clock (Hz, frames), and where its numbers come from.

    With ``padded`` a batch costs as much as the next power of two of windows (recorded GPU graphs).
    """

    layout: Layout
    rate_hz: float
    context_frames: int
    refinement: str
    weights_id: str
    device: str
    padded: bool = False


class Engine(Protocol):
    """Computes forecasts; `infer` is called from one thread at a time."""

    @property
    def info(self) -> EngineInfo:
        """What this engine serves."""
        ...

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        """Forecast every window, in order, as one batch; an error stands for a request that is itself at fault.

        ``deadline_s`` is the latest deadline in the batch (seconds of `time.monotonic`): later nobody wants the answer,
        and an engine may give up.

        Raises:
            Exception: what went wrong with the batch as a whole; the dispatcher then tries the requests one by one.
        """
        ...

    def close(self) -> None:
        """Release what is held; no `infer` runs any more. May be called again."""
        ...
