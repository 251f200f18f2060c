"""Which forecasts are to bring what scores need."""

from __future__ import annotations

import pytest

from bridge.anomaly.pacing import DensityPacer, ReferencePacer


@pytest.mark.parametrize(("rate_hz", "share"), [(30, 0.5), (60, 0.25), (10, 1.0)])
def test_a_density_is_wanted_at_most_fifteen_times_a_second(rate_hz: int, share: float) -> None:
    pacer = DensityPacer()
    wanted = [pacer.wants(1_000_000 + round(i * 1e6 / rate_hz)) for i in range(10 * rate_hz)]
    assert sum(wanted) == pytest.approx(share * len(wanted), abs=2)


def test_avatars_of_the_same_clock_are_due_together_whenever_they_began() -> None:
    early, late = DensityPacer(), DensityPacer()
    times_us = [5_000_000 + round(i * 1e6 / 30) for i in range(100)]
    of_early = [early.wants(time_us) for time_us in times_us]
    of_late = [late.wants(time_us) for time_us in times_us[37:]]
    assert of_early[38:] == of_late[1:]


def test_samples_that_do_not_come_are_wanted_of_the_next_frame() -> None:
    pacer = ReferencePacer()
    assert pacer.wants(1_000_000)
    assert not pacer.wants(1_033_333)
    pacer.not_coming(1_000_000)
    assert pacer.wants(1_066_667)
