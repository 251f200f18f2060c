"""Rollouts of fixed shape, replayed on a GPU as one recorded graph: no launch from Python, no wait for the host.

A CUDA graph repeats the very operations it recorded, on the very memory. So a rollout has its inputs and outputs in
memory of its own, made for a *bucket*: the number of windows rounded up to a power of two, samples and blocks as they
are. A batch is copied in, what is left of the bucket stays padding, and nothing a window computes depends on another.

The same function runs without a graph on any device; that is what the tests compare. No graph has been timed yet.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor

from bridge.forecaster.model import ContextBatch
from bridge.forecaster.prepared import Paths, PreparedModel
from bridge.forecaster.rollout import RolloutNoise
from bridge.forecaster.sampling import BlockSampler

_KEPT = 32
_WARM_UP = 3


def bucket(windows: int) -> int:
    """The number of windows rounded up to a power of two."""
    return 1 << (windows - 1).bit_length()


class FixedRollout:
    """`PreparedModel.run` for up to ``windows`` windows, always computed for all of them, in memory of its own."""

    def __init__(
        self, prepared: PreparedModel, sampler: BlockSampler, windows: int, samples: int, blocks: int, *, capture: bool
    ) -> None:
        arch, count = prepared.model.arch, windows * samples
        zeros = prepared.read.new_zeros
        kicks = sampler.kicks(prepared.model.flow)
        self._context = ContextBatch(
            pose=zeros(windows, arch.context_frames, arch.joints * 3),
            observed=zeros(windows, arch.context_frames, arch.joints),
            root=zeros(windows, arch.context_frames, 3),
            has_root=zeros(windows, 1),
        )
        self._noise = RolloutNoise(
            base=zeros(blocks, count, arch.block_dim),
            kicks=zeros(blocks, kicks, count, arch.block_dim),
            log_uniforms=zeros(blocks, kicks, count),
            root=zeros(blocks, count, arch.root_dim),
        )
        self._paths = prepared.new_paths(windows, samples, blocks)
        self._compute = partial(
            prepared.run, self._context, self._noise, blocks, partial(prepared.step, sampler), self._paths
        )
        self._acceptance: Tensor | None = None
        self._graph = self._capture() if capture else None

    def run(self, context: ContextBatch, noise: RolloutNoise, out: Paths) -> Tensor | None:
        """Draw into ``out``; returns the acceptance rate (B,), None without proposals."""
        windows, count = len(context.pose), noise.base.shape[1]
        for mine, given in zip(self._context.tensors(), context.tensors(), strict=True):
            mine[:windows].copy_(given)
        self._noise.base[:, :count].copy_(noise.base)
        self._noise.kicks[:, :, :count].copy_(noise.kicks)
        self._noise.log_uniforms[:, :, :count].copy_(noise.log_uniforms)
        self._noise.root[:, :count].copy_(noise.root)
        if self._graph is None:
            self._acceptance = self._compute()
        else:
            self._graph.replay()
        out.poses.copy_(self._paths.poses[:windows])
        out.roots.copy_(self._paths.roots[:windows])
        return None if self._acceptance is None else self._acceptance[:windows].clone()

    def _capture(self) -> torch.cuda.CUDAGraph | None:
        """Record the computation; None, with a warning, where it cannot be recorded: then it is computed each time."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries set themselves up on first use, which a graph may not record
            for _ in range(_WARM_UP):
                self._compute()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._acceptance = self._compute()
        except RuntimeError as error:
            warnings.warn(f"no CUDA graph, rollouts launch their operations one by one: {error}", stacklevel=2)
            return None
        return graph


class FixedRollouts:
    """Rollouts of one model by sampler and bucket; those used last are kept. One runs at a time."""

    def __init__(self, prepared: PreparedModel, *, capture: bool) -> None:
        self._prepared = prepared
        self._capture = capture
        self._kept: OrderedDict[tuple[BlockSampler, int, int, int], FixedRollout] = OrderedDict()
        self._lock = threading.Lock()

    def run(
        self, context: ContextBatch, noise: RolloutNoise, blocks: int, sampler: BlockSampler, out: Paths
    ) -> Tensor | None:
        """`PreparedModel.run` in the bucket that these windows fit."""
        windows, samples = out.poses.shape[:2]
        key = (sampler, bucket(windows), samples, blocks)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = FixedRollout(self._prepared, *key, capture=self._capture)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key].run(context, noise, out)
