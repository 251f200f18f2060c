"""Who can reach an address, and what a server asks for before it listens where others can."""

from __future__ import annotations

import ipaddress

import structlog

from bridge.errors import InvalidInput

_log = structlog.get_logger(__name__)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address: 127.0.0.0/8, ::1, localhost or ``ipc://PATH``.

    ``address`` is ``HOST:PORT``, ``tcp://HOST:PORT`` or ``ipc://PATH``. A name other than localhost is not looked up:
    it may be another one's tomorrow.

    >>> is_loopback("127.0.0.1:50551"), is_loopback("tcp://[::1]:50552"), is_loopback("0.0.0.0:50551")
    (True, True, False)
    """
    scheme, _, rest = address.rpartition("://")
    if scheme == "ipc":
        return True
    host = rest.rpartition(":")[0].strip("[]")
    if host.lower() == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_loopback


def require_protected(address: str, *, field: str, protected: bool, protection: str, insecure: bool) -> None:
    """Check that an address others can reach is encrypted, or that its openness was asked for: then log a warning.

    Args:
        address: as `is_loopback` takes it.
        field: the setting that it comes from.
        protected: whether it is encrypted.
        protection: what would be right, for the error, for example ``"tls_cert and tls_key"``.
        insecure: whether the settings allow it open.

    Raises:
        InvalidInput: if it is neither.
    """
    if protected or is_loopback(address):
        return
    if not insecure:
        raise InvalidInput(
            f"{address} can be reached from other machines and nothing encrypts it",
            field=field,
            expected=f"{protection}, or a loopback address, or `insecure` for a network that you trust",
        )
    _log.warning("listening_without_encryption", setting=field, address=address, expected=protection)


def warn_if_anyone_may_connect(address: str, *, field: str, authenticated: bool) -> None:
    """Log a warning if others can reach an address and it asks nobody who they are."""
    if not authenticated and not is_loopback(address):
        _log.warning(
            "anyone_may_connect", setting=field, address=address, expected="tokens, or certificates or keys of clients"
        )
