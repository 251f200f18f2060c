"""GRU-SNF: a GRU whose state conditions a normalizing flow, refined at inference by MCMC steps between its layers."""

from bridge.forecaster.checkpoint import BUNDLED_WEIGHTS, Metadata
from bridge.forecaster.forecaster import Forecaster, SampleBatch, WindowBatch, pick_device
from bridge.forecaster.jobs import ForecastJob, ForecastResult, run_jobs
from bridge.forecaster.refinement import Refinement
from bridge.forecaster.sampling import BlockSampler, Control, RefinedFlow
from bridge.forecaster.selection import match_modes, select_futures

__all__ = [
    "BUNDLED_WEIGHTS",
    "BlockSampler",
    "Control",
    "ForecastJob",
    "ForecastResult",
    "Forecaster",
    "Metadata",
    "RefinedFlow",
    "Refinement",
    "SampleBatch",
    "WindowBatch",
    "match_modes",
    "pick_device",
    "run_jobs",
    "select_futures",
]
