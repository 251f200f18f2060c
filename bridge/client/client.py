"""The client for programs with threads: every method but the waiting ones returns at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from bridge.client.link import Link
from bridge.client.pinger import monotonic_us
from bridge.client.saver import FrameSaver
from bridge.client.security import Credentials, CurveKeys, TlsFiles
from bridge.client.stats import ClientStats
from bridge.frames import Frame
from bridge.wire.alerts import Alert
from bridge.wire.values import AvatarConfig, Forecast, FrameFault, ModelInfo, SessionAccepted, SessionConfig


class Client:
    """A session with a PoseBridge server, over gRPC or ZeroMQ; kept up across server restarts.

    It connects on a thread of its own. When the connection is lost it comes back with growing waits (0.1 to 2 s, or as
    the server asks) and sends the last 1.5 s of every avatar again, so forecasts go on at once; the caller need not do
    anything. Use it in a ``with`` statement, or call `close`.

    All methods may be called from any thread.
    """

    def __init__(
        self,
        address: str,
        config: SessionConfig | None = None,
        *,
        token: str | None = None,
        tls: TlsFiles | None = None,
        curve: CurveKeys | None = None,
        clock_us: Callable[[], int] = monotonic_us,
        saver: FrameSaver | None = None,
    ) -> None:
        credentials = Credentials(token, tls, curve)
        self._link = Link(address, config or SessionConfig(), credentials, clock_us=clock_us, saver=saver)
        self._core = self._link.core
        self._link.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Where it leads and how it stands, in one line."""
        return f"Client({self._link})"

    @property
    def address(self) -> str:
        """Where the server is."""
        return str(self._link.address)

    @property
    def session(self) -> SessionAccepted | None:
        """The settings in force, as the server accepted them last; None before that."""
        return self._core.accepted

    def wait_connected(self, timeout_s: float = 10.0) -> SessionAccepted:
        """Wait until the server accepted the session and return the settings in force.

        Raises:
            VersionMismatch, NotFound, InvalidInput: if the server refuses the settings.
            Unauthenticated, PermissionDenied: if it refuses the client.
            Unavailable: if there is no session in time; says what the last attempt met.
            FailedPrecondition: after `close`.
        """
        return self._core.wait_connected(timeout_s)

    def send(self, frame: Frame) -> bool:
        """Hand a frame over; never waits. With no connection, or one too slow, newer frames replace older ones.

        Returns:
            False if the frame is left out to save bandwidth (``saver`` of `connect`), else True.

        Raises:
            InvalidInput: if the frame is wrong; ``field`` says where.
            FailedPrecondition: after `close`.
            VersionMismatch, NotFound, InvalidInput: if the server refused the session.
        """
        return self._core.send(frame)

    def configure(self, config: AvatarConfig) -> None:
        """Give one avatar a rate, horizon, samples, futures, encoding or deadline of its own; never waits.

        May be called before its first frame and any time after; replaces what was given before. It holds after a
        reconnect too.

        Raises:
            InvalidInput: if a field is wrong; ``field`` says which, as ``avatar_config.<name>``.
            FailedPrecondition: after `close`.
        """
        self._core.configure(config)

    def latest(self, avatar_id: str) -> Forecast | None:
        """Return the newest forecast of an avatar, None before the first; never waits."""
        return self._core.latest(avatar_id)

    def forecasts(self, timeout_s: float | None = None) -> Iterator[Forecast]:
        """Yield forecasts as they come, until `close`. Who reads slowly gets the newest of every avatar.

        Each forecast goes to one reader. ``timeout_s`` limits the wait for the next one; None waits for ever.

        Raises:
            DeadlineExceeded: if none comes in time.
            VersionMismatch, NotFound, InvalidInput: if the server refused the session.
        """
        while (forecast := self._core.next_forecast(timeout_s)) is not None:
            yield forecast

    def frame_faults(self) -> Sequence[FrameFault]:
        """Return the frames that the server did not use since the last call (the newest 256), and why; never waits."""
        return self._core.take_faults()

    def alerts(self) -> Sequence[Alert]:
        """Return what changed about alerts of this session's avatars since the last call, oldest first; never waits.

        Each change comes once (at most the newest 1024 are kept). For those of other sessions, and for what was missed
        while there was no connection, see `bridge.client.AlertsClient`.
        """
        return self._core.take_alerts()

    def forecast(self, frames: Sequence[Frame], timeout_s: float = 10.0) -> Forecast:
        """Ask for one forecast from a window of frames of one avatar, oldest first, beside the session; waits.

        Raises:
            FailedPrecondition: if the frames do not make a full window.
            InvalidInput, NotFound, VersionMismatch: if a frame or the settings are wrong.
            Unavailable, DeadlineExceeded: if no answer comes.
        """
        return self._link.forecast(list(frames), timeout_s)

    def model_info(self, timeout_s: float = 10.0) -> ModelInfo:
        """Ask what the server runs; waits.

        Raises:
            VersionMismatch: if the server speaks another version.
            Unavailable, DeadlineExceeded: if no answer comes.
        """
        return self._link.model_info(timeout_s)

    def stats(self) -> ClientStats:
        """Return counters and latencies."""
        return self._core.stats()

    def close(self) -> None:
        """End the session. Loops over `forecasts` end; may be called again."""
        self._link.close()


def connect(
    address: str,
    *,
    client_name: str | None = None,
    config: SessionConfig | None = None,
    timeout_s: float = 10.0,
    token: str | None = None,
    tls: TlsFiles | None = None,
    curve: CurveKeys | None = None,
    clock_us: Callable[[], int] = monotonic_us,
    saver: FrameSaver | None = None,
) -> Client:
    """Open a session and wait until the server accepted it.

    To go on without waiting for a server that may not be there yet, make a `Client` instead.

    Args:
        address: ``HOST:PORT`` or ``grpc://HOST:PORT`` for gRPC, ``tcp://HOST:PORT`` or ``ipc://PATH`` for ZeroMQ.
        client_name: replaces the config's.
        config: what the session asks for; defaults to 1 s ahead, 32 samples, 5 futures.
        timeout_s: longest wait.
        token: shown to a server that asks for one.
        tls: for gRPC over TLS; ``TlsFiles()`` trusts what the system trusts.
        curve: for ZeroMQ over CURVE.
        clock_us: microseconds, of the clock that frames are stamped with, for `ClientStats.clock_offset_us`; by default
            that of `time.monotonic`.
        saver: leaves out frames that the forecast tells, to save bandwidth.

    Raises:
        InvalidInput: if the address is none, or the token or a file cannot be used.
        NotFound: if a file does not exist.
        BridgeError: as `Client.wait_connected`.
    """
    config = named_config(config, client_name)
    client = Client(address, config, token=token, tls=tls, curve=curve, clock_us=clock_us, saver=saver)
    try:
        client.wait_connected(timeout_s)
    except BaseException:
        client.close()
        raise
    return client


def named_config(config: SessionConfig | None, client_name: str | None) -> SessionConfig:
    """Return the config (or the default one) under this name, if one is given."""
    config = config or SessionConfig()
    return config if client_name is None else replace(config, client_name=client_name)
