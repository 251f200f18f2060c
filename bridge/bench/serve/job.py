"""What a client process is told, and the words that it and its parent exchange."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge.bench.serve.schedule import LoadPlan
from bridge.wire.codec import config_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import SessionConfig

READY = "ready"
"""Said by a client when all its sessions are open; answered with the start, nanoseconds of `time.monotonic_ns`."""

OPEN_TIMEOUT_S = 15.0
"""Longest wait for all sessions to be open."""


@dataclass(frozen=True, slots=True)
class ClientJob:
    """Put this load on a server, write the journal, end.

    Attributes:
        transport: "grpc" or "zmq". address: HOST:PORT or a ZeroMQ endpoint.
        layout_id: layout of the landmarks.
        echo: the server answers with blobs of the right size instead of forecasts.
        drain_s: longest wait for what is unanswered when the last frame is out.
        journal: file to write.
    """

    transport: str
    address: str
    plan: LoadPlan
    layout_id: str
    echo: bool
    drain_s: float
    journal: str

    def save(self, path: Path) -> None:
        """Write it for the client process."""
        path.write_text(json.dumps({**asdict(self), "plan": self.plan.to_json()}), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> ClientJob:
        """Read what `save` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "plan": LoadPlan.from_json(values["plan"])})


def config_request(job: ClientJob, session: int) -> forecast_pb2.StreamForecastsRequest:
    """First message of a session: all defaults, forecasts as often as frames."""
    config = SessionConfig(
        client_name=job.plan.sessions[session].name, layout_id=job.layout_id, forecast_rate_hz=job.plan.hz
    )
    return forecast_pb2.StreamForecastsRequest(config=config_to_message(config))
