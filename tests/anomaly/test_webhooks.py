"""Webhooks: a real receiver, verified with the library that receivers use."""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from bridge.anomaly.alert_log import AlertLog
from bridge.anomaly.hub import AlertHub
from bridge.anomaly.webhook_file import Webhook, load_webhooks
from bridge.anomaly.webhooks import WebhookSender
from bridge.errors import InvalidInput, NotFound
from bridge.telemetry import AnomalyTelemetry
from bridge.wire.alerts import AlertState, Severity
from tests.anomaly.alerts import RAISED, cleared, raised

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PATIENCE_S = 20.0


class Receiver:
    """Answers with the given statuses, one after the other, then 200; None hangs until the end."""

    def __init__(self, *statuses: int | None) -> None:
        self.answers = list(statuses)
        self.requests: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.put((dict(self.headers.items()), body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status is None:
                    receiver.ended.wait(PATIENCE_S)
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def next(self) -> tuple[dict[str, str], bytes]:
        return self.requests.get(timeout=PATIENCE_S)

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


class Stage:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closing: list[Callable[[], object]] = []
        self.telemetry = AnomalyTelemetry()

    def receiver(self, *statuses: int | None) -> Receiver:
        made = Receiver(*statuses)
        self._closing.append(made.close)
        return made

    def start(self, *hooks: Webhook, **options: float) -> AlertHub:
        log = AlertLog.open(self._folder / "alerts.sqlite3", receivers=[hook.name for hook in hooks])
        hub = AlertHub(log, self.telemetry)
        sender = WebhookSender(log, hooks, self.telemetry, **{"first_retry_s": 0.01, **options})  # type: ignore[arg-type]
        hub.listen(sender.wake)
        sender.start()
        self._closing.append(lambda: sender.stop(0.5))
        self._closing.append(log.close)
        return hub

    def close(self) -> None:
        for close in self._closing:
            close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def hook(receiver: Receiver, name: str = "desk", **options: object) -> Webhook:
    return Webhook(name, receiver.url, SECRET, **options)  # type: ignore[arg-type]


def wait_for(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.005)


def test_a_message_is_signed_and_says_what_happened(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.start(hook(receiver)).publish(RAISED)
    headers, body = receiver.next()
    message = Verifier(SECRET).verify(body, headers)
    assert message["type"] == "alert.raised"
    assert message["data"]["id"] == RAISED.id
    assert message["data"]["joints"][0]["name"] == "left_wrist"
    assert headers["webhook-id"] == f"{RAISED.id}.1"
    with pytest.raises(Exception, match=r"(?i)match"):
        Verifier(SECRET).verify(body + b" ", headers)


def test_what_fails_is_sent_again_under_the_same_id(stage: Stage) -> None:
    receiver = stage.receiver(500, 503, 302)
    stage.start(hook(receiver)).publish(RAISED)
    ids = [receiver.next()[0]["webhook-id"] for _ in range(4)]
    assert set(ids) == {f"{RAISED.id}.1"}
    wait_for(lambda: stage.telemetry.deliveries["desk", "delivered"] == 1)
    assert stage.telemetry.deliveries["desk", "failed"] == 3


def test_after_a_limit_a_message_is_a_dead_letter_and_the_next_is_sent(stage: Stage) -> None:
    receiver = stage.receiver(500, 500, 500)
    hub = stage.start(hook(receiver), max_attempts=3)
    hub.publish(RAISED)
    wait_for(lambda: stage.telemetry.deliveries["desk", "dead"] == 1)
    ((name, alert, problem),) = hub.log.dead_letters()
    assert (name, alert.id, problem) == ("desk", RAISED.id, "HTTP status 500")
    hub.publish(raised(5))
    wait_for(lambda: stage.telemetry.deliveries["desk", "delivered"] == 1)


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(stage: Stage) -> None:
    receiver = stage.receiver(410)
    stage.start(hook(receiver)).publish(RAISED)
    wait_for(lambda: stage.telemetry.deliveries["desk", "dead"] == 1)
    assert receiver.requests.qsize() == 1


def test_a_receiver_that_hangs_delays_nobody_else(stage: Stage) -> None:
    hanging, quick = stage.receiver(None), stage.receiver()
    hub = stage.start(hook(hanging, "hanging"), hook(quick, "quick"))
    hub.publish(RAISED)
    hanging.next()
    for number in range(3):
        hub.publish(raised(number))
        quick.next()
    wait_for(lambda: stage.telemetry.deliveries["quick", "delivered"] == 4)
    assert stage.telemetry.deliveries["hanging", "delivered"] == 0


def test_a_receiver_that_answers_too_late_is_tried_again(stage: Stage) -> None:
    receiver = stage.receiver(None)
    stage.start(hook(receiver), timeout_s=0.1).publish(RAISED)
    receiver.next()
    receiver.next()
    wait_for(lambda: stage.telemetry.deliveries["desk", "delivered"] == 1)


def test_what_was_owed_is_delivered_after_a_restart(tmp_path: Path) -> None:
    log = AlertLog.open(tmp_path / "alerts.sqlite3", receivers=["desk"])
    log.record(RAISED)
    log.record(cleared(RAISED))
    log.close()
    stage = Stage(tmp_path)
    receiver = stage.receiver()
    stage.start(hook(receiver))
    types = [json.loads(receiver.next()[1])["type"] for _ in range(2)]
    assert types == ["alert.raised", "alert.cleared"]
    stage.close()


def test_a_receiver_gets_only_what_it_wants(stage: Stage) -> None:
    receiver = stage.receiver()
    wanted = hook(receiver, min_severity=Severity.HIGH, states=frozenset({AlertState.RAISED}))
    hub = stage.start(wanted)
    hub.publish(RAISED)
    hub.publish(raised(1, severity=Severity.HIGH))
    assert json.loads(receiver.next()[1])["data"]["id"] == raised(1).id
    wait_for(lambda: hub.log.next_due_s("desk") is None)
    assert receiver.requests.empty()


def test_stopping_what_was_never_started_is_no_fault(tmp_path: Path) -> None:
    log = AlertLog.open(tmp_path / "alerts.sqlite3")
    assert WebhookSender(log, [Webhook("desk", "http://127.0.0.1:1/", SECRET)]).stop()


# -- the file


def write(folder: Path, text: str, secret: str = SECRET) -> Path:
    (folder / "desk.secret").write_text(f"{secret}\n")
    path = folder / "hooks.toml"
    path.write_text(text)
    return path


GOOD = '[[webhooks]]\nname = "desk"\nurl = "https://example.org/x"\nsecret_file = "desk.secret"\n'


def test_a_file_is_read_with_its_secrets(tmp_path: Path) -> None:
    text = GOOD + 'min_severity = "high"\nstates = ["raised"]\n'
    (one,) = load_webhooks(write(tmp_path, text))
    assert one == Webhook("desk", "https://example.org/x", SECRET, Severity.HIGH, frozenset({AlertState.RAISED}))
    assert SECRET not in repr(one)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("webhooks = 3", "webhooks"),
        ("", "webhooks"),
        ("[[webhooks", "webhooks"),
        (GOOD + "colour = 1\n", "webhooks[0].colour"),
        (GOOD.replace("desk.secret", "none.secret"), "webhooks[0].secret_file"),
        (GOOD.replace("https://", "ftp://"), "webhooks[0].url"),
        (GOOD.replace('"desk"', '"de sk"'), "webhooks[0].name"),
        (GOOD + GOOD, "webhooks[1].name"),
        (GOOD + 'min_severity = "huge"\n', "webhooks[0].min_severity"),
        (GOOD + 'states = ["gone"]\n', "webhooks[0].states"),
        ('[[webhooks]]\nurl = "https://x.org"\nsecret_file = "desk.secret"\n', "webhooks[0].name"),
    ],
)
def test_a_wrong_file_names_entry_and_key(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises((InvalidInput, NotFound)) as caught:
        load_webhooks(write(tmp_path, text))
    assert caught.value.field == field


def test_a_wrong_secret_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_webhooks(write(tmp_path, GOOD, secret="hunter2"))
    assert caught.value.field == "webhooks[0].secret_file"
    assert "hunter2" not in str(caught.value)
    with pytest.raises(NotFound):
        load_webhooks(tmp_path / "none.toml")
