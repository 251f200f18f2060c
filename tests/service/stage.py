"""A server in a process of its own with two steady clients, one over each transport: where faults are played."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.service.steady import SteadyClient
from tests.service.vitals import Belongings, Vitals
from tests.service_fixtures import TRANSPORTS, Connections, Player, ServeCommand

LAYOUT = MEDIAPIPE_POSE_33


class Stage:
    """Starts and ends them; ``before`` is what the server held when nothing had happened yet.

    Args:
        folder: for the server's files.
        options: of ``pose-bridge serve``.
        log_file: where its log goes; by default into the folder.
    """

    def __init__(self, folder: Path, *options: str, log_file: Path | None = None) -> None:
        self.log_file = log_file or folder / "log.jsonl"
        log = ("--log-format", "json", "--log-file", str(self.log_file))
        self.command = ServeCommand(folder, *log, *options)
        self.connections = Connections()
        self.bystanders: list[SteadyClient] = []
        try:
            self.command.wait_until_ready()
            self.endpoints = self.command.endpoints
            self.vitals = Vitals(self.command.process.pid, self.endpoints)
            self._show_once()
            for transport in TRANSPORTS:
                client = self.connections.over(transport, self.endpoints)
                self.bystanders.append(SteadyClient(client, LAYOUT, f"bystander-{transport}"))
            self.expect_forecasts(1)
            self.before: Belongings = self.vitals.belongings_at_rest(len(TRANSPORTS))
        except BaseException:
            self.stop()
            raise

    def expect_forecasts(self, count: int = 10) -> None:
        """Wait until every bystander's every avatar has had more forecasts, over and over."""
        for bystander in self.bystanders:
            bystander.expect_forecasts(count)

    def expect_welcome(self) -> None:
        """Fail unless newcomers are served over both transports."""
        connections = Connections()
        try:
            for transport in TRANSPORTS:
                client = connections.over(transport, self.endpoints)
                Player(client, LAYOUT, client_name="newcomer").fill_windows("a")
        finally:
            connections.close()

    @contextmanager
    def fault(self) -> Iterator[None]:
        """What happens meanwhile is noticed by no bystander, during and after, and nothing is left of it."""
        yield
        assert self.command.process.poll() is None
        for bystander in self.bystanders:
            bystander.expect_undisturbed()
        self.expect_welcome()
        self.vitals.expect_no_more_than(self.before)
        assert self.faults() == []

    def faults(self) -> list[dict[str, object]]:
        """What the server's log says of its own faults."""
        lines = [json.loads(line) for line in self.log_file.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line["level"] not in ("debug", "info")]

    def stop(self) -> None:
        for bystander in self.bystanders:
            bystander.close()
        self.connections.close()
        self.command.kill()

    def _show_once(self) -> None:
        """What is made once, when first needed, is not a leak."""
        self.expect_welcome()
        self.vitals.metrics()
