"""What protects a server: who may connect, what encrypts, and that nothing lies open by mistake."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from bridge.config import Settings
from bridge.service.access import AccessControl
from bridge.service.curve import CurveServer
from bridge.service.exposure import require_protected, warn_if_anyone_may_connect
from bridge.service.tls import server_credentials
from bridge.service.watch import require_watchers_known


@dataclass(frozen=True, slots=True)
class Protection:
    """Tokens, TLS and CURVE as the settings ask for them; None where there is none."""

    access: AccessControl
    credentials: grpc.ServerCredentials | None
    curve: CurveServer | None

    @classmethod
    def load(cls, settings: Settings) -> Protection:
        """Read tokens, certificates and keys, and check that every address which others can reach is encrypted.

        Raises:
            NotFound, InvalidInput: if a file is missing or wrong, or an address is open; names the setting.
        """
        access = AccessControl.load(settings.tokens)
        credentials = curve = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            credentials = server_credentials(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        if settings.curve_secret_key is not None:
            curve = CurveServer.load(settings.curve_secret_key, settings.curve_allow)
        if settings.zmq_watch:
            require_watchers_known(tokens=access.required, curve=curve)
        clients_prove = settings.tls_client_ca is not None
        keys_listed = curve is not None and curve.allowed is not None
        for field, address, encrypted, protection, proven in (
            ("grpc", settings.grpc, credentials is not None, "tls_cert and tls_key", access.required or clients_prove),
            ("zmq", settings.zmq, curve is not None, "curve_secret_key", access.required or keys_listed),
            ("zmq_watch", settings.zmq_watch, curve is not None, "curve_secret_key", keys_listed),
        ):
            if address:
                require_protected(
                    address, field=field, protected=encrypted, protection=protection, insecure=settings.insecure
                )
                warn_if_anyone_may_connect(address, field=field, authenticated=proven)
        return cls(access, credentials, curve)
