"""Settings of the service: one typed object, from the command line, the environment and defaults, in that order.

Every setting is also an environment variable, ``POSE_BRIDGE_`` and its name in capitals, for example
``POSE_BRIDGE_GRPC=0.0.0.0:50551``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bridge.errors import InvalidInput

ENV_PREFIX = "POSE_BRIDGE_"
_ENV_OF_THE_TESTS = frozenset({"POSE_BRIDGE_STRICT", "POSE_BRIDGE_SHARED"})

_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
_ZMQ_TCP = re.compile(r"tcp://(\*|\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5}|\*)")
_ZMQ_IPC = re.compile(r"ipc://.+")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _grpc_address(value: str) -> str:
    match = _HOST_PORT.fullmatch(value)
    if value and (match is None or int(match["port"]) > 65535):
        raise ValueError("HOST:PORT, port 0 for any free one, or empty for no gRPC")
    return value


def _zmq_address(value: str) -> str:
    tcp = _ZMQ_TCP.fullmatch(value)
    right = _ZMQ_IPC.fullmatch(value) or (tcp and (tcp["port"] == "*" or int(tcp["port"]) <= 65535))
    if value and not right:
        raise ValueError("tcp://HOST:PORT, port 0 for any free one, or ipc://PATH, or empty for no ZeroMQ")
    return value


def _device(value: str) -> str:
    if _DEVICE.fullmatch(value) is None:
        raise ValueError("auto, cpu, mps, cuda or cuda:N")
    return value


def default_threads() -> int:
    """Threads for a computation when nobody says: half the cores, 1 to 8.

    The other half is for the transports and whoever shares the machine: a product waits for its slowest thread, and
    one that is not running costs more than a thread too few.
    """
    return max(1, min(8, (os.cpu_count() or 1) // 2))


class Settings(BaseSettings):
    """How a server runs. Addresses are loopback unless told otherwise; an empty address switches a front off.

    Attributes:
        grpc: HOST:PORT of the gRPC front; port 0 takes a free one.
        zmq: endpoint of the ZeroMQ front, ``tcp://HOST:PORT`` or ``ipc://PATH``; port 0 takes a free one.
        weights: weights file; None for the bundled ones.
        device: auto, cpu, mps, cuda or cuda:N.
        threads: threads of a computation on the CPU; None: `default_threads`.
        max_sessions: sessions at a time, both fronts together.
        session_idle_timeout_s: a ZeroMQ session that is silent for so long is forgotten.
        max_batch_windows: most windows that are forecast in one batch.
        grace_ms: from the notice that the server drains to its closing of what is still open.
        log_level: least severe level that is logged.
        log_format: ``console`` for people, ``json`` for machines.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    grpc: Annotated[str, AfterValidator(_grpc_address)] = "127.0.0.1:50551"
    zmq: Annotated[str, AfterValidator(_zmq_address)] = "tcp://127.0.0.1:50552"
    weights: Path | None = None
    device: Annotated[str, AfterValidator(_device)] = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    max_sessions: Annotated[int, Field(ge=1, le=100_000)] = 64
    session_idle_timeout_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    max_batch_windows: Annotated[int, Field(ge=1, le=4096)] = 64
    grace_ms: Annotated[int, Field(ge=0, le=600_000)] = 2000
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @model_validator(mode="after")
    def _some_front(self) -> Settings:
        if not self.grpc and not self.zmq:
            raise ValueError("grpc and zmq are both empty, at least one must listen")
        return self


def load_settings(**given: Any) -> Settings:
    """Return the settings: what is ``given`` (None counts as not given), then the environment, then defaults.

    Raises:
        InvalidInput: if a value is wrong or a name is unknown, in ``given`` or among the ``POSE_BRIDGE_`` variables.
    """
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields} | _ENV_OF_THE_TESTS
    for variable in sorted(os.environ):
        if variable.startswith(ENV_PREFIX) and variable not in known:
            raise InvalidInput("no setting has this name", field=variable, expected=f"one of: {_names()}")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise _as_ours(error) from None


def _names() -> str:
    return ", ".join(Settings.model_fields)


def _as_ours(error: ValidationError) -> InvalidInput:
    """Say the first of pydantic's complaints as one of our errors."""
    first = error.errors(include_url=False)[0]
    field = "settings." + str(first["loc"][0]) if first["loc"] else "settings"
    if first["type"] == "extra_forbidden":
        return InvalidInput("no setting has this name", field=field, expected=f"one of: {_names()}")
    if not first["loc"]:
        return InvalidInput(str(first["ctx"]["error"]), field=field)
    expected = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    return InvalidInput(f"is {first['input']!r}", field=field, expected=expected)
