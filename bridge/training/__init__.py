"""Training: motion, augmentation, objectives, the loop, and the choice of refinement."""

from bridge.training.motion import MotionSet, build_motion_set, split_clips
from bridge.training.trainer import EpochReport, Trainer, TrainingOptions
from bridge.training.tuning import Choice, tune_refinement

__all__ = [
    "Choice",
    "EpochReport",
    "MotionSet",
    "Trainer",
    "TrainingOptions",
    "build_motion_set",
    "split_clips",
    "tune_refinement",
]
