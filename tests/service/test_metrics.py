"""What Prometheus is shown of a server."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bridge.engine import DropReason
from bridge.errors import ErrorKind
from bridge.service.metrics import CODES, REASONS, STATES, TRANSPORTS, VERDICTS, metrics_registry
from bridge.telemetry import Telemetry
from tests.service.status_double import FakeStatus


def samples_of(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample as a scraper reads it, by name and labels."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def scrape(
    telemetry: Telemetry | None = None, status: FakeStatus | None = None, engines: Sequence[object] = ()
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return samples_of(metrics_registry(telemetry or Telemetry(), status or FakeStatus(), engines))


def test_counters_of_each_transport_are_shown() -> None:
    telemetry = Telemetry()
    seen = telemetry.transports["zmq"]
    seen.frames, seen.frames_filled, seen.forecasts, seen.degraded = 7, 2, 5, 1
    seen.sessions_opened, seen.sessions_closed = 4, 3
    seen.errors["NOT_FOUND"] += 6
    samples = scrape(telemetry)
    zmq = (("transport", "zmq"),)
    for name, value in (
        ("frames_received", 7),
        ("frames_filled", 2),
        ("forecasts_sent", 5),
        ("forecasts_degraded", 1),
        ("sessions_opened", 4),
        ("sessions_closed", 3),
    ):
        assert samples[f"posebridge_{name}_total", zmq] == value
        assert samples[f"posebridge_{name}_total", (("transport", "grpc"),)] == 0
    assert samples["posebridge_errors_total", (("code", "NOT_FOUND"), *zmq)] == 6


def test_gauges_say_how_the_server_stands_now() -> None:
    status = FakeStatus(sessions={"grpc": 2}, avatar_count=9, waiting_count=3, load=1.5, is_draining=True)
    registry = metrics_registry(Telemetry(), status)
    samples = samples_of(registry)
    assert samples["posebridge_sessions", (("transport", "grpc"),)] == 2
    assert samples["posebridge_sessions", (("transport", "zmq"),)] == 0
    assert samples["posebridge_avatars", ()] == 9
    assert samples["posebridge_waiting_windows", ()] == 3
    assert samples["posebridge_load_ratio", ()] == 1.5
    assert samples["posebridge_draining", ()] == samples["posebridge_ready", ()] == 1
    status.is_ready = False
    assert samples_of(registry)["posebridge_ready", ()] == 0


def test_histograms_are_cumulative_and_agree_with_what_was_observed() -> None:
    telemetry = Telemetry()
    ages = [0.0005, 0.001, 0.0333, 0.0334, 9.0]
    for age in ages:
        telemetry.transports["grpc"].age_s.observe(age)
    telemetry.batch_windows.observe(16)
    samples = scrape(telemetry)
    grpc = ("transport", "grpc")

    def up_to(bound: str) -> float:
        return samples["posebridge_forecast_age_seconds_bucket", (("le", bound), grpc)]

    assert [up_to("0.001"), up_to("0.0333"), up_to("0.05"), up_to("2.5"), up_to("+Inf")] == [2, 3, 4, 4, 5]
    assert samples["posebridge_forecast_age_seconds_count", (grpc,)] == 5
    assert samples["posebridge_forecast_age_seconds_sum", (grpc,)] == pytest.approx(sum(ages))
    assert samples["posebridge_batch_windows_bucket", (("le", "8.0"),)] == 0
    assert samples["posebridge_batch_windows_bucket", (("le", "16.0"),)] == 1
    assert samples["posebridge_queue_wait_seconds_count", ()] == 0


def test_scores_and_alerts_are_shown() -> None:
    telemetry = Telemetry()
    anomaly = telemetry.anomaly
    anomaly.verdicts, anomaly.dropped, anomaly.scoring_s = 90, 3, 1.5
    anomaly.no_verdicts["too_short"] += 7
    anomaly.alerts["raised"] += 4
    anomaly.active, anomaly.backlog, anomaly.store_failures = 2, 5, 6
    anomaly.deliveries["pager", "delivered"] += 8
    samples = scrape(telemetry, FakeStatus(has_alerts=True))
    for name, labels, value in (
        ("alerts_on", {}, 1),
        ("verdicts_total", {"verdict": "given"}, 90),
        ("verdicts_total", {"verdict": "too_short"}, 7),
        ("verdicts_total", {"verdict": "off"}, 0),
        ("verdicts_dropped_total", {}, 3),
        ("scoring_cpu_seconds_total", {}, 1.5),
        ("alerts_total", {"state": "raised"}, 4),
        ("alerts_total", {"state": "acknowledged"}, 0),
        ("alerts_active", {}, 2),
        ("alerts_unstored", {}, 5),
        ("alert_store_failures_total", {}, 6),
        ("webhook_deliveries_total", {"webhook": "pager", "result": "delivered"}, 8),
    ):
        assert samples[f"posebridge_{name}", tuple(sorted(labels.items()))] == value
    assert scrape()["posebridge_alerts_on", ()] == 0


def test_labels_are_those_known_beforehand_whatever_was_counted() -> None:
    telemetry = Telemetry()
    telemetry.drop("expired", 2)
    for number in range(100):
        telemetry.drop(f"player{number}")
        telemetry.transports[f"pigeon{number}"].frames += 1
        telemetry.transports["grpc"].errors[f"\x1b{number}"] += 1
        telemetry.anomaly.no_verdicts[f"player{number}"] += 1
        telemetry.anomaly.alerts[f"player{number}"] += 1
    samples = scrape(telemetry, FakeStatus(sessions={"grpc": 1, "pigeon": 3}))
    values: dict[str, set[str]] = {}
    for _, labels in samples:
        for name, value in labels:
            values.setdefault(name, set()).add(value)
    assert values["transport"] == {*TRANSPORTS, "other"}
    assert values["reason"] == {*REASONS, "other"}
    assert values["code"] == {*CODES, "other"}
    assert values["verdict"] == {*VERDICTS, "other"}
    assert values["state"] == {*STATES, "other"}
    assert set(values) == {"transport", "reason", "code", "verdict", "state", "le", "version"}
    assert samples["posebridge_forecasts_dropped_total", (("reason", "other"),)] == 100
    assert samples["posebridge_forecasts_dropped_total", (("reason", "expired"),)] == 2
    assert samples["posebridge_sessions", (("transport", "other"),)] == 3


def test_every_label_is_there_before_anything_happened() -> None:
    samples = scrape()
    for reason in DropReason:
        assert samples["posebridge_forecasts_dropped_total", (("reason", reason.value),)] == 0
    for kind in ErrorKind:
        assert samples["posebridge_errors_total", (("code", kind.name), ("transport", "grpc"))] == 0


def test_reading_creates_nothing_in_what_is_read() -> None:
    telemetry = Telemetry()
    scrape(telemetry)
    assert not telemetry.transports
    assert not telemetry.dropped


def test_engines_that_can_tell_are_asked_for_memory_and_process() -> None:
    class OnGpu:
        def memory_bytes(self) -> int:
            return 3_000

    class InAProcess:
        pid = os.getpid()

        def memory_bytes(self) -> int | None:
            return None

    samples = scrape(engines=[object(), OnGpu(), InAProcess()])
    device = [key for key in samples if key[0] == "posebridge_engine_device_memory_bytes"]
    assert device == [("posebridge_engine_device_memory_bytes", (("engine", "1"),))]
    assert samples[device[0]] == 3_000
    assert samples["posebridge_engine_process_resident_memory_bytes", (("engine", "2"),)] > 1e6
    assert samples["posebridge_engine_process_cpu_seconds_total", (("engine", "2"),)] > 0


def test_an_engine_whose_process_is_gone_is_left_out() -> None:
    class Gone:
        pid = 2**22 + 1  # above what Linux gives out

    class Restarting:
        pid = None

    assert not [name for name, _ in scrape(engines=[Gone(), Restarting()]) if "engine_process" in name]


def test_two_servers_in_one_process_count_apart() -> None:
    first, second = Telemetry(), Telemetry()
    one, other = metrics_registry(first, FakeStatus()), metrics_registry(second, FakeStatus())
    first.engine_restarts = 4
    name = ("posebridge_engine_restarts_total", ())
    assert (samples_of(one)[name], samples_of(other)[name]) == (4, 0)


def test_names_units_and_help_follow_the_conventions() -> None:
    registry = metrics_registry(Telemetry(), FakeStatus())
    for family in registry.collect():
        assert family.documentation
        assert family.name.startswith(("posebridge_", "process_"))
        assert not family.name.endswith(("_ms", "_us", "_mb"))


def test_this_process_is_measured() -> None:
    samples = scrape()
    assert samples["process_resident_memory_bytes", ()] > 1e6
    assert samples["process_open_fds", ()] > 0
