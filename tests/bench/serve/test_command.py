"""The command itself: a short load on a real server, from real client processes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.bench.serve import LoadOptions
from bridge.bench.serve.measure import measure
from bridge.bench.serve.target import running_echo
from bridge.cli.app import app
from bridge.errors import InvalidInput
from bridge.skeleton import MEDIAPIPE_POSE_33

CONTRACT = {
    *("transport", "engine", "avatars", "sessions", "hz", "seconds", "frames_sent", "frames_lost", "forecasts"),
    *("forecasts_per_s", "latency_ms", "age_ms", "shed", "degraded", "refused", "server_cpu_us_per_frame"),
    *("echo_cpu_us_per_frame", "server_rss_mb", "other_cpu_percent", "capacity_avatars"),
}
SMALL = ("--engine", "null", "--avatars", "4", "--sessions", "2", "--no-pin")


def bench(*options: str) -> Result:
    return CliRunner().invoke(app, ["bench", "serve", *SMALL, *options])


def report_of(result: Result) -> dict[str, Any]:
    assert result.exception is None and result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 1
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_every_frame_of_a_small_load_is_accounted_for(transport: str) -> None:
    fault = ("--fault", "kill-client") if transport == "zmq" else ()
    result = bench("--transport", transport, "--seconds", "1", *fault, "--json")
    report = report_of(result)
    assert set(report) >= CONTRACT
    assert (report["transport"], report["engine"], report["avatars"], report["sessions"]) == (transport, "null", 4, 2)
    assert report["frames_sent"] == report["frames_due"] == 4 * 30
    ends = ("forecasts", "frames_lost", "shed", "frames_refused")
    assert sum(report[name] for name in ends) == report["frames_due"]
    assert report["forecasts"] > 0
    for name in ("latency_ms", "age_ms", "echo_latency_ms"):
        assert set(report[name]) == {"p50", "p95", "p99", "max"}
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] <= report["latency_ms"]["max"]
    assert report["server_rss_mb"] > 0 and report["server_cpu_us_per_frame"] > 0
    assert report["capacity_avatars"] is None and report["pinned"] is None
    assert len(report["per_second"]) == 1
    assert "null engine over" in result.stderr and "echo" in result.stderr
    assert [told["fault"] for told in report["faults"]] == list(fault[1:])
    for told in report["faults"]:
        assert told["still_serves"]
        for part in ("before", "during", "after"):
            assert told[part]["frames_due"] == 4 * 30 and told[part]["forecasts"] > 0
            assert told[part]["latency_ms"]["p99"] > 0


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_every_frame_of_a_batched_load_is_echoed(transport: str) -> None:
    load = LoadOptions(transport, hz=60.0, seconds=0.5, sessions=2, clients=2, batched=True)
    with running_echo(transport, reply_bytes=1000, frame_bytes=551, layout_id=MEDIAPIPE_POSE_33.id) as target:
        seen = measure(target, load, avatars=6)
    assert (seen.clients, seen.figures.frames_due, seen.figures.forecasts) == (2, 6 * 30, 6 * 30)
    assert seen.reply_bytes == 1000 and seen.request_bytes > 3 * 500


@pytest.mark.parametrize(
    ("options", "field"),
    [(("--overload", "3"), "overload"), (("--saturate",), "saturate"), (("--fault", "sunspots"), "fault")],
)
def test_options_that_do_not_fit_are_refused_before_anything_runs(options: tuple[str, ...], field: str) -> None:
    result = bench(*options)
    assert isinstance(result.exception, InvalidInput) and result.exception.field == field
