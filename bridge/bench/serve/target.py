"""What load is put on: the service, or the echo that shows what the transport alone costs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.bench.serve.children import Child, child
from bridge.client import Client
from bridge.errors import DeadlineExceeded
from bridge.wire.values import ModelInfo

_START_TIMEOUT_S = 120.0
_ECHO_START_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How the service is started; the fields are its settings of the same names, None for their defaults."""

    engine: str = "local"
    engine_placement: str | None = None
    threads: int | None = None
    weights: Path | None = None
    device: str | None = None
    log_file: Path | None = None
    log_level: str = "warning"
    anomaly: bool = True

    def arguments(self) -> list[str]:
        """Options of ``pose-bridge serve``; every address is a free port of the loopback."""
        given = {
            "grpc": "127.0.0.1:0",
            "zmq": "tcp://127.0.0.1:0",
            "ops": "127.0.0.1:0",
            "engine": self.engine,
            "engine-placement": self.engine_placement,
            "threads": self.threads,
            "weights": None if self.weights is None else self.weights.resolve(),
            "device": self.device,
            "log-file": self.log_file,
            "log-level": self.log_level,
            "max-sessions": 1024,
        }
        switches = [] if self.anomaly else ["--no-anomaly"]
        return switches + [
            part for name, value in given.items() if value is not None for part in (f"--{name}", str(value))
        ]


@dataclass(frozen=True, slots=True)
class Target:
    """A running server: its process, its address on each transport, and what frames for it look like."""

    process: Child
    addresses: dict[str, str]
    layout_id: str
    echo: bool
    info: ModelInfo | None = None

    @property
    def warmup_s(self) -> float:
        """Until windows are full, and a second in which batches and costs settle."""
        return 1.0 if self.info is None else self.info.context_frames / self.info.rate_hz + 1.0


@contextmanager
def running_service(options: ServiceOptions, cores: tuple[int, ...] = ()) -> Iterator[Target]:
    """Start ``pose-bridge serve`` in a process of its own, wait until it listens, stop it at the end.

    Raises:
        Unavailable: if it ends instead; carries what it said last.
        DeadlineExceeded: if it does neither in time.
    """
    with TemporaryDirectory(prefix="pose-bridge-bench-") as folder:
        ready = Path(folder) / "ready.json"
        arguments = ["serve", *options.arguments(), "--ready-file", str(ready)]
        arguments += ["--alert-log", str(Path(folder) / "alerts.sqlite3")]
        with child("bridge.cli", arguments, cores=cores, leashed=True) as process:
            deadline_s = time.monotonic() + _START_TIMEOUT_S
            while not ready.exists():
                process.require_running()
                if time.monotonic() > deadline_s:
                    raise DeadlineExceeded(f"the server was not ready within {_START_TIMEOUT_S:g} s")
                time.sleep(0.02)
            addresses: dict[str, str] = json.loads(ready.read_text(encoding="utf-8"))
            with Client(addresses["zmq"]) as client:
                info = client.model_info()
            yield Target(process, addresses, info.layout_id, echo=False, info=info)


@contextmanager
def running_echo(
    transport: str, *, reply_bytes: int, frame_bytes: int, layout_id: str, cores: tuple[int, ...] = ()
) -> Iterator[Target]:
    """Start the echo of one transport; sizes as the service had them."""
    arguments = ["--transport", transport, "--reply-bytes", str(reply_bytes), "--frame-bytes", str(frame_bytes)]
    with child("bridge.bench.serve.echo", arguments, cores=cores, leashed=True) as process:
        address = process.read_line(_ECHO_START_TIMEOUT_S)
        yield Target(process, {transport: address}, layout_id, echo=True)
