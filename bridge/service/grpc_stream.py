"""One StreamForecasts call: reads, writes, and ends when its session does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator

import grpc.aio
import structlog

from bridge.errors import BridgeError, DeadlineExceeded, Unavailable
from bridge.service.access import AccessGrant
from bridge.service.watch import WatchPublisher
from bridge.session import Session, SessionRegistry
from bridge.wire.codec import parse_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2

_log = structlog.get_logger(__name__)

TRANSPORT = "grpc"
_LONG_S = 0.002
_PAUSE = 0.5
"""After a message that took longer to take in, its client waits for this share of that time: others have theirs."""


class Wakeups:
    """Carries wake-ups from other threads into the event loop: those that come together in one go."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._woken: deque[asyncio.Event] = deque()
        self._scheduled = False

    def wake(self, event: asyncio.Event) -> None:
        """Set an event of the loop; from any thread."""
        self._woken.append(event)
        if not self._scheduled:
            self._scheduled = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False  # before looking: who comes after this schedules again
        while self._woken:
            self._woken.popleft().set()


class Submissions:
    """Hands over together what the streams took in during one round of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, registry: SessionRegistry) -> None:
        self._loop = loop
        self._registry = registry
        self._touched: dict[Session, None] = {}

    def note(self, session: Session) -> None:
        """Submit what a session has due, soon."""
        if not self._touched:
            self._loop.call_soon(self._submit)
        self._touched[session] = None

    def _submit(self) -> None:
        touched, self._touched = self._touched, {}
        self._registry.submit(touched)


class ForecastStream:
    """One call. `open`, then `converse`, then look at ``ended_by``; `end_if_idle` may come at any time."""

    def __init__(
        self,
        registry: SessionRegistry,
        requests: AsyncIterator[bytes],
        context: grpc.aio.ServicerContext,
        *,
        grant: AccessGrant,
        wakeups: Wakeups,
        submissions: Submissions,
        watch: WatchPublisher | None,
    ) -> None:
        self._registry = registry
        self._requests = requests
        self._context = context
        self._grant = grant
        self._wakeups = wakeups
        self._submissions = submissions
        self._watch = watch
        self._awake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self.session: Session | None = None
        self.ended_by: BridgeError | None = None
        """What the client is to be told as the reason of the end; None after a good one."""
        self.client_gone = False
        """Whether what was written found nobody."""

    async def open(self, timeout_s: float) -> None:
        """Read the config and open the session; no session if the client left without a word.

        Raises:
            DeadlineExceeded: if no config comes in time.
            BridgeError: as `SessionRegistry.open`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                first = await anext(self._requests, None)
        except TimeoutError:
            problem = f"nothing came within {timeout_s:g} s"
            raise DeadlineExceeded(problem, field="config", expected="a config as the first message") from None
        if first is None:
            return
        self._grant.require_size(len(first))
        request = parse_message(forecast_pb2.StreamForecastsRequest, first)
        self.session = self._registry.open(request, self._wake, transport=TRANSPORT, grant=self._grant)

    async def converse(self) -> None:
        """Read and write until the session is finished; returns or is cancelled with the call."""
        assert self.session is not None
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(self.session))
            self._writer = tasks.create_task(self._write(self.session))
            await asyncio.wait({self._writer})
            reader.cancel()

    def end_if_idle(self, timeout_s: float) -> None:
        """End the call if nothing was heard for so long."""
        if self.session is not None and self._writer is not None and self.session.idle_s() >= timeout_s:
            problem = f"nothing was heard for {timeout_s:g} s"
            self.ended_by = Unavailable(problem, field="session", expected="frames, or a clock ping")
            self._writer.cancel()

    def _wake(self) -> None:
        self._wakeups.wake(self._awake)

    async def _read(self, session: Session) -> None:
        async for data in self._requests:
            try:
                self._grant.require_size(len(data))
                request = parse_message(forecast_pb2.StreamForecastsRequest, data)
            except BridgeError as error:
                session.report(error)
                continue
            began_s = time.perf_counter()
            session.take_in(request)
            self._submissions.note(session)
            took_s = time.perf_counter() - began_s
            if took_s > _LONG_S:
                await asyncio.sleep(_PAUSE * took_s)
        session.finish()

    async def _write(self, session: Session) -> None:
        while True:
            self._awake.clear()
            while (item := session.next_item()) is not None:
                response = session.encode(item)
                try:
                    await self._context.write(response)
                except Exception as error:  # of no public type: the client has gone in this moment
                    _log.debug("forecast_not_written", session=session.id, exc_info=error)
                    self.client_gone = True
                    return
                session.note_sent(item)
                if self._watch is not None:
                    self._watch.note_sent(session.config.client_name, response)
            if session.finished:
                return
            await self._awake.wait()
