"""Every fault, overload and saturation from end to end: minutes, so left out unless asked for (``-m soak``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.bench.serve import (
    FAULTS,
    BenchOptions,
    LoadOptions,
    ServiceOptions,
    run_bench,
    to_json,
    to_lines,
    to_tables,
)
from bridge.bench.serve.faults import try_fault
from tests.support import tiny_weights

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]
NULL = ServiceOptions(engine="null")


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
@pytest.mark.parametrize("fault", FAULTS)
def test_others_are_served_meanwhile(transport: str, fault: str) -> None:
    report = try_fault(fault, NULL, LoadOptions(transport, 30.0, 6.0, sessions=2), 4)
    for part in (report.before, report.during, report.after):
        if part is not None and part.frames_due:
            assert part.forecasts > 0
    assert report.still_serves in (True, None)
    if fault == "sigterm-under-load":
        assert report.notes["exit_code"] == 0
        assert report.notes["sessions_told"] == report.notes["sessions"] == 2


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_capacity_and_overload_are_measured_and_told(transport: str) -> None:
    load = LoadOptions(transport, 30.0, 2.0)
    report = run_bench(BenchOptions(NULL, load, avatars=2, capacity=4, overload_factor=3.0))
    assert report.overload is not None
    assert (report.overload.easy_avatars, report.overload.overload_avatars) == (3, 12)
    assert report.overload.during.frames_due > report.overload.before.frames_due
    assert to_json(report)["capacity_avatars"] == 4
    assert len(list(to_tables(report))) == 2
    assert any("Capacity: 4" in line for line in to_lines(report))


def test_saturation_is_measured_against_the_forecaster_alone(tmp_path: Path) -> None:
    service = ServiceOptions(engine="local", threads=1, weights=tiny_weights(tmp_path))
    report = run_bench(BenchOptions(service, LoadOptions("grpc", 30.0, 2.0), avatars=2, saturate=True))
    assert report.saturation is not None
    assert report.saturation.windows_per_s > 0
    assert sum(report.saturation.batches.values()) == pytest.approx(1.0)
    assert report.saturation.share_by_processor_time > 0


def test_what_watching_costs_is_measured_on_two_services_in_turn() -> None:
    report = run_bench(BenchOptions(NULL, LoadOptions("zmq", 30.0, 1.0), avatars=2, watching=True))
    assert report.watching is not None
    assert [len(loads) for loads in (report.watching.watched, report.watching.unwatched)] == [2, 2]
    assert report.watching.watched_us > 0
    assert report.watching.share > -1.0
    told = to_json(report)["watching"]
    assert told["added_share"] == pytest.approx(report.watching.share, rel=1e-4)
    assert any(line.startswith("Watching motion adds") for line in to_lines(report))
