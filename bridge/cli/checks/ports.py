"""The addresses to listen on: free, or who answers there."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from bridge.cli.checks.finding import Finding, hint, ok, problem
from bridge.errors import BridgeError, PermissionDenied, ResourceExhausted, Unauthenticated, VersionMismatch

_ANSWER_TIMEOUT_S = 2.0
_ANYWHERE = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_LISTENING = "0A"


def check_port(setting: str, address: str) -> Finding:
    """Whether a server could listen on an address of the settings (``grpc``, ``zmq``, ``zmq_watch`` or ``ops``).

    ``address`` is ``HOST:PORT``, ``tcp://HOST:PORT`` or ``ipc://PATH``; empty where the setting is switched off. Taken
    by a PoseBridge server is a hint, taken by anything else a problem.
    """
    name = f"port.{setting}"
    if not address:
        return ok(name, "switched off")
    if address.startswith("ipc://"):
        return _check_ipc(name, setting, address)
    host, _, port_text = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    if port_text in ("0", "*"):
        return ok(name, f"{address}: any free port")
    port = int(port_text)
    error = bind_error(host, port)
    if error is None:
        return ok(name, f"{address} is free")
    if error.errno == errno.EADDRINUSE:
        return _taken(name, setting, address, f"{_reachable(host)}:{port}", owner_of(port))
    if error.errno == errno.EACCES:
        return problem(name, f"{address}: permission denied", f"set --{setting} to a port above 1023")
    return problem(name, f"{address}: {error.strerror or error}", f"set --{setting} to an address of this machine")


def bind_error(host: str, port: int) -> OSError | None:
    """Listen for a moment; what the system said if that failed."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            "0.0.0.0" if host in ("*", "") else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # connections that have just ended do not hold the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen(1)
    except OSError as error:
        return error
    return None


def owner_of(port: int) -> str:
    """``NAME (process N)`` of who listens on a TCP port, as far as Linux tells us; else empty."""
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
        except OSError:
            continue
        inodes |= {f"socket:[{row[9]}]" for row in rows if row[3] == _LISTENING and int(row[1][-4:], 16) == port}
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(descriptor) in inodes for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})"
        except OSError:  # ended meanwhile, or not ours to look into
            continue
    return ""


def who_answers(setting: str, address: str) -> str:
    """What a PoseBridge server at ``HOST:PORT`` or an endpoint says of itself; empty if it is none, or stays silent."""
    if setting == "ops":
        return _ops_answer(address)
    if setting == "zmq_watch":
        return ""  # it only speaks when there is something to say
    from bridge.client import connect

    endpoint = address if "://" in address or setting == "grpc" else f"tcp://{address}"
    try:
        with connect(endpoint, client_name="doctor", timeout_s=_ANSWER_TIMEOUT_S) as client:
            info = client.model_info(_ANSWER_TIMEOUT_S)
            return f"a PoseBridge {info.server_version} server, {info.layout_id} on {info.device}"
    except (Unauthenticated, PermissionDenied, ResourceExhausted, VersionMismatch) as error:
        return f"a PoseBridge server, which says: {error}"
    except BridgeError:
        return ""


def _ops_answer(address: str) -> str:
    import httpx

    try:
        page = httpx.get(f"http://{address}/metrics", timeout=_ANSWER_TIMEOUT_S, trust_env=False)
    except httpx.HTTPError:
        return ""
    return "the ops page of a PoseBridge server" if "posebridge_ready" in page.text else ""


def _taken(name: str, setting: str, address: str, reachable: str, owner: str) -> Finding:
    by = f", by {owner}" if owner else ""
    answer = who_answers(setting, reachable)
    elsewhere = f"another address with --{setting}"
    if answer:
        return hint(name, f"{address} is taken{by}: {answer}", f"use that server, or stop it, or serve on {elsewhere}")
    return problem(name, f"{address} is taken{by}: no PoseBridge server answers", f"stop it, or serve on {elsewhere}")


def _reachable(host: str) -> str:
    host = _ANYWHERE.get(host, host)
    return f"[{host}]" if ":" in host else host


def _check_ipc(name: str, setting: str, address: str) -> Finding:
    path = Path(address.removeprefix("ipc://"))
    if not path.parent.is_dir():
        return problem(name, f"{address}: there is no folder {path.parent}", f"make it, or set --{setting}")
    if not path.exists():
        return ok(name, f"{address} is free")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except OSError:
            return ok(name, f"{address} is free: what is there is left over, nobody listens")
    return _taken(name, setting, address, address, "")
