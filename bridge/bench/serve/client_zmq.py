"""Load over ZeroMQ: one DEALER socket a session, all of them on one plain thread."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable

import zmq

from bridge.bench.serve.frames import FrameMessages
from bridge.bench.serve.job import OPEN_TIMEOUT_S, ClientJob, config_request
from bridge.bench.serve.journal import NEVER, Journal
from bridge.bench.serve.replies import Replies
from bridge.bench.serve.schedule import Due, Metronome
from bridge.errors import Unavailable
from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import envelope_pb2

_READ_IN_A_ROW = 32
_LINGER_MS = 200


class ZmqLoad:
    """Puts a job's load on a ROUTER socket."""

    def __init__(self, job: ClientJob, journal: Journal, replies: Replies, layout: Layout) -> None:
        self._job = job
        self._journal = journal
        self._replies = replies
        self._messages = FrameMessages(job.plan, layout, enveloped=True)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets = [self._connect() for _ in job.plan.sessions]
        self._unsent: list[deque[bytes]] = [deque() for _ in self._sockets]
        self._start_ns = 0

    def run(self, wait_for_start: Callable[[], int]) -> None:
        """Open all sessions, wait for the word, send every frame at its time, read on until all is answered.

        Raises:
            Unavailable: if a session is not accepted.
        """
        try:
            self._open()
            self._start_ns = wait_for_start()
            spent_s = time.process_time()
            self._send_all()
            self._drain()
            self._journal.cpu_s = time.process_time() - spent_s
            self._say_goodbye()
        finally:
            self._context.destroy(linger=_LINGER_MS)

    def _connect(self) -> zmq.Socket[bytes]:
        dealer = self._context.socket(zmq.DEALER)
        dealer.connect(self._job.address)
        return dealer

    def _open(self) -> None:
        for session, dealer in enumerate(self._sockets):
            request = config_request(self._job, session)
            dealer.send(envelope_pb2.ClientEnvelope(stream=request).SerializeToString())
        deadline_s = time.monotonic() + OPEN_TIMEOUT_S
        sessions = range(len(self._sockets))
        while not all(self._replies.accepted(session) for session in sessions):
            if time.monotonic() > deadline_s or self._journal.events:
                said = self._journal.events[0].problem if self._journal.events else "no answer"
                raise Unavailable(f"{self._job.address} does not take the session: {said}")
            self._wait_and_read(0.05)

    def _send_all(self) -> None:
        metronome = Metronome(self._job.plan, self._start_ns)
        while (coming := metronome.next_due()) is not None:
            # Made before its time: what a message takes to make is no latency of the server's.
            prepared = self._messages.of(coming.session, coming.tick)
            while (wait_s := (coming.due_ns - time.monotonic_ns()) / 1e9) > 0:
                self._wait_and_read(wait_s)
            for due in metronome.take(time.monotonic_ns()):
                self._send(due, prepared if due == coming else self._messages.of(due.session, due.tick))
            self._read()

    def _send(self, due: Due, prepared: tuple[list[int], list[bytes]]) -> None:
        if not self._replies.wants_frames(due.session):
            return
        avatars, messages = prepared
        if not avatars:
            return
        rows = [self._journal.row(due.session, avatar) for avatar in avatars]
        self._replies.sent(due.session, rows, due.tick)
        self._unsent[due.session].extend(messages)
        self._flush(due.session)
        self._journal.sent_ns[rows, due.tick] = time.monotonic_ns() - self._start_ns
        self._journal.request_bytes = len(messages[-1])

    def _flush(self, session: int) -> None:
        """Hand over what the socket takes; what it does not take waits, and its time runs."""
        unsent = self._unsent[session]
        while unsent:
            try:
                self._sockets[session].send(unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                return
            unsent.popleft()

    def _wait_and_read(self, timeout_s: float) -> None:
        """Read until nothing is there; if nothing was, wait for something, in finer steps than ZeroMQ's milliseconds.

        A socket's descriptor tells only of news since the socket was last found empty, so all are looked at before.
        """
        if not self._read() and timeout_s > 0:
            select.select([dealer.fileno() for dealer in self._sockets], [], [], timeout_s)
            self._read()

    def _read(self) -> int:
        taken = 0
        for session, dealer in enumerate(self._sockets):
            if self._unsent[session]:
                self._flush(session)
            for _ in range(_READ_IN_A_ROW):
                try:
                    data = dealer.recv(zmq.NOBLOCK)
                except zmq.Again:
                    break
                taken += 1
                self._replies.take(session, data, time.monotonic_ns() - self._start_ns)
        return taken

    def _drain(self) -> None:
        until_ns = time.monotonic_ns() + round(self._job.drain_s * 1e9)
        journal = self._journal
        while time.monotonic_ns() < until_ns and ((journal.sent_ns != NEVER) & (journal.answered_ns == NEVER)).any():
            self._wait_and_read(0.02)

    def _say_goodbye(self) -> None:
        goodbye = envelope_pb2.ClientEnvelope(goodbye=envelope_pb2.Goodbye()).SerializeToString()
        for dealer in self._sockets:
            try:
                dealer.send(goodbye, zmq.NOBLOCK)
            except zmq.Again:  # nobody is there to hear it
                continue
