"""The forecaster's samplers as methods: the refined flow, and every control it has to beat, with the same weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import CheckpointError, InvalidInput
from bridge.evaluation.baselines import LastPose, constant_velocity, damped_velocity
from bridge.evaluation.kalman import Kalman
from bridge.evaluation.methods import REFINED, Method
from bridge.evaluation.nearest_neighbour import nearest_neighbour
from bridge.evaluation.published import PublishedRefinement
from bridge.evaluation.residual_mlp import ResidualBaseline, ResidualWeights, bundled_weights
from bridge.evaluation.windows import EvaluationWindow
from bridge.forecaster import BlockSampler, Control, Forecaster, RefinedFlow, Refinement
from bridge.forecaster.jobs import canonical_batch
from bridge.forecaster.refinement import KERNEL_FUNCTIONS
from bridge.forecaster.residual_mlp import ResidualMlp
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
GUIDED = "gru_nf_guided"
"""GRU-NF with the guide's step and no MCMC: only weights with a guide bring settings for it."""
# For a kernel that a checkpoint says nothing of, when ``gru_snf`` itself is not refined.
UNTUNED_KERNEL = Refinement("pcn", steps=1, step_size=0.2)


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


def standard_methods(
    forecaster: Forecaster,
    samples: int,
    refinement: Refinement,
    *,
    library: Sequence[EvaluationWindow] | None = None,
    residual_weights: Path | None = None,
) -> list[Method]:
    """Every method of the table: baselines first, then the controls, other refinements, and ``gru_snf`` last.

    Some can be absent; `missing_methods` says which and why.

    Args:
        forecaster: the weights.
        samples: S of every sampler.
        refinement: of ``gru_snf``.
        library: windows of other people than those that are scored, with futures as long as theirs, for
            ``nearest_neighbour``.
        residual_weights: of ``residual_mlp``; None: those bundled for the forecaster's layout, if there are any.

    Raises:
        CheckpointError: if the weights' settings for the controls or kernels, or those of the residual baseline,
            cannot be used.
    """
    rate_hz, layout = forecaster.rate_hz, forecaster.layout
    residual, _ = load_residual(forecaster, residual_weights)
    samplers: dict[str, BlockSampler] = {"gru_nf": RefinedFlow(Refinement()), **controls(forecaster.metadata.controls)}
    head = {"gaussian_head": samplers.pop("gaussian_head")}
    others = kernels(forecaster.metadata.kernels, refinement)

    def sampled(chosen: Mapping[str, BlockSampler]) -> Iterator[Method]:
        return (SampledMethod(name, forecaster, sampler, samples) for name, sampler in chosen.items())

    return [
        LastPose(),
        constant_velocity(rate_hz),
        damped_velocity(rate_hz),
        Kalman(rate_hz, layout.hips, samples),
        *([nearest_neighbour(library, layout, rate_hz, samples)] if library else []),
        SampledMethod("gru_mean", forecaster, Control(source="mean"), samples=1, stochastic=False),
        *([ResidualBaseline(residual, layout)] if residual is not None else []),
        *sampled(head),
        *sampled(samplers),
        PublishedRefinement(forecaster, samples),
        *sampled({f"{REFINED}_{kernel}": RefinedFlow(other) for kernel, other in others.items()}),
        *sampled({REFINED: RefinedFlow(refinement)}),
    ]


def missing_methods(
    forecaster: Forecaster,
    *,
    library: Sequence[EvaluationWindow] | None = None,
    residual_weights: Path | None = None,
) -> dict[str, str]:
    """Names of the methods that `standard_methods` leaves out for the same arguments, each with the reason."""
    missing = {} if library else {"nearest_neighbour": "no windows of a training split to look for neighbours in"}
    _, reason = load_residual(forecaster, residual_weights)
    return missing | ({} if reason is None else {"residual_mlp": reason})


def load_residual(forecaster: Forecaster, path: Path | None) -> tuple[ResidualMlp | None, str | None]:
    """The residual baseline's network for a forecaster's windows; without one, the reason.

    Raises:
        CheckpointError: if the file is damaged, or named by the caller and of no use for this forecaster.
    """
    file = path or bundled_weights(forecaster.layout)
    if path is None and not file.is_file():
        return None, f"no weights are bundled for layout {forecaster.layout.id}"
    weights = ResidualWeights.load(file)
    reads = weights.network.sizes.context_frames
    if weights.layout_id != forecaster.layout.id or weights.network.sizes.joints != forecaster.layout.joints:
        reason = f"its weights are for layout {weights.layout_id}, not {forecaster.layout.id}"
    elif weights.rate_hz != forecaster.rate_hz:
        reason = f"its weights are for {weights.rate_hz:g} Hz, windows come at {forecaster.rate_hz:g} Hz"
    elif reads > forecaster.context_frames:
        reason = f"it reads {reads} frames, windows have {forecaster.context_frames}"
    else:
        return weights.network, None
    if path is not None:
        raise CheckpointError(f"{path}: {reason}", field="residual_weights")
    return None, reason


def kernels(settings: Mapping[str, str], refinement: Refinement) -> dict[str, Refinement]:
    """The kernels that ``refinement`` does not use, each with its settings.

    Args:
        settings: of a checkpoint (metadata ``kernels``, the best found for each when it was tuned). A kernel without
            any takes those of ``refinement``.

    Raises:
        CheckpointError: if a setting cannot be read or is another kernel's.
    """
    fallback = refinement if refinement.active else replace(UNTUNED_KERNEL, temperature=refinement.temperature)
    found: dict[str, Refinement] = {}
    for kernel in KERNEL_FUNCTIONS:
        if kernel == refinement.kernel and refinement.active:
            continue
        text = settings.get(kernel)
        try:
            size = min(fallback.step_size, 1.0)
            found[kernel] = replace(fallback, kernel=kernel, step_size=size) if text is None else Refinement.parse(text)
        except InvalidInput as error:
            raise CheckpointError(f"{kernel}: {error}", field="weights.kernels") from error
        if found[kernel].kernel != kernel:
            raise CheckpointError(f"{text!r} for {kernel}", field="weights.kernels", expected=f"{kernel}(...)")
    return found


def controls(settings: Mapping[str, Any]) -> dict[str, Control]:
    """The controls by name, with the settings of a checkpoint (fields of `Control` by control) over the untuned ones.

    Raises:
        CheckpointError: if a setting is unknown.
    """
    tuned = dict(UNTUNED_CONTROLS)
    if GUIDED in settings:
        tuned[GUIDED] = Control()
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
