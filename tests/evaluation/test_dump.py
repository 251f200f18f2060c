from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from bridge.errors import InvalidInput
from bridge.evaluation.baselines import LastPose
from bridge.evaluation.dump import SampleDump
from bridge.evaluation.evaluate import evaluate_methods
from bridge.evaluation.methods import Method
from tests.evaluation.known_law import CONTEXT, HORIZON, RATE_HZ, KnowsTheLaw, known_windows
from tests.support import TINY_LAYOUT


def test_the_file_holds_truth_and_futures_from_which_the_scores_follow(tmp_path: Path) -> None:
    windows, path = known_windows(7), tmp_path / "futures.npz"
    methods: list[Method] = [LastPose(), KnowsTheLaw("gru_nf", width=2.0), KnowsTheLaw("gru_snf")]
    with SampleDump(path, windows, ("gru_snf", "gru_nf", "gaussian_head")) as dump:
        result = evaluate_methods(windows, methods, TINY_LAYOUT, rate_hz=RATE_HZ, batch_windows=3, keep=dump)
    with np.load(path) as arrays:
        assert set(arrays) == {"clip_ids", "first_future_frame", "truth", "gru_nf", "gru_snf"}
        assert arrays["clip_ids"].tolist() == [item.clip_id for item in windows]
        assert arrays["first_future_frame"].tolist() == [CONTEXT] * 7
        truth = arrays["truth"]
        np.testing.assert_array_equal(truth, np.stack([item.truth_m for item in windows]))
        for name in ("gru_nf", "gru_snf"):
            samples = arrays[name]
            assert samples.shape == (7, 24, HORIZON, TINY_LAYOUT.joints, 3)
            assert samples.dtype == truth.dtype == np.float32
            poses = np.linalg.norm((samples - truth[:, None]).reshape(7, 24, HORIZON, -1), axis=-1)
            np.testing.assert_allclose(result.methods[name].per_window["ade"], poses.mean(2).min(1), rtol=1e-5)


def test_the_file_is_not_compressed_and_can_grow_beyond_4_gigabytes(tmp_path: Path) -> None:
    windows, path = known_windows(2), tmp_path / "futures.npz"
    with SampleDump(path, windows, ("a",)) as dump:
        dump.add("a", np.zeros((2, 1, HORIZON, TINY_LAYOUT.joints, 3), np.float32))
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_STORED
            assert member.extract_version == zipfile.ZIP64_VERSION


def test_an_interrupted_run_leaves_no_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "futures.npz"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), SampleDump(path, known_windows(2), ("a",)) as dump:
        dump.add("a", np.zeros((1, 1, HORIZON, TINY_LAYOUT.joints, 3), np.float32))
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["futures.npz"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("batches", [(1,), (2, 1)])
def test_a_method_with_too_few_or_too_many_futures_is_an_error(tmp_path: Path, batches: tuple[int, ...]) -> None:
    path = tmp_path / "futures.npz"
    with pytest.raises(InvalidInput, match="windows"), SampleDump(path, known_windows(2), ("a",)) as dump:
        for count in batches:
            dump.add("a", np.zeros((count, 1, HORIZON, TINY_LAYOUT.joints, 3), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot write"), SampleDump(tmp_path / "no" / "a.npz", known_windows(1), ()):
        pass
