"""Calls about alerts, whatever the transport: checked, then answered from the log on a thread of their own.

The log is a file: a read of it, or a write that waits for the disk, must hold up neither the event loop nor the ZeroMQ
front's thread, so that no forecast waits for an operator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import structlog

from bridge import limits
from bridge.anomaly.desk import AnomalyDesk
from bridge.errors import BridgeError, FailedPrecondition, InternalError, InvalidInput, ResourceExhausted, Unavailable
from bridge.wire.alerts import AlertPage
from bridge.wire.codec import (
    AlertQuery,
    alert_page_to_message,
    alert_query_from_message,
    alert_snapshot_to_message,
    alert_to_message,
)
from bridge.wire.generated.posebridge.v1 import anomaly_pb2

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

MAX_WAITING_CALLS = 256
"""Calls that wait for the log; what comes beyond is refused."""
_RETRY_MS = 500
_LONGEST_ID = 128


class AlertCalls:
    """Answers the calls of ``AnomalyService`` that have one answer; each method returns at once, and a future.

    A future gets the answer, or a `BridgeError`. May be used from any thread.

    Args:
        desk: None where alerts are off: every call is refused then.
    """

    def __init__(self, desk: AnomalyDesk | None) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._waiting = 0
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="posebridge-alert-calls")

    def require_desk(self) -> AnomalyDesk:
        """Return the desk.

        Raises:
            FailedPrecondition: if alerts are off.
        """
        if self._desk is None:
            raise FailedPrecondition(
                "alerts are off on this server",
                field="anomaly",
                expected="the setting `anomaly`, and a calibration for the server's weights",
            )
        return self._desk

    def list_alerts(self, request: anomaly_pb2.ListAlertsRequest) -> Future[anomaly_pb2.ListAlertsResponse]:
        """Answer with what is stored.

        Raises:
            FailedPrecondition, InvalidInput, ResourceExhausted, Unavailable: if the call cannot be taken.
        """
        query = alert_query_from_message(request)
        return self._submit(lambda: self._list(query))

    def acknowledge(self, request: anomaly_pb2.AcknowledgeAlertRequest) -> Future[anomaly_pb2.AcknowledgeAlertResponse]:
        """Note that someone saw an alert; the answer comes when that is stored.

        Raises:
            FailedPrecondition, InvalidInput, ResourceExhausted, Unavailable: if the call cannot be taken.
        """
        alert_id = _checked_id(request.alert_id)
        by, note = request.acknowledged_by, request.note
        hub = self.require_desk().hub

        def call() -> anomaly_pb2.AcknowledgeAlertResponse:
            return anomaly_pb2.AcknowledgeAlertResponse(alert=alert_to_message(hub.acknowledge(alert_id, by, note)))

        return self._submit(call)

    def snapshot(self, request: anomaly_pb2.GetAlertSnapshotRequest) -> Future[anomaly_pb2.GetAlertSnapshotResponse]:
        """Answer with what was seen around an alert's raise.

        Raises:
            FailedPrecondition, InvalidInput, ResourceExhausted, Unavailable: if the call cannot be taken.
        """
        alert_id = _checked_id(request.alert_id)
        log = self.require_desk().hub.log
        return self._submit(lambda: alert_snapshot_to_message(*log.snapshot(alert_id)))

    def page(self, query: AlertQuery) -> Future[AlertPage]:
        """Read the log, for a watcher: of those there is a bound, so that none is refused.

        Raises:
            FailedPrecondition, Unavailable: if the call cannot be taken.
        """
        return self._submit(lambda: self._read(query), of_watcher=True)

    def last_cursor(self) -> Future[int]:
        """Read the cursor of the newest change, 0 if there never was one; for a watcher.

        Raises:
            FailedPrecondition, Unavailable: if the call cannot be taken.
        """
        return self._submit(self.require_desk().hub.log.last_cursor, of_watcher=True)

    def stop(self) -> None:
        """Take no more calls, finish the one under way and forget those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, call: Callable[[], _T], *, of_watcher: bool = False) -> Future[_T]:
        self.require_desk()
        with self._lock:
            if self._waiting >= MAX_WAITING_CALLS and not of_watcher:
                raise ResourceExhausted(
                    f"{self._waiting} calls about alerts are waiting", expected="a later try", retry_after_ms=_RETRY_MS
                )
            self._waiting += 1
        try:
            return self._executor.submit(self._answer, call)
        except RuntimeError:
            self._done()
            raise Unavailable("the server is about to stop", expected="another try later") from None

    def _answer(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except BridgeError:
            raise
        except Exception as error:
            _log.error("alert_call_failed", exc_info=error)
            fault = f"the call failed ({type(error).__name__}); the server's log has details"
            raise InternalError(fault) from None
        finally:
            self._done()

    def _done(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _list(self, query: AlertQuery) -> anomaly_pb2.ListAlertsResponse:
        return _sendable(alert_page_to_message(self._read(query)))

    def _read(self, query: AlertQuery) -> AlertPage:
        log = self.require_desk().hub.log
        names = {"client_name": query.client_name, "avatar_id": query.avatar_id}
        if query.after_cursor is None:
            return log.newest(
                limit=query.limit, before_cursor=query.before_cursor, active_only=query.active_only, **names
            )
        page = log.changes_after(query.after_cursor, limit=query.limit, active_only=query.active_only, **names)
        if query.after_cursor > page.last_cursor:
            # A cursor of another log, as when a damaged one was moved aside: all of this one comes after it.
            page = log.changes_after(0, limit=query.limit, active_only=query.active_only, **names)
        return page


def _sendable(message: anomaly_pb2.ListAlertsResponse) -> anomaly_pb2.ListAlertsResponse:
    """Refuse an answer that no transport takes; cut short it would look like the end of the list."""
    size = message.ByteSize()
    if size > limits.MAX_MESSAGE_BYTES - limits.MESSAGE_OVERHEAD_BYTES:
        raise ResourceExhausted(f"the answer has {size} bytes", field="limit", expected="a smaller limit")
    return message


def _checked_id(alert_id: str) -> str:
    if not 1 <= len(alert_id) <= _LONGEST_ID:
        raise InvalidInput(
            f"has {len(alert_id)} characters", field="alert_id", expected="the id of an alert, as the server gave it"
        )
    return alert_id
