from __future__ import annotations

from bridge.viewer import Playback


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


FIRST, LAST = 1_000_000, 5_000_000


def test_a_recording_plays_from_its_beginning_at_its_speed_and_again_when_it_is_through() -> None:
    clock = Clock()
    playback = Playback(live=False, speed=2.0, clock_s=clock)
    assert playback.advance(FIRST, LAST) == FIRST
    clock.now_s += 0.5
    assert playback.advance(FIRST, LAST) == 2_000_000
    clock.now_s += 1.6
    assert playback.advance(FIRST, LAST) == FIRST


def test_paused_it_stands_and_goes_on_from_there() -> None:
    clock = Clock()
    playback = Playback(live=False, clock_s=clock)
    playback.advance(FIRST, LAST)
    clock.now_s += 1.0
    here = playback.advance(FIRST, LAST)
    playback.pause()
    clock.now_s += 10.0
    assert playback.advance(FIRST, LAST) == here and not playback.playing
    playback.play()
    assert playback.advance(FIRST, LAST) == here
    clock.now_s += 0.25
    assert playback.advance(FIRST, LAST) == here + 250_000


def test_a_moment_is_sought_whether_paused_or_not_and_never_beyond_what_there_is() -> None:
    clock = Clock()
    playback = Playback(live=False, clock_s=clock)
    playback.pause()
    playback.advance(FIRST, LAST)
    playback.seek(3_000_000)
    assert playback.advance(FIRST, LAST) == 3_000_000
    playback.seek(99_000_000)
    assert playback.advance(FIRST, LAST) == LAST
    playback.seek(-5)
    assert playback.advance(FIRST, LAST) == FIRST


def test_a_stream_is_followed_until_paused_or_sought_and_caught_up_with() -> None:
    clock = Clock()
    playback = Playback(live=True, clock_s=clock)
    assert playback.advance(FIRST, LAST) == LAST and playback.following
    playback.pause()
    assert playback.advance(FIRST, LAST + 1_000_000) == LAST and not playback.following
    playback.follow()
    assert playback.advance(FIRST, LAST + 2_000_000) == LAST + 2_000_000
    playback.seek(LAST)
    playback.speed = 4.0
    assert playback.advance(FIRST, LAST + 2_000_000) == LAST and not playback.following
    clock.now_s += 1.0
    playback.advance(FIRST, LAST + 3_000_000)
    assert playback.following
    assert playback.advance(FIRST, LAST + 3_500_000) == LAST + 3_500_000


def test_what_is_forgotten_is_not_shown() -> None:
    playback = Playback(live=True, clock_s=Clock())
    playback.advance(FIRST, LAST)
    playback.pause()
    assert playback.advance(LAST + 500_000, LAST + 900_000) == LAST + 500_000
