"""What ``pose-bridge doctor`` does: one check after the other, each finding told as soon as it is known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bridge.cli.checks import Finding, Status, compute, hint, ok, problem, software
from bridge.cli.checks.clock import check_clock
from bridge.cli.checks.finding import problem_of
from bridge.cli.checks.plugin import check_library, find_library
from bridge.cli.checks.ports import check_port
from bridge.cli.progress import announced, busy
from bridge.config import Settings, effective_settings
from bridge.errors import BridgeError
from bridge.skeleton import Layout

_STYLES = {Status.OK: "green", Status.HINT: "yellow", Status.PROBLEM: "bold red"}


@dataclass(frozen=True, slots=True)
class DoctorPlan:
    """What is to be examined; see the options of ``pose-bridge doctor``. ``given`` are settings by name."""

    config: Path | None
    given: dict[str, Any]
    library: Path | None
    loopback: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Some checks that belong together; ``doing`` says what takes a while, empty where nothing does."""

    name: str
    doing: str
    findings: Callable[[], Iterable[Finding]]


def run_doctor(plan: DoctorPlan, console: Console) -> list[Finding]:
    """Examine and return every finding, in order; each is printed as one line when it is known."""
    findings: list[Finding] = []
    for step in Examination(plan).steps():
        with announced(console, step.doing) if step.doing else busy(console, step.name):
            for finding in _guarded(step):
                findings.append(finding)
                console.print(line_of(finding), soft_wrap=True)
    return findings


def line_of(finding: Finding) -> Text:
    """A finding in one line: status, name, detail, advice."""
    detail, advice = (" ".join(words.split()) for words in (finding.detail, finding.advice))
    status = (f"{finding.status.value:<8}", _STYLES[finding.status])
    line = Text.assemble(status, (f"{finding.name:<17}", "cyan"), detail)
    return line.append(f"  -> {advice}", style="bold") if advice else line


def summary_of(findings: list[Finding]) -> str:
    """How many of what."""
    counts = {status: sum(finding.status is status for finding in findings) for status in Status}
    words = {Status.PROBLEM: "problem", Status.HINT: "hint"}
    told = [f"{counts[status]} {word}{'s' * (counts[status] != 1)}" for status, word in words.items()]
    return f"{len(findings)} checks: {', '.join(told)}"


class Examination:
    """The checks, in the order in which they are made; what is found first decides what is looked at later."""

    def __init__(self, plan: DoctorPlan) -> None:
        self._plan = plan
        self._settings, self._about_settings = _settings(plan)
        self._library = find_library(plan.library)
        self._layout: Layout | None = None

    def steps(self) -> Iterator[Step]:
        """Yield them; each is to be run before the next is asked for."""
        settings = self._settings
        yield Step("settings", "", lambda: [self._about_settings])
        yield Step("python", "", self._python)
        for extra in software.existing_extras():
            doing = f"loading what the extra {extra} needs" if software.needs_of_extra(extra) else ""
            yield Step(f"extra.{extra}", doing, partial(self._extra, extra))
        yield Step("torch", "loading torch", self._compute)
        for setting in ("grpc", "zmq", "zmq_watch", "ops"):
            address = getattr(settings, setting)
            if address or setting != "zmq_watch":
                yield Step(f"port.{setting}", "", partial(self._port, setting, address))
        yield Step("weights", "loading the weights", self._models)
        yield Step("plugin_library", "", self._plugin)
        yield Step("clock", "", lambda: [check_clock()])
        yield Step("alert_log", "", self._alert_log)
        if self._plan.loopback:
            yield Step("loopback", "starting a server and asking it for forecasts", self._loopback)

    def _python(self) -> Iterator[Finding]:
        yield software.check_python()
        yield software.check_libraries()

    def _extra(self, extra: str) -> Iterator[Finding]:
        yield software.check_extra(extra)

    def _compute(self) -> Iterator[Finding]:
        torch = compute.check_torch(self._settings.device, self._settings.threads)
        yield torch
        if torch.status is not Status.PROBLEM:
            yield compute.check_gpu_memory(self._settings.device)

    def _port(self, setting: str, address: str) -> Iterator[Finding]:
        yield check_port(setting, address)

    def _models(self) -> Iterator[Finding]:
        from bridge.cli.checks.models import check_calibration, check_weights

        weights = check_weights(self._settings.weights)
        self._layout = weights.layout
        yield weights.finding
        yield check_calibration(self._settings.calibration, weights.identity, anomaly=self._settings.anomaly)

    def _plugin(self) -> Iterator[Finding]:
        yield check_library(self._library, named=self._plan.library is not None)

    def _alert_log(self) -> Iterator[Finding]:
        from bridge.cli.checks.alert_folder import check_alert_folder

        yield check_alert_folder(self._settings.alert_log, megabytes=self._settings.alert_log_mb)

    def _loopback(self) -> Iterator[Finding]:
        from bridge.cli.checks.loopback import check_loopback

        if self._layout is None:
            yield hint("loopback.server", "not tried without weights", "mend the weights first")
            return
        yield from check_loopback(
            weights=self._settings.weights,
            layout=self._layout,
            device=self._settings.device,
            threads=self._settings.threads,
            library=self._library,
        )


def _settings(plan: DoctorPlan) -> tuple[Settings, Finding]:
    """The settings that a server would have; where they are wrong, what was given here and defaults for the rest."""
    try:
        effective = effective_settings(plan.config, **plan.given)
    except BridgeError as error:
        advice = f"expected {error.expected}" if error.expected else "pose-bridge config check FILE says more"
        wrong = problem_of("settings", error, advice)
        try:
            return Settings(**{name: value for name, value in plan.given.items() if value is not None}), wrong
        except ValueError:  # what was given is the very thing that is wrong
            return Settings(), wrong
    told = [f"{name} ({source})" for name, source in effective.sources.items() if source != "default"]
    return effective.settings, ok("settings", ", ".join(told) or "defaults")


def _guarded(step: Step) -> Iterator[Finding]:
    """A step's findings; a fault of a check's own is one too, so that the others are still made."""
    try:
        yield from step.findings()
    except Exception as error:
        where = f"{type(error).__name__} in {sys.version.split()[0]}"
        yield problem(step.name, f"the check itself failed: {where}: {error}", "please report this with the line above")
