"""The page without a browser: where it listens, how often it is updated, how it ends."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from bridge.errors import InvalidInput
from bridge.viewer import History, Page, Playback, Readouts
from tests.service_fixtures import wait_until
from tests.viewer.motion import LAYOUT, swaying_history


def test_eight_avatars_with_five_futures_are_updated_more_than_twenty_times_a_second() -> None:
    history, readouts = swaying_history(8, seconds=4.0), Readouts()
    with Page(LAYOUT, history, Playback(live=False), readouts, avatars=8) as page:
        wait_until(lambda: readouts.updates_per_avatar(8) > 20.0, patience_s=30.0)
        time.sleep(3.0)
        print(f"8 avatars, each updated {readouts.updates_per_avatar(8):.1f} times a second")
        assert page.error is None


def test_the_page_is_served_and_its_end_leaves_neither_port_nor_thread() -> None:
    before = set(threading.enumerate())
    with Page(LAYOUT, swaying_history(), Playback(live=False), Readouts()) as page:
        assert page.url == f"http://127.0.0.1:{page.port}"
        answer = httpx.get(page.url, trust_env=False)
        assert answer.status_code == 200 and "<html" in answer.text
        assert page.browsers == 0
        port = page.port
    page.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    wait_until(lambda: not [thread for thread in set(threading.enumerate()) - before if not thread.daemon])
    assert "view-page" not in {thread.name for thread in threading.enumerate()}


def test_a_taken_port_and_a_foreign_address_are_refused_by_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InvalidInput, match="port: cannot listen") as caught:
            Page(LAYOUT, History(), Playback(live=False), Readouts(), port=taken.getsockname()[1])
        assert caught.value.field == "port"
    with pytest.raises(InvalidInput, match=r"cannot listen on 192\.0\.2\.1"):
        Page(LAYOUT, History(), Playback(live=False), Readouts(), host="192.0.2.1")


def test_samples_are_asked_for_only_when_someone_wants_them() -> None:
    asked: list[bool] = []
    history = swaying_history()
    with Page(
        LAYOUT,
        history,
        Playback(live=False),
        Readouts(),
        on_position=lambda _, samples: asked.append(samples),
        samples_at=lambda *_: None,
    ):
        wait_until(lambda: len(asked) > 5)
    assert not any(asked)


def test_what_goes_wrong_in_the_loop_is_found_on_the_page() -> None:
    def fails(position_us: int, samples: bool) -> None:
        raise ZeroDivisionError

    with Page(LAYOUT, swaying_history(), Playback(live=False), Readouts(), on_position=fails) as page:
        wait_until(lambda: page.error is not None)
        assert "ZeroDivisionError" in str(page.error)
