"""Alerts over HTTP: signed as Standard Webhooks says, from the log's outbox, until they arrive or are given up.

Every receiver has a thread of its own, so that one that hangs delays nobody else. A message is sent at least once; its
``webhook-id`` is the same at every try, so that a receiver can leave out what came twice.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import structlog
from standardwebhooks.webhooks import Webhook as Signer

from bridge.anomaly.alert_log import AlertLog, Delivery
from bridge.anomaly.webhook_file import Webhook
from bridge.errors import BridgeError
from bridge.telemetry import AnomalyTelemetry
from bridge.wire.alerts import Alert, alert_to_json

_log = structlog.get_logger(__name__)

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 3600.0
MAX_ATTEMPTS = 12
"""Tries before a message is given up: with the pauses between them, about a day's half."""
_TIMEOUT_S = 10.0
_LOOK_AGAIN_S = 5.0
_GONE = 410


class WebhookSender:
    """Delivers what the log owes to receivers; `start`, `wake` whenever there is something new, `stop`.

    Args:
        log: whose outbox is worked off; it must have been opened with the receivers' names.
        webhooks: the receivers.
        telemetry: counts deliveries.
        first_retry_s: pause after the first failure; it doubles, give or take a quarter, up to an hour.
        max_attempts: after so many failures a message is a dead letter.
        timeout_s: for a receiver to answer.
    """

    def __init__(
        self,
        log: AlertLog,
        webhooks: Sequence[Webhook],
        telemetry: AnomalyTelemetry | None = None,
        *,
        first_retry_s: float = FIRST_RETRY_S,
        max_attempts: int = MAX_ATTEMPTS,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._log = log
        self._telemetry = telemetry or AnomalyTelemetry()
        self._first_retry_s = first_retry_s
        self._max_attempts = max_attempts
        self._timeout_s = timeout_s
        self._stopping = threading.Event()
        self._bells = {hook.name: threading.Event() for hook in webhooks}
        self._threads = [
            threading.Thread(target=self._work, args=(hook,), name=f"posebridge-webhook-{hook.name}", daemon=True)
            for hook in webhooks
        ]

    def start(self) -> None:
        """Begin to deliver, first of all what was owed before."""
        for thread in self._threads:
            thread.start()

    def wake(self, _: Alert | None = None) -> None:
        """Say that there is something new."""
        for bell in self._bells.values():
            bell.set()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the threads; False if one is still waiting for its receiver (it ends with the process)."""
        self._stopping.set()
        self.wake()
        end_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, hook: Webhook) -> None:
        bell = self._bells[hook.name]
        with httpx.Client(timeout=self._timeout_s, follow_redirects=False, trust_env=False) as client:
            while not self._stopping.is_set():
                bell.clear()
                pause_s = _LOOK_AGAIN_S
                try:
                    for delivery in self._log.due(hook.name):
                        if self._stopping.is_set():
                            return
                        self._deliver(client, hook, delivery)
                    owed_s = self._log.next_due_s(hook.name)
                    pause_s = _LOOK_AGAIN_S if owed_s is None else min(owed_s, _LOOK_AGAIN_S)
                except BridgeError as error:
                    if self._stopping.is_set():
                        return
                    _log.error("webhook_outbox_unreadable", webhook=hook.name, error=str(error))
                bell.wait(pause_s)

    def _deliver(self, client: httpx.Client, hook: Webhook, delivery: Delivery) -> None:
        if not hook.wants(delivery.alert):
            self._log.delivered(delivery)
            return
        problem, final = self._send(client, hook, delivery.alert)
        counts = self._telemetry.deliveries
        if problem is None:
            counts[hook.name, "delivered"] += 1
            self._log.delivered(delivery)
            return
        last = final or delivery.attempts + 1 >= self._max_attempts
        counts[hook.name, "dead" if last else "failed"] += 1
        wait_s = min(self._first_retry_s * 2.0**delivery.attempts, LONGEST_RETRY_S) * random.uniform(0.75, 1.25)
        self._log.failed(delivery, problem, again_in_s=None if last else wait_s)
        _log.warning(
            "webhook_failed",
            webhook=hook.name,
            alert=delivery.alert.id,
            attempt=delivery.attempts + 1,
            problem=problem,
            given_up=last,
        )

    def _send(self, client: httpx.Client, hook: Webhook, alert: Alert) -> tuple[str | None, bool]:
        """What went wrong, None if nothing did, and whether another try is of no use."""
        body, headers = signed_message(hook.secret, alert, datetime.now(UTC))
        try:
            # Nothing of the answer but its status is of interest: a body without end is not read.
            with client.stream("POST", hook.url, content=body, headers=headers) as response:
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}", False
        if 200 <= status < 300:
            return None, False
        return f"HTTP status {status}", status == _GONE


def signed_message(secret: str, alert: Alert, now: datetime) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of a message, as https://www.standardwebhooks.com describes them."""
    when = datetime.fromtimestamp(alert.recorded_unix_us / 1e6, UTC)
    message = {"type": f"alert.{alert.state.value}", "timestamp": when.isoformat(), "data": alert_to_json(alert)}
    body = json.dumps(message, separators=(",", ":"))
    message_id = f"{alert.id}.{alert.revision}"
    signature = Signer(secret).sign(message_id, now, body)
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "user-agent": "pose-bridge",
    }
    return body.encode(), headers
