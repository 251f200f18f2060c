"""The contract is enough: a client in another language, written only from the proto files, gets a forecast."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.service_fixtures import ServeCommand
from tests.support import REPOSITORY, skip_or_fail

CLIENT_DIR = Path(__file__).parent / "node"


def test_node_client_lists_services_by_reflection_and_gets_a_forecast(shared_server: ServeCommand) -> None:
    node = shutil.which("node")
    if node is None:
        skip_or_fail("node is not installed")
    if not (CLIENT_DIR / "node_modules").is_dir():
        skip_or_fail(f"run `npm ci` in {CLIENT_DIR.relative_to(REPOSITORY)} first")
    command = [node, "client.js", shared_server.endpoints.grpc, str(REPOSITORY / "proto")]
    run = subprocess.run(command, cwd=CLIENT_DIR, capture_output=True, text=True, timeout=90)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    assert "posebridge.v1.ForecastService" in said["services"]
    assert "grpc.health.v1.Health" in said["services"]
    assert said["layout_id"] == MEDIAPIPE_POSE_33.id
    assert said["session_id"]
    assert said["avatar_id"] == "node"
    assert said["dtype"] == "DATA_TYPE_FLOAT32"
    assert said["shape"] == [3, 15, 33, 3]
    assert said["numbers"] == 3 * 15 * 33 * 3
    assert 0.0 < said["furthest_m"] < 100.0
    assert sum(said["probabilities"]) == pytest.approx(1.0, abs=1e-5)
    assert len(set(said["mode_ids"])) == 3
