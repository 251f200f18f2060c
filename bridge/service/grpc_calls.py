"""What every gRPC call of ours needs: who calls, and how it ends with an error."""

from __future__ import annotations

from typing import NoReturn

import grpc.aio
from google.protobuf.message import Message

from bridge.errors import BridgeError, Unauthenticated
from bridge.service.statuses import status_of
from bridge.telemetry import TransportTelemetry


def bearer_token(context: grpc.aio.ServicerContext) -> str | None:
    """Return what comes as ``authorization: Bearer TOKEN``, None without such metadata.

    Raises:
        Unauthenticated: if it does not read.
    """
    values = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not values:
        return None
    scheme, _, token = str(values[0]).partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token:
        raise Unauthenticated("does not read", field="authorization", expected="one value, `Bearer TOKEN`")
    return token.strip()


async def abort(context: grpc.aio.ServicerContext, error: BridgeError, telemetry: TransportTelemetry) -> NoReturn:
    """End a call with an error, and count it."""
    telemetry.errors[error.kind.name] += 1
    code, message, metadata = status_of(error)
    await context.abort(code, message, metadata)
    raise AssertionError("abort does not return")


def serialize(message: Message) -> bytes:
    """Return a message's bytes."""
    return message.SerializeToString()
