"""GRU-SNF: a GRU whose state conditions a normalizing flow, refined at inference by MCMC steps between its layers.

Names load on first use: a process that only handles finished forecasts never waits for torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.lazy_names import on_first_use

if TYPE_CHECKING:
    from bridge.forecaster.checkpoint import BUNDLED_WEIGHTS, Metadata
    from bridge.forecaster.forecaster import Forecaster, SampleBatch, WindowBatch, pick_device
    from bridge.forecaster.jobs import ForecastJob, run_jobs
    from bridge.forecaster.likelihood import OneStepBatch, one_step
    from bridge.forecaster.refinement import Refinement
    from bridge.forecaster.results import ForecastResult, OneStep
    from bridge.forecaster.sampling import BlockSampler, Control, RefinedFlow
    from bridge.forecaster.selection import match_modes, select_futures

_HOME_OF = {
    "BUNDLED_WEIGHTS": "checkpoint",
    "BlockSampler": "sampling",
    "Control": "sampling",
    "ForecastJob": "jobs",
    "ForecastResult": "results",
    "Forecaster": "forecaster",
    "Metadata": "checkpoint",
    "OneStep": "results",
    "OneStepBatch": "likelihood",
    "RefinedFlow": "sampling",
    "Refinement": "refinement",
    "SampleBatch": "forecaster",
    "WindowBatch": "forecaster",
    "match_modes": "selection",
    "one_step": "likelihood",
    "pick_device": "forecaster",
    "run_jobs": "jobs",
    "select_futures": "selection",
}

__all__ = [
    "BUNDLED_WEIGHTS",
    "BlockSampler",
    "Control",
    "ForecastJob",
    "ForecastResult",
    "Forecaster",
    "Metadata",
    "OneStep",
    "OneStepBatch",
    "RefinedFlow",
    "Refinement",
    "SampleBatch",
    "WindowBatch",
    "match_modes",
    "one_step",
    "pick_device",
    "run_jobs",
    "select_futures",
]


if not TYPE_CHECKING:  # a type checker that saw this would believe in any name
    __getattr__ = on_first_use(__name__, _HOME_OF)
