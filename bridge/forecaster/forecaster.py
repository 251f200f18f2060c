"""The forecaster as a pure function: a batch of canonical windows and seeds in, sampled trajectories out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridge.brief import brief_repr
from bridge.errors import CheckpointError, FailedPrecondition, InvalidInput
from bridge.forecaster.captured import FixedRollouts
from bridge.forecaster.checkpoint import BUNDLED_WEIGHTS, Metadata, load_checkpoint
from bridge.forecaster.guide import pull_
from bridge.forecaster.limbs import LimbLengths
from bridge.forecaster.model import ContextBatch, GruSnf
from bridge.forecaster.prepared import Drawn, Paths, PreparedModel, Walk
from bridge.forecaster.refinement import Refinement, effective_sample_size
from bridge.forecaster.results import ForecastResult
from bridge.forecaster.rollout import Diagnostics, RolloutNoise, blocks_for, draw_noise
from bridge.forecaster.sampling import BlockNoise, BlockSampler, RefinedFlow
from bridge.forecaster.tracing import TracedSteps, traced_guide
from bridge.forecaster.workers import on_threads
from bridge.frames import Frame, Window, typed_frame
from bridge.limits import MAX_HORIZON_STEPS, MAX_SAMPLES
from bridge.skeleton import Layout, get_layout, layout_ids, register_layout
from bridge.timeline import Timeline

# Trajectories: with fewer, a second thread gains less than it costs.
_WORTH_A_THREAD = 64


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

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Drawn trajectories, canonical: ``pose`` (B, S, H, J, 3), ``root`` (B, S, H, 3); acceptance of refinement (B,)."""

    pose: NDArray[np.float32]
    root: NDArray[np.float32]
    acceptance_rate: NDArray[np.float32] | None
    diagnostics: Diagnostics | None = None

    __repr__ = brief_repr


class Forecaster:
    """A network, its weights' metadata and the device it runs on. Keeps no state between calls.

    Example:
        >>> forecaster = Forecaster.load(device="cpu")  # the bundled weights
        >>> forecaster.layout.id, forecaster.rate_hz
        ('mediapipe.pose.33', 30.0)
    """

    def __init__(
        self, model: GruSnf, metadata: Metadata, weights_id: str, device: torch.device, *, record: bool = True
    ) -> None:
        self._prepared = PreparedModel(model.to(device))
        self._run = self._runner(device, record)
        self._limbs = LimbLengths(metadata.layout, device)
        self._guide: Callable[[Tensor], Tensor] | None = model.guide
        if model.guide is not None and record and device.type == "cpu":
            self._guide = traced_guide(model.guide, model.arch)
        self.metadata = metadata
        self.weights_id = weights_id
        self.device = device

    def _runner(self, device: torch.device, record: bool) -> Callable[..., Tensor | None]:
        """`PreparedModel.run` (with a sampler in place of a step) in the form that suits the device."""
        prepared = self._prepared
        if device.type == "cuda" and record:
            return FixedRollouts(prepared, capture=True).run
        make_step = TracedSteps(prepared).step if device.type == "cpu" and record else partial(partial, prepared.step)

        def run(
            context: ContextBatch, noise: RolloutNoise, blocks: int, sampler: BlockSampler, out: Paths
        ) -> Tensor | None:
            return prepared.run(context, noise, blocks, make_step(sampler), out)

        return run

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        allow_tf32: bool = False,
        record: bool = True,
    ) -> Forecaster:
        """Load weights; None loads those bundled for MediaPipe pose.

        Args:
            device: ``auto`` (a GPU if torch sees one, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            threads: of torch on the CPU, for the whole process; None leaves torch's choice.
            record: keep each sampler's step as a recorded graph, which pays from its second forecast on; without, many
                samplers can be tried in turn.
            allow_tf32: let an NVIDIA GPU multiply with 10 bits of mantissa, for the whole process: faster, rougher.

        Raises:
            CheckpointError: if the weights cannot be used.
            InvalidInput: if there is no such device.
        """
        chosen = pick_device(device)
        if threads is not None:
            if threads < 1:
                raise InvalidInput(f"{threads}", field="threads", expected="1 or more")
            torch.set_num_threads(threads)
        if chosen.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allow_tf32
        model, metadata, weights_id = load_checkpoint(Path(path or BUNDLED_WEIGHTS))
        if metadata.architecture.joints != metadata.layout.joints:
            raise CheckpointError("sizes do not fit the layout", field="weights")
        _make_layout_known(metadata.layout)
        return cls(model, metadata, weights_id, chosen, record=record)

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
    def model(self) -> GruSnf:
        """The network, in evaluation mode on the forecaster's device."""
        return self._prepared.model

    @property
    def refinement(self) -> Refinement:
        """Default refinement, chosen on validation motion and stored with the weights."""
        return self.metadata.refinement

    def __repr__(self) -> str:
        """What it is, in one line."""
        layout, refinement = self.layout, self.refinement
        return (
            f"Forecaster({layout.id}, {layout.joints} landmarks, {self.context_frames} frames at {self.rate_hz:g} Hz, "
            f"{refinement}, weights {self.weights_id[:12]}, {self.device})"
        )

    def window(self, frames: Iterable[Frame]) -> Window:
        """Resample frames of one avatar, oldest first, to the window that ends with the newest.

        Raises:
            InvalidInput: if a frame is another avatar's than the first, or its landmarks do not fit the layout.
            FailedPrecondition: if they do not cover the context without a gap above 200 ms.
        """
        timeline = Timeline(self.layout, context_frames=self.context_frames, rate_hz=self.rate_hz)
        avatar_id: str | None = None
        for frame in frames:
            frame = typed_frame(frame)
            avatar_id = frame.avatar_id if avatar_id is None else avatar_id
            if frame.avatar_id != avatar_id:
                problem = f"is {frame.avatar_id!r} after frames of {avatar_id!r}"
                raise InvalidInput(problem, field="frame.avatar_id", expected="frames of one avatar")
            if frame.landmarks is not None and frame.landmarks.shape != (self.layout.joints, 4):
                expected = f"({self.layout.joints}, 4): x, y, z, visibility of the landmarks of {self.layout.id}"
                raise InvalidInput(f"shape {frame.landmarks.shape}", field="frame.landmarks", expected=expected)
            timeline.add(frame)
        snapshot = timeline.snapshot()
        if snapshot is None:
            seconds = (self.context_frames - 1) / self.rate_hz
            expected = f"{seconds:g} s of frames, with a body in the newest and no gap above 200 ms"
            raise FailedPrecondition("the frames do not fill a window", field="frames", expected=expected)
        return replace(snapshot.window(), avatar_id=avatar_id or "")

    def forecast(
        self,
        window: Window,
        *,
        horizon_ms: int = 1000,
        samples: int = 32,
        futures: int = 5,
        seed: int = 0,
        keep_samples: bool = False,
    ) -> ForecastResult:
        """Draw trajectories from one window and choose K futures; what a server does for every frame.

        Args:
            window: of C rows, see `window`.
            horizon_ms: how far ahead, rounded up to whole steps. samples: S trajectories. futures: K of them.
            seed: same seed, same window, same weights, same device: same forecast.
            keep_samples: keep what was drawn as ``samples_m`` (S, H, J, 3).

        Raises:
            InvalidInput: if a number is out of range, or the window does not fit the weights.

        Example:
            >>> from bridge.recordings import BUNDLED_RECORDING, clip_frames, load_clips
            >>> forecaster = Forecaster.load(device="cpu")
            >>> frames = list(clip_frames(load_clips(BUNDLED_RECORDING)[0], "me"))
            >>> forecaster.forecast(forecaster.window(frames[:120])).futures_m.shape
            (5, 30, 33, 3)
        """
        from bridge.forecaster.jobs import ForecastJob, run_jobs  # stands above this module

        if not isinstance(window, Window):
            expected = "a Window: Forecaster.window(frames) makes one"
            raise InvalidInput(f"is a {type(window).__name__}", field="window", expected=expected)
        steps = math.ceil(horizon_ms * self.rate_hz / 1000.0 - 1e-9)
        (result,) = run_jobs(self, [ForecastJob(window, steps, samples, futures, seed)])
        return result if keep_samples else result.without_samples()

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
        if chosen.guide and self.model.guide is None:
            raise InvalidInput(f"{chosen.guide:g}", field="refinement.guide", expected="0: these weights have no guide")
        if diagnostics:
            return self._diagnose(batch, horizon_frames, samples, seeds, chosen)
        blocks = blocks_for(horizon_frames, self._prepared.model.arch.block_frames)
        with torch.inference_mode():
            paths = self._prepared.new_paths(windows, samples, blocks)

        def draw(part: slice) -> Tensor | None:
            with torch.inference_mode():
                context, mine = self.context(batch, part), paths.of_windows(part)
                rate = self._run(context, self._noise(seeds[part], blocks, samples, chosen), blocks, chosen, mine)
                self.finish_(mine.poses, context, guide=chosen.guide)
                return rate

        # What is not worth a second thread is not worth sharing out operation by operation either.
        few = windows * samples < 2 * _WORTH_A_THREAD and torch.get_num_threads() > 1 and self.device.type == "cpu"
        rates = on_threads(draw, self._parts(windows, samples), aside=few)
        acceptance = torch.cat([rate for rate in rates if rate is not None]) if rates[0] is not None else None
        return _arrays(paths.poses[:, :, :horizon_frames], paths.roots[:, :, :horizon_frames], acceptance)

    def finish_(self, poses: Tensor, context: ContextBatch, *, guide: float) -> None:
        """What is done to every sampler's drawn poses (B, S, H, J*3), in place: the guide's pull, limbs held."""
        if guide and self._guide is not None:
            pull_(poses, self._guide(context.pose), guide)
        self._limbs.restore_(poses, self._limbs.measure(context.pose, context.observed))

    def _parts(self, windows: int, samples: int) -> list[slice]:
        """Windows to draw together: one part a thread, unless there is too little to share out."""
        most = torch.get_num_threads() if self.device.type == "cpu" else 1
        count = max(1, min(most, windows, windows * samples // _WORTH_A_THREAD))
        bounds = [windows * i // count for i in range(count + 1)]
        return [slice(*pair) for pair in pairwise(bounds)]

    def _diagnose(
        self, batch: WindowBatch, horizon_frames: int, samples: int, seeds: Sequence[int], sampler: BlockSampler
    ) -> SampleBatch:
        """The same trajectories, all in one part, with the path weights of every block."""
        prepared, windows = self._prepared, len(seeds)
        blocks = blocks_for(horizon_frames, prepared.model.arch.block_frames)
        weights: list[Tensor] = []

        def step(walk: Walk, noise: BlockNoise, last: bool) -> Drawn:
            drawn = prepared.step(sampler, walk, noise, last, log_weights=True)
            weights.extend([] if drawn.log_weight is None else [drawn.log_weight.view(windows, samples)])
            return drawn

        with torch.inference_mode():
            paths = prepared.new_paths(windows, samples, blocks)
            noise = self._noise(seeds, blocks, samples, sampler)
            context = self.context(batch)
            rate = prepared.run(context, noise, blocks, step, paths)
            self.finish_(paths.poses, context, guide=sampler.guide)
            made = _arrays(paths.poses[:, :, :horizon_frames], paths.roots[:, :, :horizon_frames], rate)
            if not weights:
                return made
            log_weight = torch.stack(weights)
            return replace(made, diagnostics=Diagnostics(rate, log_weight, effective_sample_size(log_weight)))

    def _noise(self, seeds: Sequence[int], blocks: int, samples: int, sampler: BlockSampler) -> RolloutNoise:
        model = self._prepared.model
        return draw_noise(
            seeds,
            steps=blocks,
            samples=samples,
            dim=model.arch.block_dim,
            root_dim=model.arch.root_dim,
            kicks=sampler.kicks(model.flow),
            device=self.device,
            persistence=sampler.persistence,
        )

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

    def context(self, batch: WindowBatch, part: slice = slice(None)) -> ContextBatch:
        """Windows as the tensors that the network reads, on its device."""
        has_root = batch.has_root[part]
        root = np.where(has_root[:, None, None], batch.root[part], 0.0).astype(np.float32)
        return ContextBatch(
            pose=torch.from_numpy(np.ascontiguousarray(batch.pose[part], np.float32)).flatten(2).to(self.device),
            observed=torch.from_numpy(batch.observed[part].astype(np.float32)).to(self.device),
            root=torch.from_numpy(root).to(self.device),
            has_root=torch.from_numpy(has_root.astype(np.float32))[:, None].to(self.device),
        )


def _arrays(poses: Tensor, roots: Tensor, acceptance: Tensor | None) -> SampleBatch:
    pose = torch.unflatten(poses, -1, (-1, 3)).cpu().numpy()
    return SampleBatch(pose, roots.cpu().numpy(), None if acceptance is None else acceptance.cpu().numpy())


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
