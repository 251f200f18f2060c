"""The gRPC and ZeroMQ fronts over one session implementation, and the server that holds them together."""

from bridge.service.server import Endpoints, Server

__all__ = ["Endpoints", "Server"]
