from __future__ import annotations

import errno
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bridge.errors import CheckpointError, ResourceExhausted
from bridge.forecaster import Forecaster, Metadata, Refinement
from bridge.forecaster.checkpoint import (
    FORMAT_VERSION,
    load_checkpoint,
    load_tensors,
    rewrite_metadata,
    save_checkpoint,
    save_tensors,
)
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from tests.forecaster.builders import SMALL, small_model
from tests.support import TINY_LAYOUT, tiny_weights

METADATA = Metadata(
    layout=TINY_LAYOUT,
    rate_hz=25.0,
    architecture=SMALL,
    refinement=Refinement("langevin", 2, 0.35, temperature=0.9, layers="last"),
    training={"subjects": ["a", "b"], "licences": ["CC-BY-4.0"], "minutes_trained": 1.5},
    validation={"energy_score": 4.25, "epochs": [1, 2]},
    controls={"gru_nf_clamped": {"clamp": 2.0}},
)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, small_model(), METADATA)
    return path


def test_round_trip_keeps_every_tensor_bit_for_bit_and_all_metadata(weights: Path) -> None:
    model, metadata, identity = load_checkpoint(weights)
    saved = small_model().state_dict()
    assert saved.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == saved[name].dtype and torch.equal(tensor, saved[name]), name
    assert metadata == METADATA
    np.testing.assert_allclose(metadata.layout.template, TINY_LAYOUT.template, atol=1e-5)
    assert len(identity) == 64 and identity == load_checkpoint(weights)[2]


def test_loaded_network_is_for_inference(weights: Path) -> None:
    model, _, _ = load_checkpoint(weights)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_forecasts_from_a_file_are_those_of_the_network_saved(weights: Path) -> None:
    loaded = Forecaster.load(weights, device="cpu")
    assert (loaded.layout, loaded.rate_hz, loaded.context_frames) == (TINY_LAYOUT, 25.0, SMALL.context_frames)
    assert loaded.refinement == METADATA.refinement


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)
def test_layout_travels_in_full_with_the_weights(tmp_path: Path, layout: Layout) -> None:
    unregistered = replace(layout, id=f"studio.{layout.id}", template=layout.template + np.float32(0.125))
    model, metadata, _ = load_checkpoint(tiny_weights(tmp_path, layout))
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, model, replace(metadata, layout=unregistered))
    assert Forecaster.load(path, device="cpu").layout == unregistered
    np.testing.assert_allclose(Forecaster.load(path, device="cpu").layout.template, unregistered.template, atol=1e-5)


def test_metadata_can_be_rewritten_and_the_weights_stay(weights: Path) -> None:
    before = load_tensors(weights)[0]
    rewrite_metadata(weights, refinement=Refinement("pcn", 1, 0.1), validation={"energy_score": 4.0})
    after, _ = load_tensors(weights)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    _, metadata, _ = load_checkpoint(weights)
    assert metadata == replace(METADATA, refinement=Refinement("pcn", 1, 0.1), validation={"energy_score": 4.0})


def test_identity_changes_with_the_file(weights: Path) -> None:
    before = load_checkpoint(weights)[2]
    rewrite_metadata(weights, rate_hz=24.0)
    assert load_checkpoint(weights)[2] != before


def _refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert caught.value.field == "weights"
    return str(caught.value)


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.safetensors"
    assert "no such file" in _refused(missing) and str(missing) in _refused(missing)
    assert "no such file" in _refused(tmp_path)  # a folder


@pytest.mark.parametrize("kept", [0, 4, 8, 200, -1])
def test_truncated_file_is_refused(weights: Path, kept: int) -> None:
    weights.write_bytes(weights.read_bytes()[:kept])
    assert "damaged" in _refused(weights)


@pytest.mark.parametrize("garbage", [b"\xff" * 64, b"hello", b"\x00" * 4096, bytes(range(256)) * 8])
def test_garbage_is_refused(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "garbage.safetensors"
    path.write_bytes(garbage)
    assert str(path) in _refused(path)


class _Trap:
    """Unpickling this leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("write", ["pickle", "torch"])
def test_pickles_are_refused_and_nothing_in_them_runs(tmp_path: Path, write: str) -> None:
    path, trace = tmp_path / "trap.safetensors", tmp_path / "trace"
    if write == "pickle":
        path.write_bytes(pickle.dumps(_Trap(trace)))
    else:
        torch.save({"weights": torch.zeros(3), "trap": _Trap(trace)}, path)
    assert "damaged or no safetensors file" in _refused(path)
    assert not trace.exists()


def test_safetensors_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"layer.weight": torch.zeros(3, 3)}, path)
    assert "holds no PoseBridge weights" in _refused(path)
    save_file({"layer.weight": torch.zeros(3, 3)}, path, metadata={"format": "pt"})
    assert "holds no PoseBridge weights" in _refused(path)


def _with_strings(weights: Path, **changes: str | None) -> None:
    tensors, strings = load_tensors(weights)
    merged = {**strings, **changes}
    save_tensors(weights, tensors, {name: text for name, text in merged.items() if text is not None})


@pytest.mark.parametrize("version", [str(FORMAT_VERSION + 1), "999", "", "one", None])
def test_newer_or_unknown_version_is_refused_and_named(weights: Path, version: str | None) -> None:
    _with_strings(weights, format_version=version)
    message = _refused(weights)
    assert f"version {version or 'missing'}" in message
    assert f"version {FORMAT_VERSION} or older" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": None},
        {"layout": "{}"},
        {"layout": "not json"},
        {"layout": json.dumps({**TINY_LAYOUT.to_dict(), "hips": [3, 99]})},
        {"layout": json.dumps({**TINY_LAYOUT.to_dict(), "template": [[0, 0, 0]]})},
        {"rate_hz": "fast"},
        {"rate_hz": None},
        {"rate_hz": "0"},
        {"rate_hz": "nan"},
        {"architecture": json.dumps({**SMALL.to_dict(), "joints": 0})},
        {"architecture": json.dumps({**SMALL.to_dict(), "joints": "seven"})},
        {"architecture": json.dumps({**SMALL.to_dict(), "surprise": 1})},
        {"architecture": json.dumps({**SMALL.to_dict(), "context_frames": 12})},
        {"architecture": "[]"},
        {"refinement": "gibbs(steps=2)"},
        {"refinement": None},
        {"training": "{"},
        {"validation": None},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_unusable_metadata_is_refused(weights: Path, changes: dict[str, str | None]) -> None:
    _with_strings(weights, **changes)
    assert "unusable metadata" in _refused(weights)


def test_tensors_that_do_not_fit_the_sizes_are_refused_by_name(weights: Path) -> None:
    tensors, strings = load_tensors(weights)
    name = "flow.head.0.weight"
    save_tensors(weights, {**tensors, name: torch.zeros(3, 3)}, strings)
    assert name in _refused(weights) and "(3, 3)" in _refused(weights)
    save_tensors(weights, {n: t for n, t in tensors.items() if n != name}, strings)
    assert f"'{name}'" in _refused(weights) and "missing" in _refused(weights)
    save_tensors(weights, {**tensors, "extra": torch.zeros(1)}, strings)
    assert "unknown tensors, for example 'extra'" in _refused(weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(weights: Path, value: float) -> None:
    tensors, strings = load_tensors(weights)
    name = "flow.head.0.bias"
    tensors[name][3] = value
    save_tensors(weights, tensors, strings)
    assert name in _refused(weights) and "not finite" in _refused(weights)


def test_sizes_of_another_layout_are_refused(weights: Path) -> None:
    _with_strings(weights, layout=json.dumps(MEDIAPIPE_POSE_33.to_dict()))
    with pytest.raises(CheckpointError, match="sizes do not fit the layout"):
        Forecaster.load(weights, device="cpu")


def test_a_write_that_breaks_off_leaves_the_old_file_whole(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "no space left on device")

    before = weights.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(ResourceExhausted, match="no space"):
        save_checkpoint(weights, small_model(seed=1), METADATA)
    assert weights.read_bytes() == before
