"""A headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from matplotlib.image import imread
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.support import skip_or_fail

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--mute-audio",
    "--lang=en-US",
)
_START_S = 30.0
_ANSWER_S = 30.0


class Tab:
    """One page of the browser."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result; what happens meanwhile is noted."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        deadline_s = time.monotonic() + _ANSWER_S
        while True:
            message = json.loads(self._connection.recv(timeout=max(0.1, deadline_s - time.monotonic())))
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def value_of(self, expression: str) -> Any:
        """What a JavaScript expression gives; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, *, patience_s: float = 30.0) -> None:
        """Wait until a JavaScript expression is true."""
        deadline_s = time.monotonic() + patience_s
        while not self.value_of(expression):
            assert time.monotonic() < deadline_s, f"waited in vain for {expression}; {self.complaints}"
            time.sleep(0.1)

    def press(self, label: str) -> None:
        """Press the button, or the part of a group of buttons, with this label."""
        self._click(
            f"""[...document.querySelectorAll('button')].find(
                button => button.innerText.trim() === {json.dumps(label)})"""
        )

    def _click(self, element: str) -> None:
        """Click on what a JavaScript expression gives, as a mouse does."""
        place = self.value_of(
            f"""(() => {{ const wanted = {element}; if (!wanted) return null;
                wanted.scrollIntoView({{block: 'nearest'}}); const box = wanted.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
        )
        assert place, f"nothing to click on: {element}"
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            pressed: dict[str, Any] = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **pressed)

    def tick(self, label: str) -> None:
        """Set or clear the check box with this label."""
        self._click(
            f"""[...document.querySelectorAll('label')].filter(label => label.innerText.trim() === {json.dumps(label)})
                .map(label => document.getElementById(label.htmlFor)).find(box => box && box.type === 'checkbox')"""
        )

    def text(self) -> str:
        return str(self.value_of("document.body.innerText"))

    def frames_per_second(self) -> float:
        """How often the browser draws, over one second."""
        script = """new Promise(done => { let frames = 0; const begun = performance.now();
            const count = () => { frames += 1; const passed = performance.now() - begun;
            passed < 1000 ? requestAnimationFrame(count) : done(frames * 1000 / passed); };
            requestAnimationFrame(count); })"""
        return float(self.value_of(script))

    def png(self, clip: dict[str, float] | None = None) -> bytes:
        params: dict[str, Any] = {"format": "png"} if clip is None else {"format": "png", "clip": {**clip, "scale": 1}}
        return base64.b64decode(self.call("Page.captureScreenshot", **params)["data"])

    def pixels(self, clip: dict[str, float] | None = None) -> np.ndarray:
        """The page, or a part of it, as (height, width, 3) of 0 to 1."""
        return np.asarray(imread(io.BytesIO(self.png(clip)), format="png"))[..., :3]

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(json.dumps(params["args"])[:500])
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(json.dumps(params["entry"])[:500])


@contextmanager
def open_tab(folder: Path, *, width: int = 1280, height: int = 720) -> Iterator[Tab]:
    """Start a browser with one empty page, end it afterwards; skips where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        skip_or_fail("chromium is not installed")
    profile = folder / "profile"
    environment = {**os.environ, "LANG": "en_US.UTF-8", "HOME": str(folder)}
    command = [found, *OPTIONS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        port = _port(profile / "DevToolsActivePort", process, folder / "browser.log")
        pages = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
        page = next(entry for entry in pages if entry["type"] == "page")
        with connect(page["webSocketDebuggerUrl"], max_size=None, compression=None, proxy=None) as connection:
            tab = Tab(connection)
            tab.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
            )
            yield tab
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(file: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    deadline_s = time.monotonic() + _START_S
    while True:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) >= 2:
            return int(lines[0])
        assert process.poll() is None and time.monotonic() < deadline_s, log.read_text(errors="replace")[-2000:]
        time.sleep(0.05)
