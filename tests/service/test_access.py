"""Tokens open doors, and only theirs."""

from __future__ import annotations

import contextlib
import hmac
import threading
from pathlib import Path

import pytest

from bridge import limits
from bridge.errors import PermissionDenied, ResourceExhausted, Unauthenticated
from bridge.service.access import AccessControl, AccessGrant
from bridge.service.tokens import Scope, TokenLimits, append_token

STREAM = (Scope.STREAM,)


def limited(**given: float) -> AccessGrant:
    return AccessGrant("studio", STREAM, TokenLimits(**given))  # type: ignore[arg-type]


def test_without_a_file_everyone_may_do_everything() -> None:
    control = AccessControl.load(None)
    for token in (None, "", "anything"):
        grant = control.authenticate(token)
        for scope in Scope:
            grant.require(scope)
        assert grant.name == "anonymous"
        assert grant.max_message_bytes == limits.MAX_MESSAGE_BYTES
    assert not control.required


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "tokens.toml"
    return {name: append_token(path, name, STREAM)[0] for name in ("first", "second", "third")}


@pytest.fixture
def control(tokens: dict[str, str], tmp_path: Path) -> AccessControl:
    return AccessControl.load(tmp_path / "tokens.toml")


def test_token_opens_its_own_grant_each_time(control: AccessControl, tokens: dict[str, str]) -> None:
    for name, token in tokens.items():
        assert control.authenticate(token).name == name
        assert control.authenticate(token) is control.authenticate(token)
    assert control.required


@pytest.mark.parametrize("wrong", [None, "", "x" * 43, "x" * 1_000_000, "\udcff", "é", "\0"])
def test_wrong_token_is_refused_and_not_repeated(control: AccessControl, wrong: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        control.authenticate(wrong)
    assert not wrong or wrong not in str(caught.value)
    assert caught.value.field == "token"


def test_almost_right_token_is_refused(control: AccessControl, tokens: dict[str, str]) -> None:
    for wrong in (tokens["first"][:-1], tokens["first"] + "A", tokens["first"].swapcase()):
        with pytest.raises(Unauthenticated) as caught:
            control.authenticate(wrong)
        assert wrong not in str(caught.value)


def test_every_entry_is_compared_whichever_fits(
    control: AccessControl, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    really = hmac.compare_digest

    def compare(first: bytes, second: bytes) -> bool:
        compared.append(second)
        return really(first, second)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token in tokens.values():
        compared.clear()
        control.authenticate(token)
        assert len(compared) == 3


def test_missing_scope_is_named() -> None:
    with pytest.raises(PermissionDenied, match="watch") as caught:
        AccessGrant("studio", STREAM).require(Scope.WATCH)
    assert "watch" in caught.value.expected


def test_sessions_are_counted_and_freed() -> None:
    grant = limited(sessions=2)
    grant.open_session()
    grant.open_session()
    with pytest.raises(ResourceExhausted) as caught:
        grant.open_session()
    assert caught.value.retry_after_ms > 0
    assert grant.sessions == 2
    grant.close_session()
    grant.open_session()


def test_avatars_are_counted_over_sessions_and_freed() -> None:
    grant = limited(avatars=3)
    for _ in range(3):
        grant.add_avatar()
    with pytest.raises(ResourceExhausted, match="3 avatars"):
        grant.add_avatar()
    grant.remove_avatars(2)
    grant.add_avatar()
    assert grant.avatars == 2


def test_frames_have_one_second_of_burst_then_the_rate() -> None:
    grant = limited(frames_per_second=10)
    for _ in range(10):
        grant.take_frame(100.0)
    with pytest.raises(ResourceExhausted) as caught:
        grant.take_frame(100.0)
    assert caught.value.retry_after_ms == 100
    grant.take_frame(100.1)
    with pytest.raises(ResourceExhausted):
        grant.take_frame(100.15)
    taken = 0
    for tick in range(1000):  # 100 a second for ten seconds
        with contextlib.suppress(ResourceExhausted):
            grant.take_frame(101.0 + tick / 100)
            taken += 1
    assert 100 <= taken <= 111


def test_clock_that_seems_to_go_back_gives_no_frames_away() -> None:
    grant = limited(frames_per_second=10)
    for _ in range(10):
        grant.take_frame(100.0)
    for now_s in (99.0, 100.0, 99.0, 100.0):
        with pytest.raises(ResourceExhausted):
            grant.take_frame(now_s)


def test_rate_below_one_a_second_still_lets_frames_through() -> None:
    grant = limited(frames_per_second=0.5)
    grant.take_frame(0.0)
    with pytest.raises(ResourceExhausted) as caught:
        grant.take_frame(1.0)
    assert caught.value.retry_after_ms == 1000
    grant.take_frame(2.0)


def test_message_that_is_too_long_for_the_token_is_refused() -> None:
    grant = limited(message_bytes=100)
    grant.require_size(100)
    with pytest.raises(ResourceExhausted, match="101 bytes"):
        grant.require_size(101)


def test_limits_hold_when_threads_race() -> None:
    grant = limited(sessions=50, frames_per_second=100)
    refused = []

    def rush() -> None:
        for _ in range(100):
            for take in (grant.open_session, lambda: grant.take_frame(5.0)):
                try:
                    take()
                except ResourceExhausted as error:
                    refused.append(error.field)

    threads = [threading.Thread(target=rush) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert grant.sessions == 50
    assert (refused.count("session"), refused.count("frame")) == (350, 300)
