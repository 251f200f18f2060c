"""MediaPipe on a camera, a video or a folder of images: frames of the people in them.

What it needs is the extra ``capture``; MediaPipe and OpenCV are loaded when they are first used.
"""

from bridge.capture.camera import Camera
from bridge.capture.detector import Detection, PoseDetector, check_model
from bridge.capture.download import MODEL_URL
from bridge.capture.drawing import AnnotatedVideo, Preview, draw_poses
from bridge.capture.identities import Identities
from bridge.capture.model import DEFAULT_MODEL, MODEL_VARIABLE, MODELS, cached_model, find_model, model_url
from bridge.capture.one_euro import DEFAULT_BETA_PER_M, DEFAULT_MIN_CUTOFF_HZ, OneEuroFilter
from bridge.capture.recorder import Recorder
from bridge.capture.sources import ImageFolder, Picture, Source, VideoFile, open_source
from bridge.capture.stream import MAX_POSES, PoseStream, Seen, Smoothing, avatar_names

__all__ = [
    "DEFAULT_BETA_PER_M",
    "DEFAULT_MIN_CUTOFF_HZ",
    "DEFAULT_MODEL",
    "MAX_POSES",
    "MODELS",
    "MODEL_URL",
    "MODEL_VARIABLE",
    "AnnotatedVideo",
    "Camera",
    "Detection",
    "Identities",
    "ImageFolder",
    "OneEuroFilter",
    "Picture",
    "PoseDetector",
    "PoseStream",
    "Preview",
    "Recorder",
    "Seen",
    "Smoothing",
    "Source",
    "VideoFile",
    "avatar_names",
    "cached_model",
    "check_model",
    "draw_poses",
    "find_model",
    "model_url",
    "open_source",
]
