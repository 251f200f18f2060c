"""Running commands as a user does, and recordings to run them on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bridge.recordings import save_recording
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.service_fixtures import body_landmarks
from tests.support import REPOSITORY


def environment(**more: str) -> dict[str, str]:
    """What a command finds in its environment in every test, and ``more``."""
    return {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "COLUMNS": "140"} | more


def run(
    *arguments: object, cwd: Path = REPOSITORY, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``pose-bridge`` in a process of its own."""
    command = [sys.executable, "-m", "bridge.cli", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def json_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON object on the last line of stdout."""
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def make_recording(
    path: Path, *, count: int = 60, fps: float = 30.0, lost: tuple[int, ...] = (), root: bool = False
) -> Path:
    """Write a recording of a swaying body in MediaPipe's 33 landmarks; nobody is detected in the ``lost`` frames."""
    landmarks = np.stack([body_landmarks(MEDIAPIPE_POSE_33, row * 30 / fps / 10) for row in range(count)])
    landmarks[list(lost)] = np.nan
    save_recording(
        path,
        pose_m=landmarks[..., :3],
        visibility=np.nan_to_num(landmarks[..., 3]),
        timestamp_us=np.round(np.arange(count) * 1e6 / fps).astype(np.int64) + 5_000,
        fps=fps,
        layout_id=MEDIAPIPE_POSE_33.id,
        root_m=np.stack([np.full(3, 1.0 + row / 100) for row in range(count)]) if root else None,
    )
    return path
