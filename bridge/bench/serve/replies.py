"""What the messages that come back mean for the journal."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from bridge.bench.serve.journal import NEVER, Event, Fault, Journal
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2


class Replies(Protocol):
    """Notes what comes back; knows, per session, whether it is open, closing or over."""

    def sent(self, session: int, rows: list[int], tick: int) -> None:
        """Frames were handed to the transport."""
        ...

    def take(self, session: int, data: bytes, at_ns: int) -> None:
        """A message came in, ``at_ns`` after the start."""
        ...

    def accepted(self, session: int) -> bool:
        """True if the session is open."""
        ...

    def wants_frames(self, session: int) -> bool:
        """False once the server said that it is about to stop, or that the session is over."""
        ...


class ForecastReplies:
    """The service's own messages, of either transport; with ``enveloped`` as ZeroMQ carries them."""

    def __init__(self, journal: Journal, *, enveloped: bool) -> None:
        self._journal = journal
        self._enveloped = enveloped
        sessions = range(len(journal.plan.sessions))
        self._rows = [journal.row_of_name(session) for session in sessions]
        self._accepted = [False for _ in sessions]
        self._closing = [False for _ in sessions]

    def sent(self, session: int, rows: list[int], tick: int) -> None:
        """See `Replies`; a forecast names the frame it is based on, so there is nothing to remember."""

    def accepted(self, session: int) -> bool:
        """See `Replies`."""
        return self._accepted[session]

    def wants_frames(self, session: int) -> bool:
        """See `Replies`."""
        return not self._closing[session]

    def take(self, session: int, data: bytes, at_ns: int) -> None:
        """See `Replies`."""
        if not self._enveloped:
            self._take_stream(session, forecast_pb2.StreamForecastsResponse.FromString(data), len(data), at_ns)
            return
        envelope = envelope_pb2.ServerEnvelope.FromString(data)
        payload = envelope.WhichOneof("payload")
        if payload == "stream":
            self._take_stream(session, envelope.stream, len(data), at_ns)
        elif payload == "error":
            self.over(session, at_ns, "broke", envelope.error.error.problem)

    def over(self, session: int, at_ns: int, kind: str, problem: str = "") -> None:
        """Note that a session ended, unless it is known to be over."""
        name = self._journal.plan.sessions[session].name
        if not any(event.session == name and event.kind != "draining" for event in self._journal.events):
            self._journal.events.append(Event(name, at_ns, kind, problem))
        self._closing[session] = True

    def _take_stream(self, session: int, response: forecast_pb2.StreamForecastsResponse, size: int, at_ns: int) -> None:
        payload = response.WhichOneof("payload")
        if payload == "forecast":
            self._take_forecast(session, response.forecast, size, at_ns)
        elif payload == "frame_error":
            self._take_fault(session, response.frame_error, at_ns)
        elif payload == "accepted":
            self._accepted[session] = True
        elif payload == "draining":
            name = self._journal.plan.sessions[session].name
            self._journal.events.append(Event(name, at_ns, "draining"))
            self._closing[session] = True

    def _take_forecast(self, session: int, forecast: forecast_pb2.PoseForecast, size: int, at_ns: int) -> None:
        journal = self._journal
        place = self._rows[session][forecast.avatar_id], forecast.based_on_sequence
        timing = forecast.timing
        journal.answered_ns[place] = at_ns
        journal.age_us[place] = timing.age_us
        journal.compute_us[place] = timing.compute_us
        journal.batch_size[place] = timing.batch_size
        journal.samples[place] = forecast.samples
        journal.degraded[place] = forecast.degraded
        journal.reply_bytes = size

    def _take_fault(self, session: int, fault: forecast_pb2.FrameError, at_ns: int) -> None:
        row = self._rows[session].get(fault.avatar_id, NEVER)
        error = fault.error
        self._journal.faults.append(
            Fault(
                row=row,
                tick=fault.sequence if row != NEVER else NEVER,
                at_ns=at_ns,
                code=error.code,
                retry_after_ms=error.retry_after_ms,
                frame_kept=fault.frame_kept,
                problem=error.problem,
            )
        )


class EchoReplies:
    """Blobs, one a frame in the order of the frames. The first answers the config."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        sessions = range(len(journal.plan.sessions))
        self._waiting: list[deque[tuple[int, int]]] = [deque() for _ in sessions]
        self._accepted = [False for _ in sessions]

    def sent(self, session: int, rows: list[int], tick: int) -> None:
        """See `Replies`."""
        self._waiting[session].extend((row, tick) for row in rows)

    def accepted(self, session: int) -> bool:
        """See `Replies`."""
        return self._accepted[session]

    def wants_frames(self, session: int) -> bool:
        """See `Replies`."""
        return True

    def take(self, session: int, data: bytes, at_ns: int) -> None:
        """See `Replies`."""
        if not self._accepted[session]:
            self._accepted[session] = True
            return
        if self._waiting[session]:
            place = self._waiting[session].popleft()
            self._journal.answered_ns[place] = at_ns
            self._journal.reply_bytes = len(data)
