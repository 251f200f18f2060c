"""Every setting of the service as an option of a command, made from `bridge.config.Settings` alone."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from bridge.config import CONFIG_VARIABLE, EffectiveSettings, Settings, effective_settings

PANELS: dict[str, tuple[str, ...]] = {
    "Addresses": ("grpc", "zmq", "zmq_watch", "ops"),
    "Engine": ("weights", "device", "threads", "engine", "engine_placement"),
    "Limits": (
        "max_sessions",
        "max_avatars",
        "session_idle_timeout_s",
        "avatar_idle_timeout_s",
        "max_batch_windows",
        "max_batch_ms",
        "max_wait_ms",
        "max_pending",
        "grace_ms",
    ),
    "Alerts": (
        "anomaly",
        "calibration",
        "false_alarms_per_hour",
        "alert_log",
        "alert_log_days",
        "alert_log_mb",
        "webhooks",
    ),
    "Security": (
        "tls_cert",
        "tls_key",
        "tls_client_ca",
        "curve_secret_key",
        "curve_allow",
        "tokens",
        "insecure",
    ),
    "Logs": ("log_level", "log_format", "log_file"),
}
"""How help groups the settings: every one of them stands here once."""

_METAVARS_BY_NAME = {"grpc": "HOST:PORT", "ops": "HOST:PORT", "zmq": "ENDPOINT", "zmq_watch": "ENDPOINT"}
_METAVARS = {Path: "FILE", int: "N", float: "N", str: "NAME"}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting and ``--config``; its first parameter gets the `EffectiveSettings`.

    The rest of its parameters stay options as they are, before those of the settings.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    options = [
        _parameter("config", Path, config_option()),
        *(_option(name, panel) for panel, names in PANELS.items() for name in names),
    ]
    signature = inspect.Signature([*own, *options], return_annotation=None)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        of_the_command = {parameter.name: given.pop(parameter.name) for parameter in own}
        effective: EffectiveSettings = effective_settings(given.pop("config"), **given)
        command(effective, **of_the_command)

    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    return run


def config_option() -> Any:
    """What typer is told of ``--config``."""
    return typer.Option(
        "--config", metavar="FILE", help=f"Settings from a TOML file. [default: what {CONFIG_VARIABLE} names]"
    )


def setting_option(name: str, *, panel: str | None = None) -> Any:
    """What typer is told of the option of a setting: its name, what it takes, what it means."""
    field = Settings.model_fields[name]
    kind, choices = _kind(field)
    flag = "--" + name.replace("_", "-")
    return typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        metavar="|".join(choices) or _METAVARS_BY_NAME.get(name) or _METAVARS.get(kind),
        help=f"{field.description}{_default(field)}",
        rich_help_panel=panel,
    )


def _option(name: str, panel: str) -> inspect.Parameter:
    kind, _ = _kind(Settings.model_fields[name])
    # A path travels as text: "" must not become the current folder.
    return _parameter(name, str if kind is Path else kind, setting_option(name, panel=panel))


def _parameter(name: str, kind: Any, info: Any) -> inspect.Parameter:
    annotation = Annotated[kind | None, info]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _kind(field: FieldInfo) -> tuple[Any, tuple[str, ...]]:
    """The type that a setting's option takes, and the choices if there are but a few."""
    annotation: Any = field.annotation
    if types.NoneType in get_args(annotation):
        (annotation,) = (argument for argument in get_args(annotation) if argument is not types.NoneType)
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return str, get_args(annotation)
    return annotation, ()


def _default(field: FieldInfo) -> str:
    if field.default in (None, ""):
        return ""
    if isinstance(field.default, bool):
        return f" [default: {'yes' if field.default else 'no'}]"
    shown = f"{field.default:g}" if isinstance(field.default, float) else field.default
    return f" [default: {shown}]"
