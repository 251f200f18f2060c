"""The whole way and back: a server of its own in a child process, forecasts over both transports."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from bridge.cli.checks.finding import Finding, hint, ok, problem, problem_of
from bridge.cli.checks.plugin import check_handshake
from bridge.cli.child_server import child_server
from bridge.client import TransportKind, connect
from bridge.errors import BridgeError
from bridge.frames import Frame
from bridge.skeleton import Layout
from bridge.wire.values import SessionConfig

_AVATAR = "doctor"
_ANSWER_TIMEOUT_S = 20.0
_BODY_M = 0.4
_TRIES = 3
_SLOW_MS = 1e3 / 30


def check_loopback(
    *,
    weights: Path | None,
    layout: Layout,
    device: str,
    threads: int | None,
    library: str | None = None,
) -> Iterator[Finding]:
    """Start a server (free ports, alerts in a temporary folder, no settings from the environment) and yield findings.

    One for its start, one for each transport, and with a plugin library one for its handshake.
    """
    begin_s = time.monotonic()
    try:
        with child_server(weights=weights, device=device, threads=threads, with_environment=False) as server:
            yield ok("loopback.server", f"listened after {time.monotonic() - begin_s:.1f} s")
            yield round_trip(TransportKind.GRPC, server.grpc, layout)
            yield round_trip(TransportKind.ZMQ, server.zmq, layout)
            if library is not None:
                yield check_handshake(library, server.zmq)
    except BridgeError as error:
        yield problem_of("loopback.server", error, "mend what is named; pose-bridge serve says more")


def round_trip(transport: TransportKind, address: str, layout: Layout) -> Finding:
    """Ask a server for a forecast over a transport, three times, and say how long that took in the median."""
    name = f"loopback.{transport.value}"
    config = SessionConfig(client_name="doctor", layout_id=layout.id)
    try:
        with connect(address, config=config, timeout_s=_ANSWER_TIMEOUT_S) as client:
            info = client.model_info(_ANSWER_TIMEOUT_S)
            frames = standing_frames(layout, info.context_frames, info.rate_hz)
            latencies_ms, computes_ms = [], []
            for _ in range(_TRIES):
                begin_s = time.monotonic()
                forecast = client.forecast(frames, _ANSWER_TIMEOUT_S)
                latencies_ms.append(1e3 * (time.monotonic() - begin_s))
                computes_ms.append(forecast.timing.compute_us / 1e3)
    except BridgeError as error:
        advice = "nothing else may be between a client and the loopback: look for a firewall or a proxy (no_proxy)"
        return problem_of(name, error, advice)
    latency_ms, compute_ms = median(latencies_ms), median(computes_ms)
    count, steps = forecast.futures_m.shape[:2]
    detail = f"{count} futures of {steps} steps in {latency_ms:.0f} ms, {compute_ms:.0f} ms of them to compute"
    if not np.isfinite(forecast.futures_m).all() or abs(float(forecast.probabilities.sum()) - 1.0) > 1e-3:
        return problem(name, f"{detail}, but they are no numbers", "use --device cpu; these weights or this GPU fail")
    if compute_ms > _SLOW_MS:
        return hint(
            name,
            detail,
            "slower than 30 a second: ask for fewer samples or a lower forecast rate, or use a GPU; "
            "pose-bridge bench rollout measures it",
        )
    return ok(name, detail)


def standing_frames(layout: Layout, context_frames: int, rate_hz: float) -> list[Frame]:
    """Frames of a body that sways a little, enough for one window."""
    frames = []
    for row in range(context_frames + 1):
        landmarks = np.concatenate([_BODY_M * layout.template, np.ones((layout.joints, 1), np.float32)], axis=1)
        landmarks[:, 0] += 0.02 * np.sin(row / 5.0) * landmarks[:, 1]
        frames.append(Frame(_AVATAR, row, 1 + round(row * 1e6 / rate_hz), landmarks.astype(np.float32)))
    return frames
