"""Training: motion, augmentation, objectives, the loop, and the choice of refinement."""

from bridge.training.guide import GUIDE_NETS, train_guide
from bridge.training.motion import MotionSet, build_motion_set, split_clips
from bridge.training.residual import ResidualOptions, train_residual
from bridge.training.trainer import EpochReport, Trainer, TrainingOptions
from bridge.training.tuning import Choice, tune_refinement

__all__ = [
    "GUIDE_NETS",
    "Choice",
    "EpochReport",
    "MotionSet",
    "ResidualOptions",
    "Trainer",
    "TrainingOptions",
    "build_motion_set",
    "split_clips",
    "train_guide",
    "train_residual",
    "tune_refinement",
]
