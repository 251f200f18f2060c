from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.capture.libraries import load_cv2
from bridge.errors import FailedPrecondition
from tests.support import REPOSITORY


def test_what_native_code_says_is_out_of_sight_and_what_python_says_is_not() -> None:
    code = """
import os, sys
from bridge.capture.libraries import native_messages_away
before = sys.stderr
with native_messages_away():
    os.write(2, b"native inside\\n")
    print("python inside", file=sys.stderr)
assert sys.stderr is before
os.write(2, b"native after\\n")
print("python after", file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    assert sorted(done.stderr.splitlines()) == ["native after", "python after", "python inside"]


def test_a_missing_library_of_the_system_is_told_from_a_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    with pytest.raises(FailedPrecondition, match=r"libGL.so.1.*apt-get install libegl1"):
        load_cv2()
    (tmp_path / "cv2.py").write_text("raise ModuleNotFoundError('No module named cv2', name='cv2')")
    os.utime(tmp_path / "cv2.py", (1, 1))
    with pytest.raises(
        FailedPrecondition, match=r"cv2 is not installed; expected pip install 'pose-bridge\[capture\]'"
    ):
        load_cv2()
