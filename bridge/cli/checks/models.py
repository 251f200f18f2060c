"""The files that forecasts and alerts come from: weights, and the calibration that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bridge.anomaly.calibration import BUNDLED_CALIBRATION, Calibration, CalibrationIdentity
from bridge.cli.checks.finding import Finding, hint, ok, problem_of
from bridge.errors import BridgeError, CheckpointError
from bridge.skeleton import Layout


@dataclass(frozen=True, slots=True)
class WeightsFinding:
    """A finding and, of weights that can be used, what others need to know of them."""

    finding: Finding
    identity: CalibrationIdentity | None = None
    layout: Layout | None = None
    context_frames: int = 0


def check_weights(path: Path | None) -> WeightsFinding:
    """Whether weights load; None stands for the bundled ones."""
    from bridge.anomaly import identity_of
    from bridge.forecaster import BUNDLED_WEIGHTS, Forecaster

    file = path or BUNDLED_WEIGHTS
    try:
        forecaster = Forecaster.load(file, device="cpu", record=False)
    except BridgeError as error:
        advice = "name a whole file with --weights" if path else "reinstall: pip install --force-reinstall pose-bridge"
        return WeightsFinding(problem_of("weights", error, advice))
    detail = (
        f"{path or 'bundled'}: {forecaster.layout.id}, {forecaster.rate_hz:g} Hz, {file.stat().st_size / 1e6:.1f} MB, "
        f"id {forecaster.weights_id[:12]}"
    )
    return WeightsFinding(ok("weights", detail), identity_of(forecaster), forecaster.layout, forecaster.context_frames)


def check_calibration(path: Path | None, identity: CalibrationIdentity | None, *, anomaly: bool = True) -> Finding:
    """Whether a calibration loads and belongs to the weights; None stands for the bundled one.

    As the server does, other weights with the bundled calibration are served without alerts; that is a hint. A
    calibration that was named must fit. ``identity`` None: the weights cannot be used.
    """
    name = "calibration"
    if not anomaly:
        return ok(name, "alerts are switched off")
    try:
        calibration = Calibration.load(path or BUNDLED_CALIBRATION)
    except CheckpointError as error:
        return problem_of(name, error, "make one: pose-bridge calibrate RECORDINGS --out FILE" if path else "")
    report = calibration.report
    detail = f"{path or 'bundled'}: {60 * report.hours:.0f} minutes of {report.subjects} subjects"
    if identity is None:
        return hint(name, f"{detail}; without weights it cannot be said whether it fits", "mend the weights first")
    try:
        calibration.require(identity)
    except BridgeError as error:
        if path is not None:
            return problem_of(name, error, "calibrate with these weights: pose-bridge calibrate")
        words = "the bundled one belongs to other weights, so there are no alerts"
        return hint(name, words, "for alerts: pose-bridge calibrate RECORDINGS --weights FILE --out FILE")
    return ok(name, f"{detail}, made with these weights")
