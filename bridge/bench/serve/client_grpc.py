"""Load over gRPC: one channel and one bidirectional stream a session, all of them on one event loop."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from bridge import limits
from bridge.bench.serve.frames import FrameMessages
from bridge.bench.serve.job import OPEN_TIMEOUT_S, ClientJob, config_request
from bridge.bench.serve.journal import NEVER, Journal
from bridge.bench.serve.replies import ForecastReplies, Replies
from bridge.errors import Unavailable
from bridge.skeleton import Layout

METHOD = "/posebridge.v1.ForecastService/StreamForecasts"
_OPTIONS = (
    ("grpc.max_receive_message_length", limits.MAX_MESSAGE_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
)
_GOODBYE_S = 1.0


class GrpcLoad:
    """Puts a job's load on a ``StreamForecasts`` method."""

    def __init__(self, job: ClientJob, journal: Journal, replies: Replies, layout: Layout) -> None:
        self._job = job
        self._journal = journal
        self._replies = replies
        self._messages = FrameMessages(job.plan, layout, enveloped=False)
        self._start_ns = 0

    def run(self, wait_for_start: Callable[[], int]) -> None:
        """Open all sessions, wait for the word, send every frame at its time, read on until all is answered.

        Raises:
            Unavailable: if a session is not accepted.
        """
        # The usual selector waits in whole milliseconds.
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
            runner.run(self._run(wait_for_start))

    async def _run(self, wait_for_start: Callable[[], int]) -> None:
        sessions = range(len(self._job.plan.sessions))
        channels = [grpc.aio.insecure_channel(self._job.address, options=_OPTIONS) for _ in sessions]
        calls: list[Any] = [channel.stream_stream(METHOD)() for channel in channels]
        readers = [asyncio.create_task(self._read(session, calls[session])) for session in sessions]
        try:
            for session in sessions:
                await calls[session].write(config_request(self._job, session).SerializeToString())
            await self._all_accepted()
            self._start_ns = await asyncio.to_thread(wait_for_start)
            spent_s = time.process_time()
            await asyncio.gather(*(self._send(session, calls[session]) for session in sessions))
            await self._drain()
            self._journal.cpu_s = time.process_time() - spent_s
            for session in sessions:
                if self._replies.wants_frames(session):
                    await calls[session].done_writing()
            await asyncio.wait(readers, timeout=_GOODBYE_S)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise Unavailable(f"{self._job.address} does not take the session: {error}") from error
        finally:
            for call in calls:
                call.cancel()
            for channel in channels:
                await channel.close()

    async def _all_accepted(self) -> None:
        deadline_s = time.monotonic() + OPEN_TIMEOUT_S
        while not all(self._replies.accepted(session) for session in range(len(self._job.plan.sessions))):
            if time.monotonic() > deadline_s or self._journal.events:
                said = self._journal.events[0].problem if self._journal.events else "no answer"
                raise Unavailable(f"{self._job.address} does not take the session: {said}")
            await asyncio.sleep(0.005)

    async def _send(self, session: int, call: Any) -> None:
        plan = self._job.plan
        for tick in range(plan.ticks):
            # Made before its time: what a message takes to make is no latency of the server's.
            avatars, messages = self._messages.of(session, tick)
            due_ns = self._start_ns + plan.due_ns(session, tick)
            wait_s = (due_ns - time.monotonic_ns()) / 1e9
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if not self._replies.wants_frames(session):
                return
            rows = [self._journal.row(session, avatar) for avatar in avatars]
            # Noted before: the answer may be read while the writing is waited for.
            self._replies.sent(session, rows, tick)
            for number, message in enumerate(messages):
                try:
                    await call.write(message)
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    return  # the reader notes how the call ended
                sent = rows if plan.batched else rows[number : number + 1]
                self._journal.sent_ns[sent, tick] = time.monotonic_ns() - self._start_ns
                self._journal.request_bytes = len(message)

    async def _read(self, session: int, call: Any) -> None:
        kind, problem = "ended", ""
        try:
            while (data := await call.read()) is not grpc.aio.EOF:
                self._replies.take(session, data, time.monotonic_ns() - self._start_ns)
            if (status := await call.code()) is not grpc.StatusCode.OK:
                kind, problem = "broke", f"{status.name}: {await call.details()}"
        except grpc.aio.AioRpcError as error:
            kind, problem = "broke", f"{error.code().name}: {error.details()}"
        if isinstance(self._replies, ForecastReplies):
            self._replies.over(session, time.monotonic_ns() - self._start_ns, kind, problem)

    async def _drain(self) -> None:
        until_s = time.monotonic() + self._job.drain_s
        journal = self._journal
        while time.monotonic() < until_s and ((journal.sent_ns != NEVER) & (journal.answered_ns == NEVER)).any():
            await asyncio.sleep(0.02)
