"""The step of a rollout, and the guide, each as one recorded graph: the same operations without Python between them.

On a CPU a step is more than a hundred small operations; called one by one from Python, calling them costs more than
computing them, and holds the interpreter's lock against everyone else in the process. `torch.jit.trace` records
`PreparedModel.step` once (well under 0.1 s) and replays it for any number of trajectories.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from bridge.forecaster.architecture import Architecture
from bridge.forecaster.guide import Guide
from bridge.forecaster.prepared import Drawn, PreparedModel, Step, Walk
from bridge.forecaster.sampling import BlockNoise, BlockSampler

_KEPT = 16
_EXAMPLE = (2, 3)  # windows and samples: any, but not one

Recorded = Callable[..., tuple[Tensor, ...]]


class TracedSteps:
    """Recorded steps of one model, by sampler; the ones used last are kept."""

    def __init__(self, prepared: PreparedModel) -> None:
        self._prepared = prepared
        self._lock = threading.Lock()
        self._recorded: OrderedDict[tuple[BlockSampler, bool], Recorded] = OrderedDict()

    def step(self, sampler: BlockSampler) -> Step:
        """`PreparedModel.step` with this sampler, recorded."""
        with self._lock:
            recorded = {last: self._get(sampler, last) for last in (False, True)}

        def step(walk: Walk, noise: BlockNoise, last: bool) -> Drawn:
            block, root_block, *acceptance = recorded[last](*walk, *noise)
            return Drawn(block, root_block, acceptance[0] if acceptance else None)

        return step

    def _get(self, sampler: BlockSampler, last: bool) -> Recorded:
        key = (sampler, last)
        if key not in self._recorded:
            self._recorded[key] = self._record(sampler, last)
            if len(self._recorded) > _KEPT:
                self._recorded.popitem(last=False)
        self._recorded.move_to_end(key)
        return self._recorded[key]

    def _record(self, sampler: BlockSampler, last: bool) -> Recorded:
        prepared, width = self._prepared, len(Walk._fields)

        def run(*tensors: Tensor) -> tuple[Tensor, ...]:
            drawn = prepared.step(sampler, Walk(*tensors[:width]), BlockNoise(*tensors[width:]), last)
            return tuple(tensor for tensor in drawn if tensor is not None)

        return _trace(run, partial(self._example, sampler))

    def _example(self, sampler: BlockSampler) -> tuple[Tensor, ...]:
        (windows, samples), arch = _EXAMPLE, self._prepared.model.arch
        count, hidden, readouts = windows * samples, arch.decoder_hidden, sum(self._prepared.sizes)
        kicks = sampler.kicks(self._prepared.model.flow)
        walk = Walk(
            state=torch.randn(count, hidden),
            spare=torch.randn(windows, samples, hidden),
            readout=torch.randn(windows, samples, readouts),
            constant=torch.randn(windows, 1, readouts),
            new_constant=torch.randn(windows, 1, hidden),
            pose=torch.randn(count, arch.pose_dim),
            root_gain=torch.randn(count, 1),
        )
        noise = BlockNoise(
            base=torch.randn(count, arch.block_dim),
            kicks=torch.randn(kicks, count, arch.block_dim),
            log_uniforms=torch.randn(kicks, count),
            root=torch.randn(count, arch.root_dim),
        )
        return (*walk, *noise)


def traced_guide(guide: Guide, arch: Architecture) -> Callable[[Tensor], Tensor]:
    """`Guide.forward`, recorded."""
    recorded = _trace(guide, lambda: (torch.randn(_EXAMPLE[1], arch.context_frames, 3 * arch.joints),))
    return cast(Callable[[Tensor], Tensor], recorded)


def _trace(run: Callable[..., Any], example: Callable[[], tuple[Tensor, ...]]) -> Recorded:
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), torch.inference_mode():
        # Deprecated in favour of torch.compile, which needs a C++ compiler on the user's machine and many seconds.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.jit")
        torch.manual_seed(0)
        trace: Callable[..., Recorded] = torch.jit.trace
        return trace(run, example(), check_trace=False)
