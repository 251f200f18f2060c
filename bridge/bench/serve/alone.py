"""The forecaster with nothing around it: ``python -m bridge.bench.serve.alone ...`` prints its times as JSON.

What `pose-bridge bench rollout` times: the whole rollout and the selection of futures, batches of one size in a row.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from bridge.wire.values import SessionConfig

_LEAST_REPEATS = 3


def seconds_per_batch(
    batches: list[int], *, threads: int | None, weights: Path | None, device: str, seconds: float
) -> dict[int, tuple[float, float]]:
    """Return the median time of a batch of each size and the median processor time, repeated for ``seconds`` each."""
    from bridge.bench.workload import standing_windows
    from bridge.forecaster import Forecaster, WindowBatch, select_futures

    asked = SessionConfig()
    forecaster = Forecaster.load(weights, device=device, threads=threads)
    horizon_frames = asked.horizon_steps(forecaster.rate_hz)
    medians: dict[int, tuple[float, float]] = {}
    for batch in batches:
        windows = standing_windows(forecaster, batch)

        def once(seed: int, windows: WindowBatch = windows, batch: int = batch) -> None:
            seeds = range(seed * batch, (seed + 1) * batch)
            drawn = forecaster.sample(windows, horizon_frames=horizon_frames, samples=asked.samples, seeds=seeds)
            select_futures(drawn.pose, asked.futures)

        for seed in range(2):
            once(seed)
        wall_s: list[float] = []
        cpu_s: list[float] = []
        while len(wall_s) < _LEAST_REPEATS or sum(wall_s) < seconds:
            began_s, spent_s = time.perf_counter(), time.process_time()
            once(len(wall_s))
            wall_s.append(time.perf_counter() - began_s)
            cpu_s.append(time.process_time() - spent_s)
        medians[batch] = statistics.median(wall_s), statistics.median(cpu_s)
    return medians


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args(arguments)
    medians = seconds_per_batch(
        [int(size) for size in given.batches.split(",")],
        threads=given.threads,
        weights=given.weights,
        device=given.device,
        seconds=given.seconds,
    )
    print(json.dumps(medians), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
