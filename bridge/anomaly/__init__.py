"""Motion that was not in the forecasts: scores, calibrated p-values, alerts that are stored before they are told."""

from __future__ import annotations

from bridge.anomaly.alert_log import AlertLog, Delivery
from bridge.anomaly.calibration import BUNDLED_CALIBRATION, Calibration, CalibrationIdentity, CalibrationReport
from bridge.anomaly.desk import AnomalyDesk, open_desk
from bridge.anomaly.hub import AlertHub
from bridge.anomaly.monitor import AnomalyMonitor, AvatarName, AvatarWatch
from bridge.anomaly.replay import ReplayedTrack, identity_of, replay
from bridge.anomaly.replayed_alerts import ScoredAlert, alerts_of, p_values_of
from bridge.anomaly.rule import AlertRule, RuleChange, RuleSettings, Thresholds, run_rule
from bridge.anomaly.scored import SCORE_NAMES, FrameScores, ScoredTrack
from bridge.anomaly.track import SCORED_SAMPLES, TrackScorer
from bridge.anomaly.watcher import TrackWatcher, WatchedFrame

__all__ = [
    "BUNDLED_CALIBRATION",
    "SCORED_SAMPLES",
    "SCORE_NAMES",
    "AlertHub",
    "AlertLog",
    "AlertRule",
    "AnomalyDesk",
    "AnomalyMonitor",
    "AvatarName",
    "AvatarWatch",
    "Calibration",
    "CalibrationIdentity",
    "CalibrationReport",
    "Delivery",
    "FrameScores",
    "ReplayedTrack",
    "RuleChange",
    "RuleSettings",
    "ScoredAlert",
    "ScoredTrack",
    "Thresholds",
    "TrackScorer",
    "TrackWatcher",
    "WatchedFrame",
    "alerts_of",
    "identity_of",
    "open_desk",
    "p_values_of",
    "replay",
    "run_rule",
]
