"""The forecaster's samplers as methods: the refined flow, and every control it has to beat, with the same weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import CheckpointError
from bridge.evaluation.baselines import LastPose, constant_velocity, damped_velocity
from bridge.evaluation.methods import REFINED, Method
from bridge.forecaster import BlockSampler, Control, Forecaster, RefinedFlow, Refinement
from bridge.forecaster.jobs import canonical_batch
from bridge.frames import Window

# Settings of the controls where a checkpoint brings none of its own (metadata ``controls``, tuned with it on validation
# data): the best found for such a flow in a first experiment.
UNTUNED_CONTROLS: Mapping[str, Control] = {
    "gaussian_head": Control(source="head", temperature=0.9),
    "gru_nf_tempered": Control(temperature=0.9),
    "gru_nf_clamped": Control(clamp=2.0),
    "gru_nf_noise": Control(temperature=0.6, noise=0.5),
    "gru_nf_shrunk": Control(shrink=0.2),
}


@dataclass(frozen=True, slots=True)
class SampledMethod:
    """Futures drawn with one of the forecaster's samplers.

    Attributes:
        name: key in tables.
        forecaster: whose weights.
        sampler: how a block is drawn.
        samples: S.
        stochastic: False where all samples would be the same.
    """

    name: str
    forecaster: Forecaster
    sampler: BlockSampler
    samples: int
    stochastic: bool = True

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        """(B, S, H, J, 3) metres, hip-centred."""
        batch, frame = canonical_batch(windows, self.forecaster.layout)
        drawn = self.forecaster.sample(
            batch, horizon_frames=horizon_frames, samples=self.samples, seeds=seeds, sampler=self.sampler
        ).pose
        # One similarity for all frames of all samples of a window.
        rows = drawn.reshape(len(drawn), self.samples * horizon_frames, *drawn.shape[3:])
        return frame.pose_to_world(rows).reshape(drawn.shape)


def standard_methods(forecaster: Forecaster, samples: int, refinement: Refinement) -> list[Method]:
    """Every method of the table: baselines first, then the controls, the refined flow last.

    Args:
        forecaster: the weights.
        samples: S of every sampler.
        refinement: of ``gru_snf``.

    Raises:
        CheckpointError: if the weights' settings for the controls cannot be used.
    """
    rate_hz = forecaster.rate_hz
    samplers: dict[str, BlockSampler] = {
        "gru_nf": RefinedFlow(Refinement()),
        **controls(forecaster.metadata.controls),
        REFINED: RefinedFlow(refinement),
    }
    return [
        LastPose(),
        constant_velocity(rate_hz),
        damped_velocity(rate_hz),
        SampledMethod("gru_mean", forecaster, Control(source="mean"), samples=1, stochastic=False),
        *(SampledMethod(name, forecaster, sampler, samples) for name, sampler in samplers.items()),
    ]


def controls(settings: Mapping[str, Any]) -> dict[str, Control]:
    """The controls by name, with the settings of a checkpoint (fields of `Control` by control) over the untuned ones.

    Raises:
        CheckpointError: if a setting is unknown.
    """
    tuned = dict(UNTUNED_CONTROLS)
    for name, fields in settings.items():
        if name not in tuned:
            raise CheckpointError(
                f"settings for an unknown control {name!r}", field="weights.controls", expected=", ".join(tuned)
            )
        try:
            tuned[name] = replace(Control(source=tuned[name].source), **fields)
        except TypeError as error:
            raise CheckpointError(f"{name}: {error}", field="weights.controls") from error
    return tuned
