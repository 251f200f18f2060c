"""Where forecasts are computed: torch's device, threads and cores, memory of the GPUs."""

from __future__ import annotations

import os
from pathlib import Path

from bridge.cli.checks.finding import Finding, hint, ok, problem, problem_of
from bridge.config import default_threads
from bridge.errors import InvalidInput

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_NVIDIA = Path("/dev/nvidia0")
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 2**30, 2**28


def usable_cores(quota_file: Path = _CPU_QUOTA) -> int:
    """Cores that this process may use: fewer than the machine has in a container with a quota or an affinity."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text(encoding="ascii").split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file here, or "max": no quota
        return cores


def check_torch(device: str, threads: int | None, *, cores: int | None = None) -> Finding:
    """Whether torch computes on the device, and whether there is a core for each of the model's threads."""
    try:
        import torch

        from bridge.forecaster.forecaster import pick_device
    except (ImportError, OSError) as error:
        return problem("torch", f"cannot be loaded: {error}", "pip install --force-reinstall torch")
    try:
        chosen = pick_device(device)
        square = torch.full((64, 64), 0.5, device=chosen)
        total = float((square @ square).sum())
    except InvalidInput as error:
        return problem_of("torch", error)
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        return problem("torch", f"{device} fails: {said}", "use --device cpu, or a torch that fits the driver")
    detail = f"torch {torch.__version__} on {chosen}"
    if total != 64 * 64 * 64 * 0.25:
        return problem("torch", f"{detail} multiplies wrongly", "use --device cpu")
    if chosen.type == "cpu":
        count, available = threads or default_threads(), cores or usable_cores()
        detail += f", {count} thread{'s' * (count > 1)} for the model, {available} core{'s' * (available > 1)}"
        if count > available:
            advice = f"set --threads {max(1, available // 2)}: threads without a core slow each other"
            return hint("torch", detail, advice)
        if device == "auto" and _NVIDIA.exists():
            return hint(
                "torch",
                f"{detail}; there is an NVIDIA GPU that torch does not see",
                "install a torch with CUDA that fits the driver (nvidia-smi names its version)",
            )
    return ok("torch", detail)


def check_gpu_memory(device: str) -> Finding:
    """Whether the GPU that would be used has memory left."""
    import torch

    from bridge.forecaster.forecaster import pick_device

    try:
        chosen = pick_device(device)
        if chosen.type != "cuda":
            return ok("gpu_memory", "no NVIDIA GPU is used")
        free_bytes, total_bytes = torch.cuda.mem_get_info(chosen)
        return judge_gpu_memory(torch.cuda.get_device_name(chosen), free_bytes, total_bytes)
    except InvalidInput as error:
        return problem_of("gpu_memory", error)
    except RuntimeError as error:
        return problem("gpu_memory", str(error).splitlines()[0], "free memory of the GPU, or use --device cpu")


def judge_gpu_memory(gpu: str, free_bytes: int, total_bytes: int) -> Finding:
    """What so much free memory of a GPU means."""
    detail = f"{gpu}: {free_bytes / 2**30:.1f} of {total_bytes / 2**30:.1f} GiB free"
    advice = "end what else runs on it (nvidia-smi lists it), choose another with --device cuda:N, or use --device cpu"
    if free_bytes < _TOO_LITTLE_BYTES:
        return problem("gpu_memory", detail, advice)
    return hint("gpu_memory", detail, advice) if free_bytes < _LITTLE_BYTES else ok("gpu_memory", detail)
