"""`pose-bridge train`: weights from recordings, motion files and BVH files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.clips import JointMapFile, read_motion
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, Device, Seed, Threads
from bridge.cli.output import write_json
from bridge.cli.progress import busy, timing

if TYPE_CHECKING:
    from rich.console import Console

    from bridge.recordings import Clip
    from bridge.skeleton import Layout
    from bridge.training.trainer import EpochReport


@examples(
    ("pose-bridge train --data motion --out mine.safetensors --minutes 60", "An hour on a folder; again to resume it."),
    (
        "pose-bridge train --data motion --out mine.safetensors --init a.safetensors",
        "Goes on from other weights instead of random ones.",
    ),
)
def train(
    data: Annotated[
        Path, typer.Option(help="Folder (with its sub-folders) or file: recordings, motion files, BVH files.")
    ],
    out: Annotated[Path, typer.Option(help="Weights file to write (.safetensors).")],
    joint_map: JointMapFile = None,
    minutes: Annotated[float, typer.Option(min=0.05, help="Time to train, validation included.")] = 60.0,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 0,
    rollout_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Part of the time for the energy score of rollouts.")
    ] = 0.5,
    guide_share: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Part of the time for the guide of the refinement; 0: no guide.")
    ] = 0.3,
    init: Annotated[Path | None, typer.Option(help="Start from these weights instead of random ones.")] = None,
    layout: Annotated[str, typer.Option(help="Landmark layout of the data.")] = "mediapipe.pose.33",
    tune: Annotated[bool, typer.Option(help="Choose refinement and controls on validation motion at the end.")] = True,
    residual_baseline: Annotated[
        bool, typer.Option("--residual-baseline", help="Train the deterministic baseline of `evaluate` instead.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Do not resume an interrupted training to the same file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train weights; interrupt it and run it again to resume.

    Subjects are kept apart: those marked validation in an index.csv (or about 15 % of them, where there is no index)
    choose the best weights and the refinement; nothing is trained on them. Without an index a subject is a sub-folder
    of --data, or else a file. The guide, small networks that predict the
    whole horizon at once, is trained after the rest.

    With --residual-baseline the weights are those of residual_mlp in `pose-bridge evaluate`, trained on the CPU in one
    go (those bundled took `--minutes 10 --threads 1`); --minutes, --threads, --seed and --layout apply.
    """
    from rich.console import Console

    from bridge.errors import InvalidInput
    from bridge.skeleton import get_layout
    from bridge.whole_file import check_output

    console = Console(stderr=True)
    with busy(console, "loading torch"):
        import torch

        from bridge.forecaster import pick_device
        from bridge.training import (
            ResidualOptions,
            Trainer,
            TrainingOptions,
            build_motion_set,
            split_clips,
            train_guide,
            tune_refinement,
        )

    if threads is not None:
        torch.set_num_threads(threads)
    chosen = get_layout(layout)
    if residual_baseline:
        if init is not None or fresh:
            raise InvalidInput(
                "has no meaning here",
                field="--fresh" if init is None else "--init",
                expected="nothing to go on from: with --residual-baseline training always starts anew",
            )
        clips = read_motion(data, joint_map, console)
        _train_residual_baseline(clips, out, chosen, minutes, seed, console, as_json)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    check_output(out)
    train_clips, validation_clips = split_clips(read_motion(data, joint_map, console))
    with busy(console, "preparing the motion"):
        train_set = build_motion_set(train_clips, chosen, 30.0)
        validation_set = build_motion_set(validation_clips, chosen, 30.0)
    options = TrainingOptions(
        minutes=minutes * (1.0 - guide_share), rollout_share=rollout_share, seed=seed, device=str(pick_device(device))
    )
    trainer = Trainer(train_set, validation_set, chosen, out, options, initial=init)
    console.print(
        f"{len(train_set.segment) / 1800:.1f} min of {len(set(train_set.subjects))} subjects to train on, "
        f"{len(validation_set.segment) / 1800:.1f} min of {len(set(validation_set.subjects))} to validate on; "
        f"torch {torch.__version__} on {options.device}, {torch.get_num_threads()} threads"
    )
    if fresh:
        trainer.state_path.unlink(missing_ok=True)
    if trainer.resume():
        console.print(f"resuming at {trainer.progress.elapsed_s / 60:.1f} min, step {trainer.progress.step}")
    with timing(console, "training", options.minutes * 60) as show:
        show(trainer.progress.elapsed_s, "training")

        def on_epoch(report: EpochReport) -> None:
            console.print(
                f"epoch {report.epoch:3d}  step {report.step:6d}  {report.phase:10s}  loss {report.train_loss:7.3f}  "
                f"validation: nll {report.validation_nll:6.3f}, energy score {report.validation_energy_score:6.3f}"
                + ("  best" if report.best else "")
            )

        def on_step(elapsed_s: float, loss: float) -> None:
            show(elapsed_s, f"{'rollouts' if trainer.rolling_out else 'likelihood'} {loss:.3f}")

        trainer.run(on_epoch, on_step)
    if guide_share > 0:
        with busy(console, "training the guide"):
            train_guide(
                out,
                train_set,
                validation_set,
                ResidualOptions(minutes=minutes * guide_share, batch_windows=96, seed=seed),
                console.print,
            )
    choice = None
    if tune:
        with busy(console, "choosing the refinement"):
            choice = tune_refinement(out, validation_set, console.print, budget_s=min(900.0, 12.0 * minutes))
    trainer.forget_progress()
    console.print(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")
    if as_json:
        best = min(trainer.history, key=lambda report: report.validation_energy_score)
        report = {
            "out": str(out),
            "steps": trainer.progress.step,
            "minutes": round(trainer.progress.elapsed_s / 60, 2),
            "epochs": len(trainer.history),
            "best": asdict(best),
            "refinement": None if choice is None else str(choice.refinement),
        }
        write_json(report)


def _train_residual_baseline(
    clips: list[Clip], out: Path, layout: Layout, minutes: float, seed: int, console: Console, as_json: bool
) -> None:
    import torch

    from bridge.evaluation.residual_mlp import ResidualWeights
    from bridge.forecaster.residual_mlp import ResidualMlp, ResidualSizes
    from bridge.training import build_motion_set, split_clips
    from bridge.training.residual import ResidualOptions, train_residual

    rate_hz = 30.0
    train_clips, validation_clips = split_clips(clips)
    torch.manual_seed(seed)
    network = ResidualMlp(ResidualSizes(layout.joints))
    with busy(console, "training"):
        last = train_residual(
            network,
            build_motion_set(train_clips, layout, rate_hz),
            build_motion_set(validation_clips, layout, rate_hz),
            layout,
            ResidualOptions(minutes=minutes, seed=seed),
            context_frames=network.sizes.context_frames,
            horizon_frames=network.sizes.horizon_frames,
            on_report=lambda report: console.print(
                f"{report.elapsed_s / 60:5.1f} min  step {report.step:6d}  loss {report.train_loss:.4f}  "
                f"validation: error over last pose {report.ratio:.4f}"
            ),
        )
    training = {
        "subjects": sorted({clip.subject for clip in train_clips}),
        "licences": sorted({clip.licence for clip in train_clips} - {""}),
        "seed": seed,
        **asdict(last),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    ResidualWeights(network, layout.id, rate_hz, training).save(out)
    console.print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)")
    if as_json:
        write_json({"out": str(out), **asdict(last)})
