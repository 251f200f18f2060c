"""A client in a process of its own, to be killed.

``python -m tests.service.streaming_child grpc|zmq ENDPOINTS_AS_JSON`` prints a line when forecasts come, and goes on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict

from bridge.service import Endpoints
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.service.steady import SteadyClient
from tests.service_fixtures import Connections, command_environment
from tests.support import REPOSITORY


def start_streaming_child(transport: str, endpoints: Endpoints) -> subprocess.Popen[str]:
    """Start one and wait until it has forecasts."""
    command = [sys.executable, "-m", "tests.service.streaming_child", transport, json.dumps(asdict(endpoints))]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=command_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "streaming\n"
    return process


def main(transport: str, endpoints: Endpoints) -> None:
    client = SteadyClient(Connections().over(transport, endpoints), MEDIAPIPE_POSE_33, "child", ("a", "b", "c"))
    client.expect_forecasts(3)
    print("streaming", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], Endpoints(**json.loads(sys.argv[2])))
