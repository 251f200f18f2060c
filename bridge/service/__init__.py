"""The gRPC and ZeroMQ fronts over one session implementation, and the server that holds them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.service.server import Endpoints, Server

__all__ = ["Endpoints", "Server"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: who only makes keys or tokens should not wait for grpc.
    if name in __all__:
        from bridge.service import server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
