"""The engine in this process: torch, on the CPU or one GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.engine.protocol import EngineInfo, EngineRequest

if TYPE_CHECKING:
    from bridge.forecaster import Forecaster, ForecastResult


class LocalEngine:
    """Runs a `bridge.forecaster.Forecaster`."""

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self._info = EngineInfo(
            layout=forecaster.layout,
            rate_hz=forecaster.rate_hz,
            context_frames=forecaster.context_frames,
            refinement=str(forecaster.refinement),
            weights_id=forecaster.weights_id,
            device=str(forecaster.device),
        )

    @classmethod
    def load(cls, weights: Path | None = None, *, device: str = "auto", threads: int | None = None) -> LocalEngine:
        """Load a weights file, or the bundled weights.

        Raises:
            CheckpointError: if the file is missing, damaged, not ours, or newer than this software.
            InvalidInput: if there is no such device.
        """
        from bridge.forecaster import Forecaster

        return cls(Forecaster.load(weights, device=device, threads=threads))

    @property
    def info(self) -> EngineInfo:
        """What these weights serve."""
        return self._info

    def infer(self, requests: Sequence[EngineRequest]) -> list[ForecastResult]:
        """Roll out every window in one batch; see `bridge.forecaster.run_jobs`."""
        from bridge.forecaster import ForecastJob, run_jobs

        jobs = [
            ForecastJob(
                window=request.window,
                horizon_frames=request.horizon_frames,
                samples=request.samples,
                futures=request.futures,
                seed=request.seed,
            )
            for request in requests
        ]
        return run_jobs(self._forecaster, jobs)
