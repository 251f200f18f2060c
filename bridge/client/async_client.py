"""The client for programs that run on asyncio: the same session, the same names, awaited where the other waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self

from bridge.client.client import named_config
from bridge.client.link import Link
from bridge.client.pinger import monotonic_us
from bridge.client.saver import FrameSaver
from bridge.client.security import Credentials, CurveKeys, TlsFiles
from bridge.client.stats import ClientStats
from bridge.errors import DeadlineExceeded
from bridge.frames import Frame
from bridge.wire.alerts import Alert
from bridge.wire.values import AvatarConfig, Forecast, FrameFault, ModelInfo, SessionAccepted, SessionConfig


class AsyncClient:
    """A session with a PoseBridge server; see `bridge.client.Client`, which it matches method for method.

    `send`, `latest`, `frame_faults`, `alerts` and `stats` never wait and are plain methods. Make it inside the event
    loop that uses it.
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
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._closed = False
        self._core.on_change = self._note_change
        self._link.start()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        """Where it leads and how it stands, in one line."""
        return f"AsyncClient({self._link})"

    @property
    def address(self) -> str:
        """Where the server is."""
        return str(self._link.address)

    @property
    def session(self) -> SessionAccepted | None:
        """The settings in force, as the server accepted them last; None before that."""
        return self._core.accepted

    async def wait_connected(self, timeout_s: float = 10.0) -> SessionAccepted:
        """Wait until the server accepted the session; see `bridge.client.Client.wait_connected`."""
        return await asyncio.to_thread(self._core.wait_connected, timeout_s)

    def send(self, frame: Frame) -> bool:
        """Hand a frame over; never waits. See `bridge.client.Client.send`."""
        return self._core.send(frame)

    def configure(self, config: AvatarConfig) -> None:
        """Give one avatar settings of its own; never waits. See `bridge.client.Client.configure`."""
        self._core.configure(config)

    def latest(self, avatar_id: str) -> Forecast | None:
        """Return the newest forecast of an avatar, None before the first; never waits."""
        return self._core.latest(avatar_id)

    async def forecasts(self, timeout_s: float | None = None) -> AsyncIterator[Forecast]:
        """Yield forecasts as they come, until `close`; see `bridge.client.Client.forecasts`."""
        while not self._closed:
            self._changed.clear()
            forecast = self._core.take_forecast()
            if forecast is not None:
                yield forecast
                continue
            try:
                await asyncio.wait_for(self._changed.wait(), timeout_s)
            except TimeoutError:
                raise DeadlineExceeded(f"no forecast within {timeout_s} s") from None

    def frame_faults(self) -> Sequence[FrameFault]:
        """Return the frames that the server did not use since the last call, and why; never waits."""
        return self._core.take_faults()

    def alerts(self) -> Sequence[Alert]:
        """Return what changed about alerts since the last call; never waits. See `bridge.client.Client.alerts`."""
        return self._core.take_alerts()

    async def forecast(self, frames: Sequence[Frame], timeout_s: float = 10.0) -> Forecast:
        """Ask for one forecast from a window of frames; see `bridge.client.Client.forecast`."""
        return await asyncio.to_thread(self._link.forecast, list(frames), timeout_s)

    async def model_info(self, timeout_s: float = 10.0) -> ModelInfo:
        """Ask what the server runs; see `bridge.client.Client.model_info`."""
        return await asyncio.to_thread(self._link.model_info, timeout_s)

    def stats(self) -> ClientStats:
        """Return counters and latencies."""
        return self._core.stats()

    async def close(self) -> None:
        """End the session. Loops over `forecasts` end; may be called again."""
        self._closed = True
        self._changed.set()
        await asyncio.to_thread(self._link.close)

    def _note_change(self) -> None:
        # The loop may be gone before the client's thread is: there is then nobody to tell.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)


async def connect_async(
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
) -> AsyncClient:
    """Open a session and wait until the server accepted it; see `bridge.client.connect`."""
    config = named_config(config, client_name)
    client = AsyncClient(address, config, token=token, tls=tls, curve=curve, clock_us=clock_us, saver=saver)
    try:
        await client.wait_connected(timeout_s)
    except BaseException:
        await client.close()
        raise
    return client
