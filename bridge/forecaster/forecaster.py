"""The forecaster as a pure function: a batch of canonical windows and seeds in, sampled trajectories out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.errors import CheckpointError, InvalidInput
from bridge.forecaster.checkpoint import BUNDLED_WEIGHTS, Metadata, load_checkpoint
from bridge.forecaster.model import ContextBatch, GruSnf
from bridge.forecaster.refinement import Refinement
from bridge.forecaster.rollout import Diagnostics, blocks_for, draw_noise, rollout
from bridge.forecaster.sampling import BlockSampler, RefinedFlow
from bridge.forecaster.tracing import TracedSteps
from bridge.limits import MAX_HORIZON_STEPS, MAX_SAMPLES
from bridge.skeleton import Layout, get_layout, layout_ids, register_layout


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """B canonical windows (see `bridge.geometry`).

    Attributes:
        pose: (B, C, J, 3) finite.
        observed: (B, C, J) which landmarks were seen.
        root: (B, C, 3), zero at the last frame; any values where ``has_root`` is False.
        has_root: (B,).
    """

    pose: NDArray[np.float32]
    observed: NDArray[np.bool_]
    root: NDArray[np.float32]
    has_root: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Drawn trajectories, canonical: ``pose`` (B, S, H, J, 3), ``root`` (B, S, H, 3); acceptance of refinement (B,)."""

    pose: NDArray[np.float32]
    root: NDArray[np.float32]
    acceptance_rate: NDArray[np.float32] | None
    diagnostics: Diagnostics | None = None


class Forecaster:
    """A network, its weights' metadata and the device it runs on. Keeps no state between calls.

    Example:
        >>> forecaster = Forecaster.load(device="cpu")  # the bundled weights
        >>> forecaster.layout.id, forecaster.rate_hz
        ('mediapipe.pose.33', 30.0)
    """

    def __init__(self, model: GruSnf, metadata: Metadata, weights_id: str, device: torch.device) -> None:
        self._model = model.to(device)
        self._traced = TracedSteps(self._model)
        self.metadata = metadata
        self.weights_id = weights_id
        self.device = device

    @classmethod
    def load(cls, path: Path | None = None, *, device: str = "auto", threads: int | None = None) -> Forecaster:
        """Load weights; None loads those bundled for MediaPipe pose.

        Args:
            device: ``auto`` (a GPU if torch sees one, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            threads: of torch on the CPU, for the whole process; None leaves torch's choice.

        Raises:
            CheckpointError: if the weights cannot be used.
            InvalidInput: if there is no such device.
        """
        chosen = pick_device(device)
        if threads is not None:
            if threads < 1:
                raise InvalidInput(f"{threads}", field="threads", expected="1 or more")
            torch.set_num_threads(threads)
        model, metadata, weights_id = load_checkpoint(path or BUNDLED_WEIGHTS)
        if metadata.architecture.joints != metadata.layout.joints:
            raise CheckpointError("sizes do not fit the layout", field="weights")
        _make_layout_known(metadata.layout)
        return cls(model, metadata, weights_id, chosen)

    @property
    def layout(self) -> Layout:
        """Landmarks that the weights were trained on."""
        return self.metadata.layout

    @property
    def rate_hz(self) -> float:
        """Frame rate of windows and forecasts."""
        return self.metadata.rate_hz

    @property
    def context_frames(self) -> int:
        """Frames in a window, C."""
        return self.metadata.architecture.context_frames

    @property
    def refinement(self) -> Refinement:
        """Default refinement, chosen on validation motion and stored with the weights."""
        return self.metadata.refinement

    def sample(
        self,
        batch: WindowBatch,
        *,
        horizon_frames: int,
        samples: int,
        seeds: Sequence[int],
        refinement: Refinement | None = None,
        sampler: BlockSampler | None = None,
        diagnostics: bool = False,
    ) -> SampleBatch:
        """Draw S trajectories of H frames for each window.

        Same windows, seeds, weights and device: same trajectories, whatever else is in the batch (to float rounding).

        Args:
            horizon_frames: H, 1 to 90. samples: S, 1 to 256.
            seeds: one per window.
            refinement: None takes the weights' default.
            sampler: another way to draw blocks (a control of `bridge.forecaster.sampling`); overrides ``refinement``.
            diagnostics: also compute acceptance, path weights and effective sample sizes.

        Raises:
            InvalidInput: naming the argument that does not fit.
        """
        windows = self._check(batch)
        if not 1 <= horizon_frames <= MAX_HORIZON_STEPS:
            raise InvalidInput(f"{horizon_frames}", field="horizon_frames", expected=f"1 to {MAX_HORIZON_STEPS}")
        if not 1 <= samples <= MAX_SAMPLES:
            raise InvalidInput(f"{samples}", field="samples", expected=f"1 to {MAX_SAMPLES}")
        if len(seeds) != windows:
            raise InvalidInput(f"{len(seeds)} seeds for {windows} windows", field="seeds", expected="one a window")
        chosen = sampler or RefinedFlow(refinement or self.refinement)
        arch = self._model.arch
        with torch.inference_mode():
            noise = draw_noise(
                seeds,
                steps=blocks_for(horizon_frames, arch.block_frames),
                samples=samples,
                dim=arch.block_dim,
                root_dim=arch.root_dim,
                kicks=chosen.kicks(self._model.flow),
                device=self.device,
                persistence=chosen.persistence,
            )
            drawn = rollout(
                self._model,
                self._context(batch),
                noise,
                chosen,
                horizon_frames=horizon_frames,
                diagnostics=diagnostics,
                stepper=self._traced.stepper(chosen) if self.device.type == "cpu" else None,
            )
            pose = torch.unflatten(drawn.poses, -1, (-1, 3)).cpu().numpy()
            accepted = None if drawn.acceptance_rate is None else drawn.acceptance_rate.cpu().numpy()
            return SampleBatch(pose, drawn.roots.cpu().numpy(), accepted, drawn.diagnostics)

    def _check(self, batch: WindowBatch) -> int:
        windows = len(batch.pose)
        expected = (windows, self.context_frames, self.layout.joints)
        for name, array, shape in (
            ("pose", batch.pose, (*expected, 3)),
            ("observed", batch.observed, expected),
            ("root", batch.root, (*expected[:2], 3)),
            ("has_root", batch.has_root, (windows,)),
        ):
            if array.shape != shape:
                raise InvalidInput(f"shape {array.shape}", field=f"batch.{name}", expected=f"{shape}")
        if windows == 0 or not np.isfinite(batch.pose).all():
            raise InvalidInput("empty or not finite", field="batch.pose", expected="finite numbers")
        return windows

    def _context(self, batch: WindowBatch) -> ContextBatch:
        root = np.where(batch.has_root[:, None, None], batch.root, 0.0).astype(np.float32)
        return ContextBatch(
            pose=torch.from_numpy(np.ascontiguousarray(batch.pose, np.float32)).flatten(2).to(self.device),
            observed=torch.from_numpy(batch.observed.astype(np.float32)).to(self.device),
            root=torch.from_numpy(root).to(self.device),
            has_root=torch.from_numpy(batch.has_root.astype(np.float32))[:, None].to(self.device),
        )


def pick_device(name: str) -> torch.device:
    """``auto`` or a torch device name to a device that exists.

    Raises:
        InvalidInput: if it does not.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    usable = device is not None and (
        device.type == "cpu"
        or (device.type == "cuda" and (device.index or 0) < torch.cuda.device_count())
        or (device.type == "mps" and torch.backends.mps.is_available())
    )
    if device is None or not usable:
        available = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise InvalidInput(
            f"no device {name!r} here", field="device", expected=f"auto or one of {', '.join(available)}"
        )
    return device


def _make_layout_known(layout: Layout) -> None:
    """Register the layout that weights bring along, so that whoever loads them can serve it by its id."""
    if layout.id not in layout_ids():
        register_layout(layout)
    elif get_layout(layout.id).names != layout.names:
        raise CheckpointError(
            f"the weights' layout {layout.id!r} has other landmarks than the one known here",
            field="weights",
            expected="the same landmark names in the same order",
        )
