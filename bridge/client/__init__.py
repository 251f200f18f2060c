"""The Python client: one interface, sync and async, over gRPC and ZeroMQ.

What is sent and what comes back (`Frame`, `SessionConfig`, `Forecast`, `Alert` ...) can be imported from here too.
"""

from bridge.client.address import Address, TransportKind, parse_address
from bridge.client.alerts import AlertsClient
from bridge.client.async_client import AsyncClient, connect_async
from bridge.client.client import Client, connect
from bridge.client.saver import FrameSaver
from bridge.client.security import CurveKeys, TlsFiles
from bridge.client.stats import ClientStats, ConnectionState
from bridge.frames import Frame
from bridge.wire.alerts import Alert, AlertPage, AlertSnapshot, Verdict
from bridge.wire.values import (
    AnomalyConfig,
    AvatarConfig,
    Encoding,
    Forecast,
    FrameFault,
    ModelInfo,
    SessionAccepted,
    SessionConfig,
)

__all__ = [
    "Address",
    "Alert",
    "AlertPage",
    "AlertSnapshot",
    "AlertsClient",
    "AnomalyConfig",
    "AsyncClient",
    "AvatarConfig",
    "Client",
    "ClientStats",
    "ConnectionState",
    "CurveKeys",
    "Encoding",
    "Forecast",
    "Frame",
    "FrameFault",
    "FrameSaver",
    "ModelInfo",
    "SessionAccepted",
    "SessionConfig",
    "TlsFiles",
    "TransportKind",
    "Verdict",
    "connect",
    "connect_async",
    "parse_address",
]
