"""Accounting on journals that are written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.bench.serve.figures import Spread, batch_sizes, figures, per_second, recovered_s, spread_of, troubles
from bridge.bench.serve.journal import NEVER, Event, Fault, Journal
from bridge.bench.serve.schedule import plan_load
from bridge.errors import ErrorKind

MS = 1_000_000
REFUSED = ErrorKind.RESOURCE_EXHAUSTED.wire_code
HZ, TICKS = 10.0, 20


def journal(avatars: int = 2) -> Journal:
    """Two seconds at 10 Hz in one session: all sent at once when due, all answered 7 ms later."""
    made = Journal(plan_load(avatars=avatars, sessions=1, hz=HZ, seconds=TICKS / HZ))
    made.sent_ns[:] = made.due_ns()
    made.answered_ns[:] = made.due_ns() + 7 * MS
    made.age_us[:] = 6000
    made.batch_size[:] = 4
    made.samples[:] = 32
    return made


def refusal(tick: int, *, at_ms: int, retry_after_ms: int, row: int = 0) -> Fault:
    return Fault(row, tick, at_ms * MS, REFUSED, retry_after_ms, True, "too much")


def unanswer(made: Journal, row: int, *ticks: int) -> None:
    made.answered_ns[row, list(ticks)] = NEVER


# -- percentiles


def test_percentiles_are_values_that_were_seen() -> None:
    assert spread_of(np.arange(1, 101)) == Spread(50, 95, 99, 100)
    assert spread_of(np.array([3.5])) == Spread(3.5, 3.5, 3.5, 3.5)
    assert spread_of(np.zeros(0)) == Spread(None, None, None, None)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=400))
def test_no_more_than_a_hundredth_lies_above_p99(values: list[int]) -> None:
    spread = spread_of(np.array(values))
    assert spread.p99 is not None and spread.p99 in values
    assert sum(value > spread.p99 for value in values) <= len(values) / 100
    assert spread.max == max(values)


# -- what became of the frames


def test_a_quiet_run_has_every_frame_answered() -> None:
    seen = figures([journal(), journal()], 0.0, 2.0)
    assert (seen.frames_due, seen.frames_sent, seen.forecasts) == (80, 80, 80)
    assert (seen.frames_lost, seen.shed, seen.refused, seen.frames_refused, seen.degraded) == (0, 0, 0, 0, 0)
    assert seen.latency_ms == Spread(7.0, 7.0, 7.0, 7.0)
    assert seen.age_ms.p99 == 6.0 and seen.late_ms.max == 0.0
    assert (seen.windows_per_batch, seen.samples, seen.forecasts_per_s) == (4.0, 32.0, 40.0)


def test_only_frames_due_in_the_time_count() -> None:
    made = journal()
    made.answered_ns[:, :10] = NEVER
    seen = figures([made], 1.0, 2.0)
    assert (seen.frames_due, seen.forecasts, seen.frames_lost) == (20, 20, 0)


def test_a_late_sender_shows_as_latency() -> None:
    made = journal()
    made.sent_ns[0, 3] += 50 * MS
    made.answered_ns[0, 3] += 50 * MS
    seen = figures([made], 0.0, 2.0)
    assert seen.latency_ms.max == 57.0 and seen.late_ms.max == 50.0


def test_a_frame_of_which_nobody_says_anything_is_lost() -> None:
    made = journal()
    unanswer(made, 1, 4, 19)
    assert figures([made], 0.0, 2.0).frames_lost == 2


def test_a_frame_that_the_next_forecast_owns_up_to_is_shed() -> None:
    made = journal()
    unanswer(made, 0, 4, 5)
    made.degraded[0, 6] = True
    seen = figures([made], 0.0, 2.0)
    assert (seen.shed, seen.frames_lost, seen.degraded) == (2, 0, 1)


def test_a_degraded_forecast_owns_up_to_its_own_avatar_only() -> None:
    made = journal()
    unanswer(made, 0, 4)
    made.degraded[1, 5] = True
    assert figures([made], 0.0, 2.0).frames_lost == 1


def test_frames_that_the_client_was_told_to_wait_for_are_refused() -> None:
    made = journal()
    unanswer(made, 0, 4, 5, 6, 7, 8)
    made.faults.append(refusal(4, at_ms=410, retry_after_ms=300))
    seen = figures([made], 0.0, 2.0)
    assert (seen.refused, seen.frames_refused) == (1, 4)
    assert seen.frames_lost == 1  # due at 800 ms, told to wait until 710


def test_other_errors_are_counted_and_their_frames_lost() -> None:
    made = journal()
    unanswer(made, 0, 4)
    made.faults.append(Fault(0, 4, 401 * MS, ErrorKind.INTERNAL.wire_code, 0, True, "broken"))
    seen = figures([made], 0.0, 2.0)
    assert (seen.errors, seen.refused, seen.frames_lost) == (1, 0, 1)


def test_a_refusal_that_names_no_frame_is_counted() -> None:
    made = journal()
    made.faults.append(Fault(NEVER, NEVER, 100 * MS, REFUSED, 0, False, "too much"))
    assert figures([made], 0.0, 2.0).refused == 1


def test_frames_are_not_owed_after_a_draining_notice() -> None:
    made = journal()
    unanswer(made, 0, *range(12, TICKS))
    unanswer(made, 1, *range(12, TICKS))
    made.sent_ns[:, 13:] = NEVER
    made.events.append(Event("bench-0", 1250 * MS, "draining"))
    seen = figures([made], 0.0, 2.0)
    assert (seen.frames_due, seen.frames_lost) == (26, 2)  # sent at 1200 ms, before the notice, and never answered


def test_frames_are_owed_after_a_session_broke() -> None:
    made = journal()
    for row in (0, 1):
        unanswer(made, row, *range(13, TICKS))
    made.sent_ns[:, 13:] = NEVER
    made.events.append(Event("bench-0", 1250 * MS, "broke", "gone"))
    seen = figures([made], 0.0, 2.0)
    assert (seen.frames_due, seen.frames_sent, seen.frames_lost) == (40, 26, 14)


@given(
    answered=st.lists(st.booleans(), min_size=TICKS, max_size=TICKS),
    degraded=st.lists(st.booleans(), min_size=TICKS, max_size=TICKS),
    refused=st.lists(st.integers(0, TICKS - 1), max_size=3),
)
def test_every_frame_ends_as_exactly_one_thing(answered: list[bool], degraded: list[bool], refused: list[int]) -> None:
    made = journal(1)
    made.answered_ns[0, ~np.array(answered)] = NEVER
    made.degraded[0] = degraded
    made.faults += [refusal(tick, at_ms=100 * tick + 5, retry_after_ms=250) for tick in refused]
    seen = figures([made], 0.0, 2.0)
    assert seen.forecasts + seen.frames_refused + seen.shed + seen.frames_lost == seen.frames_due == TICKS


# -- what else is read from journals


def test_batch_sizes_are_counted_in_windows() -> None:
    made = journal()
    made.batch_size[0, :5] = 1
    assert batch_sizes([made], 0.0, 2.0) == {1: 5, 4: 35}


def test_recovery_lasts_until_the_last_frame_that_was_not_served_in_full() -> None:
    made = journal()
    assert recovered_s([made], 1.0, 2.0) == 0.0
    made.degraded[0, 12] = True
    assert recovered_s([made], 1.0, 2.0) == pytest.approx(0.3)
    unanswer(made, 1, 14)
    assert recovered_s([made], 1.0, 2.0) == pytest.approx(0.5)
    made.degraded[0, 19] = True
    assert recovered_s([made], 1.0, 2.0) is None


def test_trouble_before_the_load_dropped_does_not_count() -> None:
    made = journal()
    made.degraded[:, :10] = True
    assert recovered_s([made], 1.0, 2.0) == 0.0


def test_the_series_has_a_row_per_second() -> None:
    made = journal()
    unanswer(made, 0, 15)
    assert [(row["second"], row["forecasts"]) for row in per_second([made], 0.0, 2.0)] == [(0, 20), (1, 19)]


def test_what_a_server_complains_of_is_counted_in_its_words() -> None:
    made = journal()
    made.faults += [refusal(4, at_ms=410, retry_after_ms=300), refusal(9, at_ms=910, retry_after_ms=300)]
    made.events += [Event("bench-0", 5, "draining"), Event("bench-0", 6, "broke", "gone")]
    assert troubles([made]) == {"too much": 2, "session broke: gone": 1}


def test_a_journal_reads_back_as_it_was_written(tmp_path: Path) -> None:
    made = journal()
    unanswer(made, 0, 4)
    made.faults.append(refusal(4, at_ms=410, retry_after_ms=300))
    made.events.append(Event("bench-0", 5, "draining"))
    made.reply_bytes, made.cpu_s = 31_000, 0.25
    made.save(tmp_path / "journal.npz")
    read = Journal.load(tmp_path / "journal.npz")
    assert (read.plan, read.faults, read.events) == (made.plan, made.faults, made.events)
    assert (read.reply_bytes, read.cpu_s) == (31_000, 0.25)
    np.testing.assert_array_equal(read.answered_ns, made.answered_ns)
    assert figures([read], 0.0, 2.0) == figures([made], 0.0, 2.0)
