"""What a type checker makes of a program that uses the package: it is outside the checkout, and checked strictly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import REPOSITORY

PROGRAM = """
import asyncio
from pathlib import Path

from bridge.anomaly import BUNDLED_CALIBRATION, Calibration, alerts_of, replay
from bridge.client import (
    Alert, AlertsClient, AvatarConfig, Client, ClientStats, CurveKeys, Forecast, Frame, FrameSaver, SessionConfig,
    TlsFiles, connect, connect_async,
)
from bridge.figures import Animation, Drawing, animate, plot_forecast, plot_scores, storyboard
from bridge.forecaster import Forecaster, ForecastResult
from bridge.frames import Window
from bridge.recordings import BUNDLED_RECORDING, Clip, clip_frames, load_clips


def notebook() -> Drawing:
    clip: Clip = load_clips(BUNDLED_RECORDING)[0]
    frames: list[Frame] = list(clip_frames(clip, "player1"))
    forecaster = Forecaster.load(device="cpu")
    window: Window = forecaster.window(frames)
    result: ForecastResult = forecaster.forecast(window, futures=3)
    film: Animation = animate(result, window, theme="dark")
    film.save("film.gif")
    (track,) = replay(forecaster, [clip], calibration=Calibration.load(BUNDLED_CALIBRATION))
    reveal_type(alerts_of(track)[0].severity)
    plot_scores(track).savefig("scores.png")
    storyboard(result, window).savefig("strip.png")
    return plot_forecast(result, window, truth=frames)


def game(frames: list[Frame]) -> Forecast | None:
    with connect(
        "127.0.0.1:50551", config=SessionConfig(samples=8), tls=TlsFiles(ca="tls.pem"), saver=FrameSaver(every_nth=2)
    ) as client:
        sent: list[bool] = [client.send(frame) for frame in frames]
        client.configure(AvatarConfig("player1", futures=2))
        for forecast in client.forecasts(1.0):
            reveal_type(forecast.futures_m)
        stats: ClientStats = client.stats()
        print(sent, stats.latency_ms(50), client.session, client.frame_faults(), client.alerts())
        return client.latest("player1")


async def main() -> None:
    keys = CurveKeys(Path("server.key"))
    async with await connect_async("tcp://127.0.0.1:50552", curve=keys, token="t") as client:
        async for forecast in client.forecasts():
            reveal_type(forecast)


def watch() -> Alert:
    with AlertsClient("127.0.0.1:50551") as alerts:
        return next(alerts.watch(None))


asyncio.run(main())
"""
WRONG = """
from bridge.client import connect
from bridge.figures import plot_forecast
from bridge.forecaster import Forcaster

with connect("127.0.0.1:50551") as client:
    client.send("frame")
    plot_forecast(client.latest("a"), [], theme="sepia")
"""


def check(folder: Path, program: str) -> list[str]:
    """What mypy says of a program in a folder of its own, line by line."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "program.py"],
        cwd=folder,
        # This checkout and no other that may be installed; the first check reads all of it, later ones what changed.
        env=os.environ | {"MYPYPATH": str(REPOSITORY), "MYPY_CACHE_DIR": str(REPOSITORY / ".mypy_cache" / "program")},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def test_a_program_is_typed_through_and_through(tmp_path: Path) -> None:
    said = [line.split(" note: ")[-1] for line in check(tmp_path, PROGRAM) if "program.py" in line]
    severity, array, forecast = said  # and no error
    assert severity == 'Revealed type is "bridge.wire.alerts.Severity"'
    assert array.startswith('Revealed type is "numpy.ndarray[') and "numpy.dtype[numpy.floating[" in array
    assert forecast == 'Revealed type is "bridge.wire.values.Forecast"'


def test_a_wrong_program_is_told_what_is_wrong(tmp_path: Path) -> None:
    said = "\n".join(line for line in check(tmp_path, WRONG) if "program.py" in line)
    assert '"bridge.forecaster" has no attribute "Forcaster"' in said
    assert 'Argument 1 to "send" of "Client" has incompatible type "str"; expected "Frame"' in said
    assert 'Argument "theme" to "plot_forecast" has incompatible type "Literal[\'sepia\']"' in said
    assert 'Argument 1 to "plot_forecast" has incompatible type "Forecast | None"' in said
