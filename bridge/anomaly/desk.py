"""All of the anomaly side that a server has: who raises alerts, who stores and tells them, who delivers them."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bridge.anomaly.alert_log import AlertLog
from bridge.anomaly.calibration import BUNDLED_CALIBRATION, Calibration, CalibrationIdentity
from bridge.anomaly.hub import AlertHub
from bridge.anomaly.monitor import AnomalyMonitor
from bridge.anomaly.webhook_file import load_webhooks
from bridge.anomaly.webhooks import WebhookSender
from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.skeleton import Layout
from bridge.telemetry import AnomalyTelemetry

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AnomalyDesk:
    """The hub that stores and tells alerts, the monitor that raises them, the sender of webhooks if there are any."""

    hub: AlertHub
    monitor: AnomalyMonitor
    sender: WebhookSender | None = None

    def start(self) -> None:
        """Begin to score and to deliver."""
        if self.sender is not None:
            self.hub.listen(self.sender.wake)
            self.sender.start()
        self.monitor.start()

    def stop(self) -> None:
        """Judge and store what was handed over, then close the log; what is owed to webhooks waits in it."""
        self.monitor.stop()
        if self.sender is not None:
            self.sender.stop()
        if not self.hub.retry():
            _log.error("alerts_lost", path=str(self.hub.log.path), consequence="they could not be stored")
        self.hub.log.close()


def open_desk(
    settings: Settings,
    *,
    layout: Layout,
    rate_hz: float,
    weights_id: str,
    refinement: str,
    telemetry: AnomalyTelemetry | None = None,
) -> AnomalyDesk | None:
    """Open the log and the calibration that settings name; None where alerts are off or nothing is calibrated.

    Without a calibration of the settings' choosing, weights that the bundled one was not made for are served without
    alerts, and the log says so.

    Raises:
        FailedPrecondition: if the named calibration belongs to other weights.
        CheckpointError: if it cannot be read.
        InvalidInput, NotFound: if the webhooks file is wrong.
        Unavailable: if the alert log cannot be opened.
    """
    if not settings.anomaly:
        return None
    identity = CalibrationIdentity(weights_id=weights_id, refinement=refinement, layout_id=layout.id, rate_hz=rate_hz)
    calibration = _calibration(settings, identity)
    if calibration is None:
        return None
    counts = telemetry or AnomalyTelemetry()
    webhooks = () if settings.webhooks is None else load_webhooks(settings.webhooks)
    log = AlertLog.open(
        settings.alert_log,
        days=settings.alert_log_days,
        megabytes=settings.alert_log_mb,
        receivers=[hook.name for hook in webhooks],
    )
    hub = AlertHub(log, counts)
    monitor = AnomalyMonitor(
        calibration,
        hub,
        layout=layout,
        rate_hz=rate_hz,
        false_alarms_per_hour=settings.false_alarms_per_hour,
        telemetry=counts,
    )
    _log.info(
        "alerts_on",
        alert_log=str(log.path),
        calibration_hours=round(calibration.report.hours, 2),
        false_alarms_per_hour=settings.false_alarms_per_hour,
        webhooks=len(webhooks),
    )
    return AnomalyDesk(hub, monitor, WebhookSender(log, webhooks, counts) if webhooks else None)


def _calibration(settings: Settings, identity: CalibrationIdentity) -> Calibration | None:
    if settings.calibration is not None:
        calibration = Calibration.load(settings.calibration)
        calibration.require(identity)
        return calibration
    if settings.engine == "null" or not BUNDLED_CALIBRATION.is_file():
        return None
    calibration = Calibration.load(BUNDLED_CALIBRATION)
    try:
        calibration.require(identity)
    except BridgeError as error:
        _log.warning("alerts_off", reason=str(error))
        return None
    return calibration
