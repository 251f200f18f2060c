"""Who is in a session, with which settings, and who is served when not all can be."""

from __future__ import annotations

import pytest

from bridge import limits
from bridge.engine import EngineInfo
from bridge.errors import InvalidInput, ResourceExhausted
from bridge.session.grant import UNLIMITED, Grant, UnlimitedGrant
from bridge.session.places import Places
from bridge.session.roster import SWEEP_S, Roster
from bridge.wire.values import AvatarConfig, Encoding, SessionConfig
from tests.support import TINY_LAYOUT

INFO = EngineInfo(TINY_LAYOUT, 30.0, 8, "none", "0" * 64, "cpu")
CONFIG = SessionConfig(layout_id=TINY_LAYOUT.id)


class TwoAvatars(UnlimitedGrant):
    """A grant for two avatars."""

    def __init__(self) -> None:
        super().__init__("two")
        self.avatars = 0

    def add_avatar(self) -> None:
        if self.avatars == 2:
            raise ResourceExhausted("two are there")
        self.avatars += 1

    def remove_avatars(self, count: int) -> None:
        self.avatars -= count


def roster(*, grant: Grant = UNLIMITED, places: Places | None = None, idle_s: float = 60.0) -> Roster:
    return Roster("s", CONFIG, INFO, grant=grant, places=places or Places(5000), idle_s=idle_s, now_s=0.0)


def test_first_frame_makes_the_avatar_and_later_ones_find_it() -> None:
    people = roster()
    first = people.avatar("a", 1.0)
    assert people.avatar("a", 2.0) is first
    assert first.last_seen_s == 2.0
    assert len(people) == 1


def test_session_has_places_for_so_many_avatars_until_some_fall_silent() -> None:
    people = roster(idle_s=60.0)
    for index in range(limits.MAX_AVATARS_PER_SESSION):
        people.avatar(f"a{index}", 0.0)
    with pytest.raises(ResourceExhausted, match="one-too-many") as caught:
        people.avatar("one-too-many", 59.0)
    assert caught.value.field == "frame.avatar_id"
    people.avatar("a7", 61.0)
    people.avatar("one-too-many", 61.0)
    assert len(people) == 2


def test_server_and_grant_limit_avatars_of_all_sessions_and_get_their_places_back() -> None:
    places, grant = Places(3), TwoAvatars()
    mine, other = roster(grant=grant, places=places), roster(places=places)
    for name in "ab":
        mine.avatar(name, 0.0)
    with pytest.raises(ResourceExhausted, match="two are there"):
        mine.avatar("c", 0.0)
    assert places.taken == 2  # what the grant refused takes no place of the server's
    other.avatar("x", 0.0)
    with pytest.raises(ResourceExhausted, match="3 avatars") as caught:
        other.avatar("y", 0.0)
    assert caught.value.retry_after_ms > 0
    mine.close()
    assert (places.taken, grant.avatars) == (1, 0)
    other.avatar("y", 0.0)


def test_silent_avatars_are_forgotten_at_the_next_sweep_only() -> None:
    places = Places(10)
    people = roster(places=places, idle_s=3.0)
    people.avatar("silent", 0.0)
    people.avatar("awake", 4.0)
    people.sweep(SWEEP_S - 0.1)
    assert len(people) == 2
    people.sweep(SWEEP_S)
    assert len(people) == places.taken == 1
    assert people["awake"].last_seen_s == 4.0


def test_avatars_own_settings_hold_whether_it_is_there_already_or_comes_later() -> None:
    people = roster()
    early = people.avatar("early", 0.0)
    for name in ("early", "late"):
        own = AvatarConfig(name, samples=8, futures=2, horizon_ms=500, encoding=Encoding.FLOAT32)
        assert people.configure(own).deadline_ms == CONFIG.deadline_ms
    late = people.avatar("late", 0.0)
    for avatar in (early, late):
        assert (avatar.config.samples, avatar.config.futures, avatar.horizon_frames) == (8, 2, 15)
        assert avatar.config.encoding is Encoding.FLOAT32
    assert people.avatar("other", 0.0).config == CONFIG
    people.configure(AvatarConfig("early"))
    assert early.config == CONFIG  # replaces the earlier settings, does not add to them


@pytest.mark.parametrize(
    ("own", "field"),
    [
        (AvatarConfig("a", samples=1), "avatar_config.samples"),
        (AvatarConfig("a", samples=4), "avatar_config.futures"),  # fewer than the session's five futures
        (AvatarConfig("a", horizon_ms=0), "avatar_config.horizon_ms"),
        (AvatarConfig("a", forecast_rate_hz=0.0), "avatar_config.forecast_rate_hz"),
        (AvatarConfig("a", deadline_ms=0), "avatar_config.deadline_ms"),
        (AvatarConfig("a b"), "avatar_config.avatar_id"),
    ],
)
def test_wrong_settings_of_an_avatar_are_refused_and_change_nothing(own: AvatarConfig, field: str) -> None:
    people = roster()
    avatar = people.avatar("a", 0.0)
    with pytest.raises(InvalidInput) as caught:
        people.configure(own)
    assert caught.value.field == field
    assert avatar.config == CONFIG


def test_settings_of_avatars_that_are_not_there_give_way_when_there_are_too_many() -> None:
    people = roster()
    people.avatar("here", 0.0)
    people.configure(AvatarConfig("here", samples=8))
    for index in range(limits.MAX_AVATARS_PER_SESSION):
        people.configure(AvatarConfig(f"a{index}", samples=16))
    assert people.avatar("here", 0.0).config.samples == 8
    assert people.avatar(f"a{limits.MAX_AVATARS_PER_SESSION - 1}", 0.0).config.samples == 16
    assert people.avatar("a0", 0.0).config.samples == CONFIG.samples  # gave way


def test_settings_are_bounded_by_the_avatars_of_a_session() -> None:
    people = roster()
    for index in range(limits.MAX_AVATARS_PER_SESSION):
        people.avatar(f"a{index}", 0.0)
        people.configure(AvatarConfig(f"a{index}", samples=8))
    with pytest.raises(ResourceExhausted):
        people.configure(AvatarConfig("one-more", samples=8))
    people.configure(AvatarConfig("a0", samples=16))


def test_when_not_all_are_served_those_that_came_first_are() -> None:
    people = roster()
    avatars = [people.avatar(f"a{index}", 0.0) for index in range(10)]
    assert [people.is_served(avatar, 0.35) for avatar in avatars] == [True] * 3 + [False] * 7
    assert [people.is_served(avatar, 0.01) for avatar in avatars] == [True] + [False] * 9
    assert all(people.is_served(avatar, 1.0) for avatar in avatars)
