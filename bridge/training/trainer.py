"""The training loop: likelihood, then the energy score of sampled rollouts; validated, resumable, bounded in time."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridge.errors import CheckpointError, InvalidInput
from bridge.forecaster.architecture import Architecture
from bridge.forecaster.checkpoint import Metadata, load_checkpoint, load_tensors, save_checkpoint, save_tensors
from bridge.forecaster.model import GruSnf
from bridge.forecaster.refinement import Refinement
from bridge.forecaster.sampling import RefinedFlow
from bridge.skeleton import Layout
from bridge.training.augment import Augmentation
from bridge.training.batches import TrainingBatch, make_batch
from bridge.training.motion import MotionSet, sampling_weights
from bridge.training.objectives import likelihood, rollout_energy_score

_STATE_FORMAT = "posebridge.training_state.1"


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train.

    Attributes:
        minutes: time to spend, validation included; a resumed training goes on where its clock stood.
        rollout_share: part of that time for the energy score of rollouts, after likelihood alone.
        horizon_frames: frames predicted in training.
        batch_windows, rollout_windows: windows per step in the two phases.
        rollout_samples: trajectories per window in the second phase.
        likelihood_weight: weight of the likelihood in the second phase.
        patience: validations without improvement before a phase ends early.
        seed: of everything random.
    """

    minutes: float = 60.0
    rollout_share: float = 0.5
    horizon_frames: int = 30
    batch_windows: int = 128
    rollout_windows: int = 48
    rollout_samples: int = 6
    learning_rate: float = 1.5e-3
    rollout_learning_rate: float = 4e-4
    weight_decay: float = 1e-4
    likelihood_weight: float = 0.2
    noise_floor: float = 0.003
    input_noise: float = 0.004
    average_decay: float = 0.998
    patience: int = 12
    validation_windows: int = 384
    validation_samples: int = 16
    seed: int = 0
    device: str = "cpu"
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One validation: how far training is, and the scores of the averaged weights on unseen subjects."""

    epoch: int
    step: int
    elapsed_s: float
    phase: str
    train_loss: float
    validation_nll: float
    validation_energy_score: float
    best: bool


@dataclass
class _Progress:
    step: int = 0
    epoch: int = 0
    elapsed_s: float = 0.0
    rollout_started_s: float | None = None
    best: float = math.inf
    since_best: int = 0


class Trainer:
    """Trains one network; `run` until time or patience is over. Interrupt it at will: the next run resumes."""

    def __init__(
        self,
        train: MotionSet,
        validation: MotionSet,
        layout: Layout,
        out: Path,
        options: TrainingOptions,
        *,
        architecture: Architecture | None = None,
        rate_hz: float = 30.0,
        initial: Path | None = None,
    ) -> None:
        self.layout, self.out, self.options, self.rate_hz = layout, out, options, rate_hz
        self.train_set, self.validation_set = train, validation
        started = None if initial is None else self._load_initial(initial)
        self.started_from = None if started is None else started[1].training
        self.architecture = (
            started[1].architecture if started else architecture or Architecture.for_joints(layout.joints)
        )
        self.frames = self.architecture.context_frames + options.horizon_frames
        self.starts = train.window_starts(self.frames)
        if len(self.starts) == 0:
            raise InvalidInput(
                "no clip is long enough", field="data", expected=f"clips of {self.frames} frames or more"
            )
        self.weights = sampling_weights(train, self.starts, self.frames)
        self.cumulative_weights = np.cumsum(self.weights)
        self._prefetch = ThreadPoolExecutor(1)
        self._prepared: dict[tuple[int, int], Future[TrainingBatch]] = {}
        torch.manual_seed(options.seed)
        if started is not None:
            self.model = started[0].train().requires_grad_(True)
        else:
            self.model = GruSnf(self.architecture)
            self._fit_codec()
        self.model.to(options.device)
        self.average = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=options.weight_decay
        )
        self.progress = _Progress()
        self.state_path = out.with_name(f"{out.name}.state")
        self.validation_batch = self._validation_batch()
        self.history: list[EpochReport] = []

    def _load_initial(self, path: Path) -> tuple[GruSnf, Metadata]:
        model, metadata, _ = load_checkpoint(path)
        if metadata.layout != self.layout:
            raise CheckpointError(
                f"{path} is for layout {metadata.layout.id}", field="init", expected=f"weights for {self.layout.id}"
            )
        return model, metadata

    def _fit_codec(self) -> None:
        rng = np.random.default_rng([self.options.seed, 1])
        chosen = rng.choice(self.starts, size=min(8192, 4 * len(self.starts)), p=self.weights)
        batch = make_batch(
            self.train_set,
            chosen,
            self.layout,
            context_frames=self.architecture.context_frames,
            horizon_frames=self.options.horizon_frames,
            augmentation=replace(self.options.augmentation, noise_share=0.0, dropout_share=0.0),
            rng=rng,
        )
        size = self.architecture.block_frames
        path = torch.cat([batch.context.pose[:, -1:], batch.future], dim=1)
        steps = (path.shape[1] - 1) // size
        picked = torch.arange(0, steps, max(1, steps // 3)) * size
        blocks = torch.cat([path[:, i + 1 : i + 1 + size] - path[:, i : i + 1] for i in picked.tolist()])
        poses = torch.cat([batch.context.pose[:, 0], batch.context.pose[:, -1], batch.future[:, -1]])
        self.model.codec.fit(blocks.numpy(), poses.numpy())

    def _validation_batch(self) -> TrainingBatch:
        starts = self.validation_set.window_starts(self.frames, stride=15)
        if len(starts) == 0:
            raise InvalidInput("no validation clip is long enough", field="data", expected=f"{self.frames} frames")
        even = np.linspace(0, len(starts) - 1, min(len(starts), self.options.validation_windows)).astype(np.int64)
        return self._to_device(
            make_batch(
                self.validation_set,
                starts[even],
                self.layout,
                context_frames=self.architecture.context_frames,
                horizon_frames=self.options.horizon_frames,
            )
        )

    def _to_device(self, batch: TrainingBatch) -> TrainingBatch:
        return batch.map(lambda tensor: tensor.to(self.options.device))

    @property
    def rolling_out(self) -> bool:
        """Whether the second phase has begun."""
        return self.progress.rollout_started_s is not None

    def run(self, on_epoch: Callable[[EpochReport], None], on_step: Callable[[float, float], None]) -> None:
        """Train until time or patience is over; `on_step(elapsed_s, loss)` and `on_epoch(report)` say how it goes."""
        total_s = self.options.minutes * 60.0
        epoch_s = min(max(total_s / 24.0, 5.0), 120.0)
        try:
            self._run(total_s, epoch_s, on_epoch, on_step)
        finally:
            self._prefetch.shutdown(cancel_futures=True)
            self._prepared.clear()

    def forget_progress(self) -> None:
        """Nothing is left to resume: the next training to this file starts anew."""
        self.state_path.unlink(missing_ok=True)

    def _run(
        self,
        total_s: float,
        epoch_s: float,
        on_epoch: Callable[[EpochReport], None],
        on_step: Callable[[float, float], None],
    ) -> None:
        while self.progress.elapsed_s < total_s:
            rollout_due = self.progress.elapsed_s >= total_s * (1.0 - self.options.rollout_share)
            if rollout_due and not self.rolling_out and self.options.rollout_share > 0:
                self._begin_rollouts()
            losses: list[float] = []
            until = min(self.progress.elapsed_s + epoch_s, total_s)
            while self.progress.elapsed_s < until or not losses:
                begun = time.monotonic()
                losses.append(self._step(total_s))
                self.progress.elapsed_s += time.monotonic() - begun
                on_step(self.progress.elapsed_s, losses[-1])
            begun = time.monotonic()
            report = self._validate(float(np.mean(losses)))
            self.progress.elapsed_s += time.monotonic() - begun
            self._save_state()
            on_epoch(report)
            if self.progress.since_best >= self.options.patience:
                if self.rolling_out or self.options.rollout_share <= 0:
                    break
                self._begin_rollouts()

    def _begin_rollouts(self) -> None:
        """Go on from the averaged weights, with a fresh optimiser."""
        self.progress.rollout_started_s = self.progress.elapsed_s
        self.progress.since_best = 0
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self.average[name])
        self.optimizer.state.clear()

    def _learning_rate(self, total_s: float) -> float:
        started = self.progress.rollout_started_s
        peak = self.options.learning_rate if started is None else self.options.rollout_learning_rate
        begin = started or 0.0
        end = total_s if started is not None else total_s * (1.0 - self.options.rollout_share) or total_s
        share = min(1.0, (self.progress.elapsed_s - begin) / max(end - begin, 1e-9))
        warm = min(1.0, (self.progress.step + 1) / 100.0)
        return peak * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))

    def _step(self, total_s: float) -> float:
        options, progress = self.options, self.progress
        windows = options.rollout_windows if self.rolling_out else options.batch_windows
        batch = self._to_device(self._prepare(progress.step, windows).result())
        self._prepare(progress.step + 1, windows)
        torch.manual_seed(options.seed * 1_000_003 + progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(total_s)
        terms = likelihood(self.model, batch, noise_floor=options.noise_floor, input_noise=options.input_noise)
        loss = terms.flow + 0.5 * terms.head + 0.2 * terms.root
        if self.rolling_out:
            score = rollout_energy_score(self.model, batch, RefinedFlow(Refinement()), options.rollout_samples)
            loss = options.likelihood_weight * loss + score.mean() / 4.0
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if bool(torch.isfinite(loss)):
            self.optimizer.step()
        decay = min(options.average_decay, (1 + progress.step) / (10 + progress.step))
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                self.average[name].lerp_(parameter, 1.0 - decay)
        progress.step += 1
        return float(loss.detach())

    def _prepare(self, step: int, windows: int) -> Future[TrainingBatch]:
        """The batch of a step, made on a thread beside the training; the same one whenever it is asked for."""
        key = (step, windows)
        if key not in self._prepared:
            self._prepared.clear()
            self._prepared[key] = self._prefetch.submit(self._make, step, windows)
        return self._prepared[key]

    def _make(self, step: int, windows: int) -> TrainingBatch:
        rng = np.random.default_rng([self.options.seed, 2, step])
        starts = np.searchsorted(self.cumulative_weights, rng.random(windows))
        return make_batch(
            self.train_set,
            self.starts[starts.clip(max=len(self.starts) - 1)],
            self.layout,
            context_frames=self.architecture.context_frames,
            horizon_frames=self.options.horizon_frames,
            augmentation=self.options.augmentation,
            rng=rng,
        )

    @torch.no_grad()
    def _validate(self, train_loss: float) -> EpochReport:
        """Score the averaged weights; keep them if they are the best so far."""
        progress = self.progress
        current = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self._load_parameters(self.average)
        torch.manual_seed(20240229)
        nll, scores = [], []
        for part in self.validation_batch.parts(64):
            nll.append(float(likelihood(self.model, part, noise_floor=self.options.noise_floor, input_noise=0.0).flow))
            sampler = RefinedFlow(Refinement())
            scores.append(rollout_energy_score(self.model, part, sampler, self.options.validation_samples))
        energy = float(torch.cat(scores).mean())
        progress.epoch += 1
        best = energy < progress.best
        progress.since_best = 0 if best else progress.since_best + 1
        progress.best = min(progress.best, energy)
        phase = "rollouts" if self.rolling_out else "likelihood"
        report = EpochReport(
            progress.epoch, progress.step, progress.elapsed_s, phase, train_loss, float(np.mean(nll)), energy, best
        )
        self.history.append(report)
        if best:
            save_checkpoint(self.out, self.model, self._metadata())
        self._load_parameters(current)
        return report

    def _load_parameters(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(values[name])

    def _metadata(self) -> Metadata:
        train = self.train_set
        minutes = {
            family: round(float(rows) / self.rate_hz / 60.0, 1)
            for family, rows in _rows_by_family(train.families, train.segment).items()
        }
        training: dict[str, Any] = {
            "families_minutes": minutes,
            "licences": list(train.licences),
            "subjects": sorted(set(train.subjects)),
            "minutes_trained": round(self.progress.elapsed_s / 60.0, 1),
            "steps": self.progress.step,
            "seed": self.options.seed,
            "torch": torch.__version__,
            "options": asdict(self.options),
        }
        if self.started_from is not None:
            training["started_from"] = self.started_from
        validation = {"epochs": [asdict(report) for report in self.history[-40:]]}
        return Metadata(self.layout, self.rate_hz, self.architecture, Refinement(), training, validation)

    def _save_state(self) -> None:
        tensors = {f"model.{n}": t for n, t in self.model.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        strings = {
            "format": _STATE_FORMAT,
            "options": json.dumps(asdict(self.options)),
            "architecture": json.dumps(self.architecture.to_dict()),
            "progress": json.dumps(asdict(self.progress)),
            "history": json.dumps([asdict(report) for report in self.history]),
        }
        save_tensors(self.state_path, tensors, strings)

    def resume(self) -> bool:
        """Take up an interrupted training to the same file; False if there is none.

        Raises:
            CheckpointError: if the state is damaged or of a training with other sizes.
        """
        if not self.state_path.is_file():
            return False
        tensors, strings = load_tensors(self.state_path)
        sizes = json.dumps(self.architecture.to_dict())
        if strings.get("format") != _STATE_FORMAT or strings.get("architecture") != sizes:
            raise CheckpointError(
                f"{self.state_path} belongs to another training", field="out", expected="another --out, or remove it"
            )
        self.model.load_state_dict({n[6:]: t for n, t in tensors.items() if n.startswith("model.")})
        self.average = {n[8:]: t.to(self.options.device) for n, t in tensors.items() if n.startswith("average.")}
        parameters = dict(self.model.named_parameters())
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, key, parameter_name = name.split(".", 2)
                self.optimizer.state[parameters[parameter_name]][key] = (
                    tensor if key == "step" else tensor.to(self.options.device)
                )
        self.progress = _Progress(**json.loads(strings["progress"]))
        self.history = [EpochReport(**report) for report in json.loads(strings["history"])]
        return True


def _rows_by_family(families: tuple[str, ...], segment: NDArray[np.int32]) -> dict[str, int]:
    names = np.array(families)[segment]
    found, counts = np.unique(names, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
