"""What proto/README.md shows is run: commands, programs in other languages, and its table of errors."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format

from bridge.errors import ErrorKind
from bridge.service import Endpoints
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from tests.service_fixtures import GrpcClient, command_environment, wait_until
from tests.support import REPOSITORY, free_port, skip_or_fail

DOCUMENT = REPOSITORY / "proto" / "README.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
NODE_PACKAGES = REPOSITORY / "tests" / "integration" / "node" / "node_modules"
RIGHT_WRIST = 16


def section(title: str) -> str:
    return re.split(r"\n## ", TEXT.split(f"\n## {title}\n", 1)[1], maxsplit=1)[0]


def fences(title: str, language: str) -> list[str]:
    """The code blocks of a section."""
    return re.findall(rf"```{language}\n(.*?)```", section(title), flags=re.DOTALL)


def require(*names: str) -> None:
    for name in names:
        if shutil.which(name, path=search_path()) is None:
            skip_or_fail(f"{name} is not installed")


def search_path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


@dataclass(frozen=True)
class Workplace:
    """A folder like the top of the source, and a server's ports in place of the document's."""

    folder: Path
    grpc_port: int
    zmq_port: int
    ops_port: int

    @classmethod
    def at(cls, folder: Path) -> Workplace:
        (folder / "proto").symlink_to(REPOSITORY / "proto")
        (folder / "bridge").symlink_to(REPOSITORY / "bridge")
        return cls(folder, free_port(), free_port(), free_port())

    def local(self, text: str) -> str:
        return text.replace("50551", str(self.grpc_port)).replace("50552", str(self.zmq_port))

    @property
    def environment(self) -> dict[str, str]:
        # The document's server listens where it does by default, and keeps its alerts at home.
        return command_environment() | {
            "PATH": search_path(),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "POSE_BRIDGE_GRPC": f"127.0.0.1:{self.grpc_port}",
            "POSE_BRIDGE_ZMQ": f"tcp://127.0.0.1:{self.zmq_port}",
            "POSE_BRIDGE_OPS": f"127.0.0.1:{self.ops_port}",
            "POSE_BRIDGE_THREADS": "1",
        }

    def shell(self, commands: str) -> str:
        """Run commands as they stand and return all that they say."""
        ours = f'pose-bridge() {{ "{sys.executable}" -m bridge.cli "$@"; }}\npython() {{ "{sys.executable}" "$@"; }}\n'
        done = subprocess.run(
            ["bash", "-c", f"set -eo pipefail\n{ours}{self.local(commands)}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def node(self, program: str) -> list[tuple[int, list[float], list[float]]]:
        """Run a program and return what it printed: frame, probabilities and the wrist's place in metres."""
        require("node")
        if not all((NODE_PACKAGES / name).is_dir() for name in ("@grpc", "protobufjs", "zeromq")):
            skip_or_fail(f"run `npm ci --ignore-scripts` in {NODE_PACKAGES.parent.relative_to(REPOSITORY)} first")
        if not (self.folder / "node_modules").exists():
            (self.folder / "node_modules").symlink_to(NODE_PACKAGES)
        (self.folder / "client.mjs").write_text(self.local(program), encoding="utf-8")
        lines = self.shell("node client.mjs").splitlines()
        found = [re.fullmatch(r"frame (\d+): ([\d.,]+); right wrist at ([-\d.,]+) m", line) for line in lines]
        assert all(found), lines
        return [(int(one[1]), numbers(one[2]), numbers(one[3])) for one in found if one is not None]

    @contextmanager
    def serving(self, command: str) -> Iterator[None]:
        """The server that a command of the document starts, until the block is left."""
        assert command.startswith("pose-bridge serve")
        words = command.replace("pose-bridge", f'exec "{sys.executable}" -m bridge.cli', 1)
        ready = self.folder / "ready.json"
        with (self.folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                ["bash", "-c", f"{words.rstrip()} --ready-file '{ready}'"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )

        def is_ready() -> bool:
            assert server.poll() is None, (self.folder / "server.log").read_text(encoding="utf-8")
            return ready.exists()

        try:
            wait_until(is_ready, patience_s=60.0)
            yield
        finally:
            server.terminate()
            assert server.wait(30) == 0


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def probabilities_in(said: str) -> list[list[float]]:
    """Every line that is a list of numbers; each must be shares of one whole."""
    found = [json.loads(line) for line in said.splitlines() if re.fullmatch(r"\[[\d.,]+\]", line)]
    for shares in found:
        assert len(shares) == 5 and sum(shares) == pytest.approx(1.0, abs=1e-5)
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The first terminal of the document, and the frames that its examples send."""
    workplace = Workplace.at(tmp_path_factory.mktemp("document"))
    serve, _, export, *_ = fences("Try it with grpcurl", "sh")
    with workplace.serving(serve):
        workplace.shell(export.splitlines()[0])
        yield workplace


def test_grpcurl_lists_describes_and_asks_what_is_served(served: Workplace) -> None:
    require("grpcurl")
    said = served.shell(fences("Try it with grpcurl", "sh")[1])
    for expected in ("posebridge.v1.AnomalyService", "message PoseFrame {", "mediapipe.pose.33", '"status": "SERVING"'):
        assert expected in said


def test_grpcurl_streams_an_exported_recording(served: Workplace) -> None:
    require("grpcurl", "jq")
    _, _, at_once, paced, *_ = fences("Try it with grpcurl", "sh")
    said = served.shell(at_once)
    assert '"layoutId": "mediapipe.pose.33"' in said
    piled_up = probabilities_in(said)
    assert 1 <= len(piled_up) < 60
    in_time = probabilities_in(served.shell(paced))
    assert len(in_time) > 20  # of 91 frames, of which 53 end a full window


def test_two_tools_get_the_same_forecast_of_a_window(served: Workplace) -> None:
    require("grpcurl", "jq", "buf")
    first, second = probabilities_in(served.shell(fences("Try it with grpcurl", "sh")[4]))
    assert first == second


def test_grpcurl_is_told_which_field_is_wrong(served: Workplace) -> None:
    require("grpcurl")
    said = served.shell(fences("Try it with grpcurl", "sh")[5])
    assert "config.layout_id: no layout 'martian'; expected one of: mediapipe.pose.33" in said
    assert said.splitlines()[-1] == "exit code 69"  # 64 and the status NOT_FOUND


@pytest.mark.parametrize("title", ["Node over gRPC", "Node over ZeroMQ"])
def test_node_reads_what_the_server_forecasts(served: Workplace, title: str) -> None:
    (program,) = fences(title, "js")
    assert len(program.splitlines()) <= 40
    told = served.node(program)
    assert len(told) > 20
    assert [frame for frame, _, _ in told] == sorted({frame for frame, _, _ in told})
    frame, probabilities, wrist_m = told[-1]
    expected = forecast_from_window_before(served, frame)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=0.006)
    futures_m = np.frombuffer(expected.futures.data, "<f4").reshape(expected.futures.shape)
    np.testing.assert_allclose(wrist_m, futures_m[0, -1, RIGHT_WRIST], atol=0.0006)


def forecast_from_window_before(served: Workplace, newest: int) -> forecast_pb2.PoseForecast:
    """What the server answers, asked once, about the window that ends with this frame of the export."""
    lines = (served.folder / "frames.jsonl").read_text(encoding="utf-8").splitlines()
    messages = [json_format.Parse(line, forecast_pb2.StreamForecastsRequest()) for line in lines]
    client = GrpcClient(Endpoints(grpc=f"127.0.0.1:{served.grpc_port}"))
    try:
        frames = [message.frame for message in messages[1 : newest + 2]]
        return client.forecast(forecast_pb2.ForecastRequest(config=messages[0].config, frames=frames)).forecast
    finally:
        client.close()


def test_tls_and_a_token_as_shown(tmp_path: Path) -> None:
    require("grpcurl", "jq", "buf", "openssl")
    workplace = Workplace.at(tmp_path)
    first, second = fences("With TLS and a token", "sh")
    preparation, serve = first.rstrip().rsplit("\n", 1)
    workplace.shell(preparation)
    workplace.shell(fences("Try it with grpcurl", "sh")[2].splitlines()[0])
    with workplace.serving(serve):
        said = workplace.shell(second)
        assert "posebridge.v1.ForecastService" in said and '"cpu"' in said
        assert len(probabilities_in(said)) >= 1
        without = re.sub(r'-H "authorization[^"]*"', "", second.split("\n", 1)[1])
        with pytest.raises(AssertionError, match="Unauthenticated"):
            workplace.shell(without)


def test_generated_code_reads_the_vectors(tmp_path: Path) -> None:
    require("protoc", "buf", "grpcurl")
    workplace = Workplace.at(tmp_path)
    python, others = fences("Generated code", "sh")
    workplace.shell(python)
    said = workplace.shell(others)
    assert "message Tensor {" in said
    assert (tmp_path / "generated/posebridge/v1/forecast.pb.cc").exists() and (
        tmp_path / "generated/Forecast.cs"
    ).exists()
    (reader,) = fences("The contract", "python")
    program = f"""{reader}
import json
from posebridge.v1 import envelope_pb2, forecast_pb2_grpc
for name in ("forecast_float16", "forecast_float32_roots"):
    with open(f"proto/testdata/{{name}}.bin", "rb") as file:
        forecast = envelope_pb2.ServerEnvelope.FromString(file.read()).stream.forecast
    with open(f"proto/testdata/{{name}}.json") as file:
        expected = json.load(file)["forecast"]
    assert np.array_equal(array_of(forecast.futures).ravel(), np.float32(expected["positions"])), name
    assert list(array_of(forecast.futures).shape) == [*expected["shape"], 3], name
print("read", forecast_pb2_grpc.ForecastServiceStub.__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "generated")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "read ForecastServiceStub\n", done.stderr


def test_the_table_of_errors_has_every_code_with_its_status() -> None:
    rows = re.findall(r"^\| (`[A-Z_`, ]+) \| (`[A-Z_]+`|the same) \|", section("The contract"), flags=re.MULTILINE)
    told = {
        code: code if status == "the same" else status.strip("`")
        for codes, status in rows
        for code in re.findall(r"[A-Z_]+", codes)
    }
    assert told == {kind.name: kind.grpc_status for kind in ErrorKind}
