from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.frames import Frame
from bridge.viewer import AlertMark, History, ShownForecast
from bridge.viewer.history import MAX_ALERTS, MAX_AVATARS, Timed
from tests.viewer.motion import forecast_of, swaying


def frame(avatar: str, at_us: int) -> Frame:
    return Frame(avatar, 0, at_us, swaying(0.0))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers()), max_size=40), st.integers(-5, 55), st.integers(0, 60))
def test_the_newest_value_in_reach_is_found_whatever_the_order_in_which_they_came(
    puts: list[tuple[int, int]], now: int, oldest: int
) -> None:
    timed: Timed[int] = Timed()
    for at, value in puts:
        timed.put(at, value)
    known = dict(puts)
    reach = [at for at in known if at <= now and now - at <= oldest]
    assert timed.at(now, oldest) == ((max(reach), known[max(reach)]) if reach else None)
    assert timed.between(now - oldest, now) == sorted((at, known[at]) for at in reach)
    assert timed.span_us == ((min(known), max(known)) if known else None)
    timed.forget_before(now)
    assert len(timed) == sum(at >= now for at in known)


def test_a_moment_has_what_is_known_at_its_time_and_nothing_that_is_old() -> None:
    history = History()
    history.add_frame("a", 1_000_000, frame("a", 1_000_000))
    history.add_forecast("a", 1_000_000, ShownForecast.of(forecast_of("a", 0)))
    history.add_p_value("a", 1_000_000, 0.25)
    moment = history.moment("a", 1_100_000)
    assert moment.frame is not None and moment.frame[0] == 1_000_000
    assert moment.forecast is not None and moment.p_value == 0.25 and moment.alert is None
    late = history.moment("a", 1_350_000)
    assert late.frame is None and late.forecast is not None and late.p_value is None
    assert history.moment("a", 999_999).frame is None
    assert history.moment("b", 1_000_000).frame is None


def test_a_frame_without_a_body_only_moves_time() -> None:
    history = History()
    history.add_frame("a", 5, Frame("a", 0, 5, None))
    assert history.avatars == ("a",) and history.span_us == (5, 5) and history.moment("a", 5).frame is None


def test_an_alert_is_on_from_its_raising_to_its_end_and_its_changes_replace_it() -> None:
    history = History()
    history.add_frame("a", 1, frame("a", 1))
    history.add_alert(AlertMark("x", "a", 10, 20, None, "low", 0.01))
    assert history.moment("a", 15).alert is None
    on = history.moment("a", 500).alert
    assert on is not None and on.severity == "low"
    history.add_alert(AlertMark("x", "a", 10, 20, 30, "high", 0.001))
    assert history.moment("a", 500).alert is None
    assert [alert.severity for alert in history.alerts] == ["high"]
    assert history.moment("b", 25).alert is None


def test_a_stream_is_kept_for_so_long_only_and_so_many_avatars_and_alerts() -> None:
    history = History(keep_s=2.0)
    for row in range(300):
        at_us = row * 33_333
        history.add_frame("a", at_us, frame("a", at_us))
        history.add_p_value("a", at_us, 0.5)
    span = history.span_us
    assert span is not None and 2.0e6 <= span[1] - span[0] <= 3.1e6
    assert len(history.p_values("a", 0, 10**9)) < 100
    for number in range(MAX_AVATARS + 5):
        history.add_p_value(f"avatar{number}", 10_000_000, 0.5)
    assert len(history.avatars) == MAX_AVATARS
    for number in range(MAX_ALERTS + 5):
        history.add_alert(AlertMark(str(number), "a", 0, number, None, "low", 0.1))
    assert len(history.alerts) == MAX_ALERTS and history.alerts[0].id == "5"


def test_of_a_forecast_the_drawn_steps_are_kept() -> None:
    forecast = forecast_of("a", 3, futures=2, steps=30)
    shown = ShownForecast.of(forecast)
    assert shown.futures_m.shape == (2, 4, 33, 3)
    np.testing.assert_allclose(shown.futures_m[:, -1], forecast.futures_m[:, -1], atol=2e-3)
    np.testing.assert_allclose(shown.ahead_ms, [266.7, 500.0, 733.3, 1000.0], atol=0.1)
