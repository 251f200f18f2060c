"""The step of a rollout as one recorded graph: the same operations without Python between them.

On a CPU a step is some two hundred small operations; called one by one from Python, calling them costs more than
computing them, and holds the interpreter's lock against everyone else in the process. `torch.jit.trace` records
`take_step` once (well under 0.1 s) and replays it for any number of trajectories.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

from bridge.forecaster.model import GruSnf, Trajectory
from bridge.forecaster.rollout import Step, Stepper, take_step
from bridge.forecaster.sampling import BlockNoise, BlockSampler

_KEPT = 16
_EXAMPLE_TRAJECTORIES = 3

Recorded = Callable[..., tuple[Tensor, ...]]


class TracedSteps:
    """Recorded steps of one model, by sampler; the ones used last are kept."""

    def __init__(self, model: GruSnf) -> None:
        self._model = model
        self._recorded: OrderedDict[tuple[BlockSampler, bool], Recorded] = OrderedDict()

    def stepper(self, sampler: BlockSampler) -> Stepper:
        """`take_step` of the model and this sampler, recorded."""

        def step(at: Trajectory, noise: BlockNoise, last: bool) -> Step:
            poses, roots, state, pose, root, *acceptance = self._get(sampler, last)(*_flatten(at, noise))
            reached = Trajectory(state, at.gates, pose, root, at.has_root)
            return Step(poses, roots, reached, acceptance[0] if acceptance else None, None)

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
        model, arch, count = self._model, self._model.arch, _EXAMPLE_TRAJECTORIES
        kicks = sampler.kicks(model.flow)

        def run(*tensors: Tensor) -> tuple[Tensor, ...]:
            step = take_step(model, sampler, Trajectory(*tensors[:5]), BlockNoise(*tensors[5:]), last)
            # A trace may not return its own inputs.
            state, pose, root = (t.clone() if last else t for t in (step.at.state, step.at.pose, step.at.root))
            return (step.poses, step.roots, state, pose, root, *([] if step.acceptance is None else [step.acceptance]))

        shapes = [
            *((count, arch.decoder_hidden), (count, 3 * arch.decoder_hidden), (count, arch.joints * 3), (count, 3)),
            *((count, 1), (count, arch.block_dim), (kicks, count, arch.block_dim), (kicks, count)),
            (count, arch.root_dim),
        ]
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            # Deprecated in favour of torch.compile, which needs a C++ compiler on the user's machine and many seconds.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.jit")
            torch.manual_seed(0)
            examples = tuple(torch.randn(shape) for shape in shapes)
            trace: Callable[..., Recorded] = torch.jit.trace
            return trace(run, examples, check_trace=False)


def _flatten(at: Trajectory, noise: BlockNoise) -> tuple[Tensor, ...]:
    return at.state, at.gates, at.pose, at.root, at.has_root, noise.base, noise.kicks, noise.log_uniforms, noise.root
