"""Every Python example of the client's README, run in order in one namespace as in a notebook; servers are real."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from matplotlib.image import imread
from PIL import Image

import bridge.client
from bridge.config import Settings
from bridge.curve_keys import KeyPair, write_key_pair
from bridge.engine.local import LocalEngine
from bridge.service import Endpoints
from bridge.service.tokens import Scope, append_token
from tests.capture.support import model, video
from tests.service.alert_desk import HandDesk
from tests.service_fixtures import RunningServer
from tests.support import REPOSITORY, tiny_weights

_HEADING_OR_BLOCK = r"^#+ (?P<heading>.*)$|^```python(?P<needs>[^\n]*)\n(?P<code>(?:.*\n)*?)```$"
DOCUMENT = (REPOSITORY / "bridge/client/README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Example:
    """One block of code: the heading that it stands under, what it needs, and the code."""

    heading: str
    needs: str
    code: str


def examples_of(document: str) -> list[Example]:
    """The ``python`` blocks of a document in order."""
    heading = ""
    found = []
    for match in re.finditer(_HEADING_OR_BLOCK, document, re.MULTILINE):
        heading = match["heading"] or heading
        if match["code"]:
            found.append(Example(heading, match["needs"].strip(), match["code"]))
    return found


EXAMPLES = examples_of(DOCUMENT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Iterator[Endpoints]:
    """The server that most examples talk to; one alert is in its log."""
    desk = HandDesk.open(folder)
    desk.raise_alert()
    desk.hub.log.close()
    log = folder / "alerts.sqlite3"
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", alert_log=log)
    running = RunningServer(settings, engine=LocalEngine.load(threads=1))
    yield running.endpoints
    running.stop(grace_ms=0)


@pytest.fixture(scope="module")
def secured(folder: Path) -> Iterator[Endpoints]:
    """A server with TLS, CURVE and tokens, and the files that its clients have."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "tls.pem")
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "curve" / "allowed").mkdir(parents=True)
    write_key_pair(KeyPair.new(), folder / "curve/server.key", folder / "curve/server.key_secret")
    write_key_pair(KeyPair.new(), folder / "curve/allowed/studio.key", folder / "curve/studio.key_secret")
    token, _ = append_token(folder / "tokens.toml", "studio", [Scope.STREAM], None)
    (folder / "studio.token").write_text(token + "\n", encoding="utf-8")
    settings = Settings(
        ops="",
        grpc="127.0.0.1:0",
        zmq="tcp://127.0.0.1:0",
        tokens=folder / "tokens.toml",
        tls_cert=folder / "cert.pem",
        tls_key=folder / "key.pem",
        curve_secret_key=folder / "curve/server.key_secret",
        curve_allow=folder / "curve/allowed",
    )
    engine = LocalEngine.load(tiny_weights(folder), device="cpu", threads=1)
    running = RunningServer(settings, engine=engine)
    yield running.endpoints
    running.stop(grace_ms=0)


def at_free_ports(code: str, endpoints: Endpoints) -> str:
    """The code with the documented addresses replaced by those of a running server."""
    code = code.replace("tcp://127.0.0.1:50552", str(endpoints.zmq)).replace("127.0.0.1:50551", str(endpoints.grpc))
    return code.replace("localhost:50551", str(endpoints.grpc).replace("127.0.0.1", "localhost"))


def run(examples: list[Example], plain: Endpoints, secured: Endpoints | None = None) -> dict[str, Any]:
    """Run examples in order and return what they leave behind."""
    notebook: dict[str, Any] = {"__name__": "notebook"}
    for example in examples:
        endpoints = secured if secured is not None and example.heading.startswith("TLS") else plain
        code = at_free_ports(example.code, endpoints)
        exec(compile(code, f"bridge/client/README.md, {example.heading}", "exec"), notebook)
    return notebook


def test_examples_run_as_written(
    folder: Path,
    plain: Endpoints,
    secured: Endpoints,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    examples = [example for example in EXAMPLES if not example.needs]
    assert len(examples) >= 11
    notebook = run(examples, plain, secured)
    assert notebook["window"].pose_m.shape == (31, 33, 3)
    assert imread(folder / "storyboard.png").shape[1] == 1950
    with Image.open(folder / "forecast.gif") as film:
        assert getattr(film, "n_frames", 1) > 30
    assert notebook["pose_m"].shape == (33, 3) and np.isfinite(notebook["pose_m"]).all()
    assert notebook["forecast"].futures_m.shape == (5, 30, 33, 3)
    assert notebook["stats"].frames_saved > 0
    assert notebook["alert"].acknowledged_by == "Ada" and notebook["snapshot"] is not None
    assert notebook["client"].stats().sessions == 1
    printed = capsys.readouterr().out
    assert "frame.landmarks | has shape (17, 4) | (33, 4): x, y, z, visibility" in printed
    assert "'my-game', connected: 0 frames sent" in printed
    assert len(re.findall(r"^player1 frame \d+: \d+%$", printed, re.MULTILINE)) >= 3
    assert len(re.findall(r"^Forecast\('player1' from frame \d+: 5 futures of 30 steps", printed, re.MULTILINE)) >= 3


def test_a_real_result_of_mediapipe_becomes_frames_and_a_forecast(
    folder: Path, plain: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(video(), folder / "video.mp4")
    shutil.copy(model("full"), folder / "pose_landmarker_full.task")
    monkeypatch.chdir(folder)
    (example,) = (example for example in EXAMPLES if example.needs == "needs-mediapipe")
    notebook = run([EXAMPLES[0], example], plain)
    tracked, seen = notebook["tracked"], notebook["tracked"][50].landmarks
    # One person who walks, found in every one of 100 pictures at 60 Hz; what capture makes of the last is the same.
    assert len(tracked) == 100 and all(frame.landmarks.shape == (33, 4) for frame in tracked)
    assert tracked[60].timestamp_us == 1_000_001
    assert seen.dtype == np.float32 and abs(seen[23:25, :3].mean(axis=0)).max() < 1e-3
    assert seen[0, 1] < seen[23, 1] < seen[29, 1]  # nose, hip, heel: y is down


def test_what_needs_something_is_known() -> None:
    assert {example.needs for example in EXAMPLES} == {"", "needs-mediapipe"}


def test_every_documented_name_exists_and_every_name_of_the_client_is_documented() -> None:
    names = DOCUMENT.split("## Names", 1)[1]
    for row in re.findall(r"^\| `(bridge\.\w+)` \| (.*) \|$", names, re.M):
        module = __import__(row[0], fromlist=["_"])
        told = [name for name in re.findall(r"`(\w+)`", row[1]) if name not in ("load", "window", "forecast")]
        assert told and all(hasattr(module, name) for name in told), row
        if row[0] == "bridge.client":
            assert sorted(told) == sorted(bridge.client.__all__)


def test_a_block_without_its_end_or_in_another_language_is_no_example() -> None:
    text = "# A\n```sh\nls\n```\n## B\n```python needs-x\nprint(1)\n```\n"
    assert examples_of(text) == [Example("B", "needs-x", "print(1)\n")]
