"""The engine in this process: torch, on the CPU or one GPU."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.engine.protocol import EngineInfo, EngineRequest
from bridge.errors import BridgeError, InvalidInput
from bridge.skeleton import Layout

if TYPE_CHECKING:
    from bridge.forecaster import Forecaster
    from bridge.forecaster.results import ForecastResult, OneStep
    from bridge.timeline import Snapshot, Window


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
            padded=forecaster.device.type == "cuda",
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

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        """Roll out every window in one batch, however long it takes; see `bridge.forecaster.run_jobs`."""
        windows = [_window(request.snapshot, self._info.layout) for request in batch]
        try:
            return self._run(batch, windows)
        except InvalidInput:
            # Rare enough to be looked for only now: a body that fits no canonical frame, and everyone else's windows.
            checked = [_checked(window, self._info.layout) for window in windows]
            if all(after is before for after, before in zip(checked, windows, strict=True)):
                raise
            return self._run(batch, checked)

    def close(self) -> None:
        """Nothing is held that does not go with the object."""

    def memory_bytes(self) -> int | None:
        """Memory of the GPU that torch holds for this process; None without a GPU."""
        if self._forecaster.device.type != "cuda":
            return None
        import torch

        return torch.cuda.memory_reserved(self._forecaster.device)

    def _run(
        self, batch: Sequence[EngineRequest], windows: Sequence[Window | BridgeError]
    ) -> list[ForecastResult | BridgeError]:
        from bridge.forecaster import ForecastJob, run_jobs

        jobs = [
            ForecastJob(
                window=window,
                horizon_frames=request.horizon_frames,
                samples=request.samples,
                futures=request.futures,
                seed=request.seed,
            )
            for request, window in zip(batch, windows, strict=True)
            if not isinstance(window, BridgeError)
        ]
        judged = [
            window
            for request, window in zip(batch, windows, strict=True)
            if request.wants_likelihood and not isinstance(window, BridgeError)
        ]
        with self._on_its_device():
            made = iter(run_jobs(self._forecaster, jobs))
            steps = iter(self._judge(judged))
        return [
            window
            if isinstance(window, BridgeError)
            else _asked_for(request, next(made), next(steps) if request.wants_likelihood else None)
            for request, window in zip(batch, windows, strict=True)
        ]

    def _judge(self, windows: Sequence[Window]) -> list[OneStep]:
        from bridge.forecaster.likelihood import one_step

        if not windows:
            return []
        steps = one_step(self._forecaster, windows)
        return [steps[i] for i in range(len(windows))]

    def _on_its_device(self) -> AbstractContextManager[Any]:
        """Streams and graphs of a second GPU belong to it only while it is the thread's current one."""
        if self._forecaster.device.type != "cuda":
            return nullcontext()
        import torch

        return torch.cuda.device(self._forecaster.device)


def _asked_for(request: EngineRequest, result: ForecastResult, step: OneStep | None) -> ForecastResult:
    import torch

    # Most clients take half precision, and torch rounds to it ten times as fast as numpy.
    half = torch.from_numpy(result.futures_m).half().numpy()
    scored = None
    if request.scored_samples:
        some = result.samples_m[: request.scored_samples, : request.scored_steps]
        scored = torch.from_numpy(some).half().numpy()
    kept = result if request.keep_samples else result.without_samples()
    return replace(kept, futures_f16=half, scored_m=scored, one_step=step)


def layout_problem(snapshot: Snapshot, layout: Layout) -> InvalidInput | None:
    """What is wrong with a snapshot for an engine that serves ``layout``, if anything."""
    if snapshot.layout.id == layout.id:
        return None
    return InvalidInput(f"is {snapshot.layout.id!r}", field="layout_id", expected=f"{layout.id!r}, as the weights")


def _window(snapshot: Snapshot, layout: Layout) -> Window | BridgeError:
    problem = layout_problem(snapshot, layout)
    if problem is not None:
        return problem
    try:
        return snapshot.window()
    except BridgeError as error:
        return error


def _checked(window: Window | BridgeError, layout: Layout) -> Window | BridgeError:
    from bridge.forecaster.jobs import canonical_batch

    if isinstance(window, BridgeError):
        return window
    try:
        canonical_batch([window], layout)
    except BridgeError as error:
        return error
    return window
