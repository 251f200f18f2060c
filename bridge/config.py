"""Settings of the service: one typed object, from flags, the environment, a file and defaults, in that order.

Every setting has one name. It is the key in a configuration file (TOML, flat), ``POSE_BRIDGE_`` and the name in
capitals in the environment, for example ``POSE_BRIDGE_GRPC=0.0.0.0:50551``, and an option of ``pose-bridge serve``. A
name that nobody knows is an error, wherever it stands. The file is named by ``--config`` or ``POSE_BRIDGE_CONFIG``;
paths in it are relative to the file. Secrets are files that settings point to, never values of settings.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from bridge.errors import InvalidInput

ENV_PREFIX = "POSE_BRIDGE_"
CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
_NOT_SETTINGS = frozenset(
    {
        CONFIG_VARIABLE,
        "POSE_BRIDGE_MODEL",  # of `pose-bridge capture`
        "POSE_BRIDGE_STRICT",  # of the tests, as the next
        "POSE_BRIDGE_SHARED",
    }
)

_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
_ZMQ_TCP = re.compile(r"tcp://(\*|\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5}|\*)")
_ZMQ_IPC = re.compile(r"ipc://.+")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _host_port(value: str) -> str:
    match = _HOST_PORT.fullmatch(value)
    if value and (match is None or int(match["port"]) > 65535):
        raise ValueError("HOST:PORT, port 0 for any free one, or empty to switch it off")
    return value


def _zmq_address(value: str) -> str:
    tcp = _ZMQ_TCP.fullmatch(value)
    right = _ZMQ_IPC.fullmatch(value) or (tcp and (tcp["port"] == "*" or int(tcp["port"]) <= 65535))
    if value and not right:
        raise ValueError("tcp://HOST:PORT, port 0 for any free one, or ipc://PATH, or empty to switch it off")
    return value


def _device(value: str) -> str:
    if _DEVICE.fullmatch(value) is None:
        raise ValueError("auto, cpu, mps, cuda or cuda:N")
    return value


def _path_or_none(value: object) -> object:
    return None if value == "" else value


HostPort = Annotated[str, AfterValidator(_host_port)]
ZmqEndpoint = Annotated[str, AfterValidator(_zmq_address)]
OptionalPath = Annotated[Path | None, BeforeValidator(_path_or_none)]


def default_threads() -> int:
    """Threads for a computation when nobody says: half the cores, 1 to 8.

    The other half is for the transports and whoever shares the machine: a product waits for its slowest thread, and
    one that is not running costs more than a thread too few.
    """
    return max(1, min(8, (os.cpu_count() or 1) // 2))


class Settings(BaseSettings):
    """How a server runs: exactly what is given, and defaults for the rest (`load_settings` looks elsewhere too).

    Addresses are loopback unless told otherwise; an empty one switches off what would listen there, an empty path
    stands for none. What is said below each setting is also the help of its option.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, use_attribute_docstrings=True)

    # Addresses
    grpc: HostPort = "127.0.0.1:50551"
    """gRPC address, '' for none; port 0 takes a free one."""
    zmq: ZmqEndpoint = "tcp://127.0.0.1:50552"
    """ZeroMQ address, tcp://HOST:PORT or ipc://PATH, '' for none; port 0 takes a free one."""
    zmq_watch: ZmqEndpoint = ""
    """ZeroMQ address at which forecasts are published for who wants to watch, '' for none."""
    ops: HostPort = "127.0.0.1:50553"
    """HTTP address of /healthz, /readyz and /metrics, '' for none; port 0 takes a free one."""

    # Engine
    weights: OptionalPath = None
    """Weights file; '' for the bundled one."""
    device: Annotated[str, AfterValidator(_device)] = "auto"
    """auto, cpu, mps, cuda or cuda:N."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """CPU threads of a computation; by default half the cores, at most 8."""
    engine: Literal["local", "null"] = "local"
    """local computes forecasts; null answers with canned ones at once, to measure the service or try a client."""
    engine_placement: Literal["auto", "thread", "process"] = "auto"
    """Where the engine runs: in a thread of the server or in a process of its own; auto takes what is faster."""

    # Limits
    max_sessions: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Sessions at a time, over both transports."""
    max_avatars: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    """Avatars at a time, of all sessions together."""
    session_idle_timeout_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """Seconds after which a silent session is closed."""
    avatar_idle_timeout_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 30.0
    """Seconds without a frame after which an avatar is forgotten."""
    max_batch_windows: Annotated[int, Field(ge=1, le=4096)] = 64
    """Windows computed together at most."""
    max_batch_ms: Annotated[float, Field(gt=0.0, le=60_000.0)] = 50.0
    """Milliseconds that a batch of more than one window may be predicted to take."""
    max_wait_ms: Annotated[float, Field(ge=0.0, le=1000.0)] = 2.0
    """Milliseconds that a window waits for others to share its batch."""
    max_pending: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    """Windows waiting for the engine at most; more are refused."""
    grace_ms: Annotated[int, Field(ge=0, le=600_000)] = 2000
    """Milliseconds to finish what is under way after SIGTERM."""

    # Alerts
    anomaly: bool = True
    """Watch the motion for what was not in the forecasts, wherever there is a calibration for the weights."""
    calibration: OptionalPath = None
    """Calibration file, as `pose-bridge calibrate` writes it; '' for the one that comes with the bundled weights."""
    false_alarms_per_hour: Annotated[float, Field(ge=0.01, le=1000.0)] = 1.0
    """False alarms per hour and avatar that are acceptable, where a client does not say."""
    alert_log: OptionalPath = None
    """SQLite file of the alerts; '' for one in the user's state folder."""
    alert_log_days: Annotated[float, Field(gt=0.0, le=36_500.0)] = 30.0
    """Days after which an alert that is over is forgotten."""
    alert_log_mb: Annotated[float, Field(ge=1.0, le=1_000_000.0)] = 256.0
    """Megabytes that the alert log may take; the oldest alerts go first."""
    webhooks: OptionalPath = None
    """File of the webhooks that are told of alerts: [[webhooks]] with name, url and secret_file."""

    # Security
    tls_cert: OptionalPath = None
    """Certificate chain of the gRPC front, PEM; comes with tls_key."""
    tls_key: OptionalPath = None
    """Private key of the gRPC front, PEM; comes with tls_cert."""
    tls_client_ca: OptionalPath = None
    """Authorities, PEM, one of which must have signed a gRPC client's certificate (mutual TLS)."""
    curve_secret_key: OptionalPath = None
    """CURVE key file of the ZeroMQ fronts, as `pose-bridge keys new` writes it."""
    curve_allow: OptionalPath = None
    """Public CURVE keys of the clients that may connect: a file or a folder of files."""
    tokens: OptionalPath = None
    """File of the bearer tokens that clients must show, with their scopes and limits."""
    insecure: bool = False
    """Allow addresses off the loopback without TLS or CURVE."""

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is logged: debug, info, warning or error."""
    log_format: Literal["console", "json"] = "console"
    """console for people, json for machines."""
    log_file: OptionalPath = None
    """File for the log instead of stderr; it is rotated by size."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is given; `effective_settings` puts the sources together, because it must say which won."""
        return (init_settings,)

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if not self.grpc and not self.zmq:
            raise ValueError("grpc and zmq are both empty, at least one must listen")
        if (self.tls_cert is None) != (self.tls_key is None):
            given, absent = ("tls_cert", "tls_key") if self.tls_cert else ("tls_key", "tls_cert")
            raise ValueError(f"{given} is set without {absent}, they come together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca is set without tls_cert and tls_key, without which there is no TLS")
        if self.curve_allow is not None and self.curve_secret_key is None:
            raise ValueError("curve_allow is set without curve_secret_key, without which there is no CURVE")
        return self


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """Settings and where each comes from.

    Attributes:
        settings: what holds.
        sources: by name of the setting: "flag", "environment POSE_BRIDGE_X", "file PATH" or "default".
        config: the configuration file that was read, if any.
    """

    settings: Settings
    sources: Mapping[str, str]
    config: Path | None


def load_settings(config: Path | str | None = None, **given: Any) -> Settings:
    """Return the settings: what is ``given`` (None counts as not given), then environment, file and defaults.

    Raises:
        InvalidInput: as `effective_settings`.
    """
    return effective_settings(config, **given).settings


def effective_settings(config: Path | str | None = None, **given: Any) -> EffectiveSettings:
    """Return the settings as `load_settings` does, with the source of each.

    ``config`` is a TOML file; None takes the one that ``POSE_BRIDGE_CONFIG`` names, if any.

    Raises:
        InvalidInput: if the file cannot be read, if a value is wrong, or if a name is unknown in ``given``, in the file
            or among the ``POSE_BRIDGE_`` variables; says which, and the nearest name that is known.
    """
    path = Path(config) if config else _config_of_the_environment()
    flags = {name: value for name, value in given.items() if value is not None}
    from_file = _read_config_file(path) if path is not None else {}
    return _put_together(path, from_file, _environment(), flags)


def settings_of_file(path: Path) -> EffectiveSettings:
    """Return what a configuration file alone says, defaults for the rest, whatever the environment.

    Raises:
        InvalidInput: as `effective_settings`.
    """
    return _put_together(path, _read_config_file(path), {}, {})


def _put_together(
    path: Path | None, from_file: dict[str, Any], environment: dict[str, Any], flags: dict[str, Any]
) -> EffectiveSettings:
    sources = dict.fromkeys(Settings.model_fields, "default")
    sources |= dict.fromkeys(from_file, f"file {path}")
    sources |= {name: f"environment {ENV_PREFIX}{name.upper()}" for name in environment}
    sources |= dict.fromkeys(flags, "flag")
    try:
        return EffectiveSettings(Settings(**(from_file | environment | flags)), sources, path)
    except ValidationError as error:
        raise _as_ours(error, sources) from None


def _read_config_file(path: Path) -> dict[str, Any]:
    """What a configuration file sets, by name; its paths are relative to where we are then."""
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise InvalidInput(
            f"cannot read {str(path)!r}: {error.strerror}", field="config", expected="a TOML file"
        ) from None
    except ValueError as error:
        raise InvalidInput(f"{str(path)!r} is not TOML: {error}", field="config", expected="name = value") from None
    for name, value in values.items():
        if name not in Settings.model_fields:
            raise _unknown(f"{path}: {name}", name)
        if _is_path(name) and isinstance(value, str) and value:
            values[name] = path.parent / value
    return values


def _config_of_the_environment() -> Path | None:
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else None


def _environment() -> dict[str, Any]:
    for variable in sorted(os.environ):
        name = variable.upper().removeprefix(ENV_PREFIX)
        if name == variable.upper() or variable.upper() in _NOT_SETTINGS:
            continue
        if name.lower() not in Settings.model_fields:
            raise _unknown(variable, name.lower())
    return EnvSettingsSource(Settings)()


def _is_path(name: str) -> bool:
    return Path in get_args(Settings.model_fields[name].annotation)


def _unknown(field: str, name: str) -> InvalidInput:
    nearest = difflib.get_close_matches(name.lower().replace("-", "_"), Settings.model_fields, n=1)
    names = f"{nearest[0]}, the nearest name" if nearest else f"one of: {', '.join(Settings.model_fields)}"
    return InvalidInput("no setting has this name", field=field, expected=names)


def _as_ours(error: ValidationError, sources: Mapping[str, str]) -> InvalidInput:
    """Say the first of pydantic's complaints as one of our errors."""
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return InvalidInput(str(first["ctx"]["error"]), field="settings")
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return _unknown(f"settings.{name}", name)
    expected = (
        str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"].removeprefix("Input should be ")
    )
    where = "" if sources[name] == "flag" else f" (from {sources[name]})"
    return InvalidInput(f"is {first['input']!r}{where}", field=f"settings.{name}", expected=expected)
