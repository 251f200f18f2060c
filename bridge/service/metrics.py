"""What a server counted and how it stands, as Prometheus metrics.

Everything is called ``posebridge_*`` and in base units (seconds, bytes, ratios). Labels take a few values that are
known beforehand: a transport, a reason, an error code, the number of an engine, the state of an alert, the name that
the operator gave a webhook. Names that come from clients never become labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

import bridge
from bridge.engine import DropReason
from bridge.errors import ErrorKind
from bridge.service.logs import lost_records
from bridge.telemetry import Histogram, Telemetry, TransportTelemetry
from bridge.wire.alerts import AlertState, NoVerdict

TRANSPORTS = ("grpc", "zmq")
REASONS = (*(reason.value for reason in DropReason), "paced", "refused", "replaced", "stale")
CODES = tuple(kind.name for kind in ErrorKind)
VERDICTS = ("given", *(reason.value for reason in NoVerdict))
STATES = tuple(state.value for state in AlertState)
OTHER = "other"
"""Label for what is counted under a name that is none of the above."""


class ServerStatus(Protocol):
    """How a server stands right now. Asked from the thread of the ops page: answers must be quick and need no loop."""

    def sessions_by_transport(self) -> dict[str, int]:
        """Open sessions, by name of the transport."""
        ...

    def avatars(self) -> int:
        """Avatars of all open sessions."""
        ...

    def waiting(self) -> int:
        """Windows that wait for the engine."""
        ...

    def utilisation(self) -> float:
        """Demanded share of the engines' time; above 1 there is more to do than can be done."""
        ...

    def ready(self) -> bool:
        """Whether the server listens and an engine answers."""
        ...

    def draining(self) -> bool:
        """Whether the server is about to stop."""
        ...

    def alerts_on(self) -> bool:
        """Whether motion is watched: alerts are not switched off, and there is a calibration."""
        ...


def metrics_registry(telemetry: Telemetry, status: ServerStatus, engines: Sequence[object] = ()) -> CollectorRegistry:
    """Return a registry of its own for one server.

    Engines may offer ``memory_bytes() -> int | None`` (of a device) and a property ``pid: int | None`` (of a process
    of their own).
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ServerCollector(telemetry, status))
    registry.register(_EngineCollector(engines))
    ProcessCollector(registry=registry)
    return registry


class _ServerCollector(Collector):
    def __init__(self, telemetry: Telemetry, status: ServerStatus) -> None:
        self._telemetry = telemetry
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Yield every family; all labels are there from the start, with 0."""
        yield from self._gauges()
        yield from self._transports()
        yield from self._engine()
        yield from self._anomaly()

    def _gauges(self) -> Iterator[Metric]:
        status = self._status
        yield GaugeMetricFamily(
            "posebridge_ready", "1 if the server listens and an engine answers.", float(status.ready())
        )
        yield GaugeMetricFamily("posebridge_draining", "1 if the server is about to stop.", float(status.draining()))
        yield _labelled(
            GaugeMetricFamily("posebridge_sessions", "Open sessions.", labels=["transport"]),
            _known(status.sessions_by_transport(), TRANSPORTS),
        )
        yield GaugeMetricFamily("posebridge_avatars", "Avatars of all open sessions.", status.avatars())
        yield GaugeMetricFamily("posebridge_waiting_windows", "Windows that wait for the engine.", status.waiting())
        yield GaugeMetricFamily(
            "posebridge_load_ratio",
            "Demanded share of the engines' time; above 1 more is asked than can be computed.",
            status.utilisation(),
        )
        build = GaugeMetricFamily("posebridge_build_info", "Always 1; the version is in the label.", labels=["version"])
        build.add_metric([bridge.__version__], 1)
        yield build
        yield CounterMetricFamily(
            "posebridge_log_records_lost", "Log records that could not be written.", lost_records()
        )

    def _transports(self) -> Iterator[Metric]:
        seen = dict(self._telemetry.transports)
        by_name = {name: seen.get(name) or TransportTelemetry() for name in TRANSPORTS}
        for name, text, values in (
            ("frames_received", "Frames taken in, used or not.", {n: t.frames for n, t in by_name.items()}),
            (
                "frames_filled",
                "Frames put in between received ones from a forecast, for clients that leave out some.",
                {n: t.frames_filled for n, t in by_name.items()},
            ),
            ("forecasts_sent", "Forecasts handed to the transport.", {n: t.forecasts for n, t in by_name.items()}),
            (
                "forecasts_degraded",
                "Forecasts among those sent that gave less than was asked for.",
                {n: t.degraded for n, t in by_name.items()},
            ),
            ("sessions_opened", "Sessions opened.", {n: t.sessions_opened for n, t in by_name.items()}),
            ("sessions_closed", "Sessions closed.", {n: t.sessions_closed for n, t in by_name.items()}),
        ):
            yield _labelled(CounterMetricFamily(f"posebridge_{name}", text, labels=["transport"]), values)
        errors = CounterMetricFamily("posebridge_errors", "Errors told to clients.", labels=["transport", "code"])
        ages = HistogramMetricFamily(
            "posebridge_forecast_age_seconds",
            "From a frame's arrival to handing its forecast to the transport.",
            labels=["transport"],
        )
        for name, transport in by_name.items():
            for code, count in _known(transport.errors, CODES).items():
                errors.add_metric([name, code], count)
            ages.add_metric([name], *_buckets(transport.age_s))
        yield errors
        yield ages

    def _engine(self) -> Iterator[Metric]:
        telemetry = self._telemetry
        yield _labelled(
            CounterMetricFamily(
                "posebridge_forecasts_dropped", "Forecasts that were due and not sent.", labels=["reason"]
            ),
            _known(telemetry.dropped, REASONS),
        )
        for name, text, histogram in (
            ("queue_wait_seconds", "From a frame's arrival to the start of its computation.", telemetry.queue_s),
            ("batch_compute_seconds", "Computation of a batch.", telemetry.compute_s),
            ("batch_windows", "Windows in a batch.", telemetry.batch_windows),
        ):
            family = HistogramMetricFamily(f"posebridge_{name}", text)
            family.add_metric([], *_buckets(histogram))
            yield family
        yield CounterMetricFamily(
            "posebridge_batches_failed",
            "Batches that failed as a whole and were computed one by one.",
            telemetry.batches_failed,
        )
        yield CounterMetricFamily(
            "posebridge_engine_restarts", "Restarts of an engine's process.", telemetry.engine_restarts
        )

    def _anomaly(self) -> Iterator[Metric]:
        anomaly = self._telemetry.anomaly
        yield GaugeMetricFamily("posebridge_alerts_on", "1 if motion is watched.", float(self._status.alerts_on()))
        yield _labelled(
            CounterMetricFamily(
                "posebridge_verdicts",
                "Frames that were judged: given, or why there was no verdict.",
                labels=["verdict"],
            ),
            _known({"given": anomaly.verdicts, **anomaly.no_verdicts}, VERDICTS),
        )
        yield CounterMetricFamily(
            "posebridge_verdicts_dropped",
            "Frames that were not judged because the scores were too far behind.",
            anomaly.dropped,
        )
        yield CounterMetricFamily(
            "posebridge_scoring_cpu_seconds", "Processor time spent on scores.", anomaly.scoring_s
        )
        yield _labelled(
            CounterMetricFamily("posebridge_alerts", "Changes of alerts that were stored.", labels=["state"]),
            _known(anomaly.alerts, STATES),
        )
        yield GaugeMetricFamily("posebridge_alerts_active", "Alerts that are on.", anomaly.active)
        yield CounterMetricFamily(
            "posebridge_alert_store_failures",
            "Tries to store a change of an alert that failed; it is tried again.",
            anomaly.store_failures,
        )
        yield GaugeMetricFamily(
            "posebridge_alerts_unstored", "Changes of alerts that wait to be stored, told to nobody.", anomaly.backlog
        )
        deliveries = CounterMetricFamily(
            "posebridge_webhook_deliveries", "Tries to deliver an alert to a webhook.", labels=["webhook", "result"]
        )
        for (webhook, result), count in dict(anomaly.deliveries).items():
            deliveries.add_metric([webhook, result], count)
        yield deliveries


class _EngineCollector(Collector):
    def __init__(self, engines: Sequence[object]) -> None:
        self._engines = engines

    def collect(self) -> Iterator[Metric]:
        """Yield what the engines can tell of their memory and processes; nothing of those that cannot."""
        device = GaugeMetricFamily(
            "posebridge_engine_device_memory_bytes", "Memory of the device that the engine holds.", labels=["engine"]
        )
        resident = GaugeMetricFamily(
            "posebridge_engine_process_resident_memory_bytes",
            "Resident memory of the engine's process.",
            labels=["engine"],
        )
        cpu = CounterMetricFamily(
            "posebridge_engine_process_cpu_seconds", "Processor time of the engine's process.", labels=["engine"]
        )
        for number, engine in enumerate(self._engines):
            measure = getattr(engine, "memory_bytes", None)
            if measure is not None and (held := measure()) is not None:
                device.add_metric([str(number)], held)
            of_process = _process(getattr(engine, "pid", None))
            if of_process:
                resident.add_metric([str(number)], of_process["process_resident_memory_bytes"])
                cpu.add_metric([str(number)], of_process["process_cpu_seconds"])
        yield from (family for family in (device, resident, cpu) if family.samples)


def _process(pid: int | None) -> dict[str, float]:
    """What the system says of a process, by name; empty if there is none or the system does not tell."""
    if pid is None:
        return {}
    families: Iterable[Metric] = ProcessCollector(pid=lambda: pid, registry=None).collect()
    return {family.name: family.samples[0].value for family in families if family.samples}


def _known(counts: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
    """Counts of all ``names``, and of everything else together where there is any."""
    now = dict(counts)
    known = {name: now.pop(name, 0) for name in names}
    return known | ({OTHER: sum(now.values())} if now else {})


def _labelled(family: Metric, values: Mapping[str, float]) -> Metric:
    for name, value in values.items():
        family.add_metric([name], value)  # type: ignore[attr-defined]
    return family


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    """Cumulative counts by upper bound, and the sum of all values."""
    counts, total = list(histogram.counts), histogram.total
    cumulative, buckets = 0, []
    for bound, count in zip((*map(str, map(float, histogram.bounds)), "+Inf"), counts, strict=True):
        cumulative += count
        buckets.append((bound, float(cumulative)))
    return buckets, total
