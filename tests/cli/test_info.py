from __future__ import annotations

from pathlib import Path

import bridge
from tests.cli.helpers import json_of, run
from tests.support import tiny_weights


def test_versions_device_and_weights_are_told(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path)
    done = run("info", "--json", "--weights", weights, "--threads", "1", "--device", "cpu")
    result = json_of(done)
    assert (result["version"], result["device"], result["threads"]) == (bridge.__version__, "cpu", 1)
    assert result["libraries"]["torch"]
    about = result["weights"]
    assert (about["path"], about["layout"], about["landmarks"]) == (str(weights), "mediapipe.pose.33", 33)
    assert about["bytes"] == weights.stat().st_size
    assert len(about["id"]) == 64
    assert "weights: refinement" in done.stderr


def test_a_device_that_is_not_there_is_exit_code_1(tmp_path: Path) -> None:
    done = run("info", "--weights", tiny_weights(tmp_path), "--device", "cuda:99")
    assert done.returncode == 1
    assert "cuda:99" in done.stderr
