"""The Python client: one interface, sync and async, over gRPC and ZeroMQ."""

from bridge.client.address import Address, TransportKind, parse_address
from bridge.client.alerts import AlertsClient
from bridge.client.async_client import AsyncClient, connect_async
from bridge.client.client import Client, connect
from bridge.client.saver import FrameSaver
from bridge.client.security import CurveKeys, TlsFiles
from bridge.client.stats import ClientStats, ConnectionState

__all__ = [
    "Address",
    "AlertsClient",
    "AsyncClient",
    "Client",
    "ClientStats",
    "ConnectionState",
    "CurveKeys",
    "FrameSaver",
    "TlsFiles",
    "TransportKind",
    "connect",
    "connect_async",
    "parse_address",
]
