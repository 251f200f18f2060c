"""From a BVH file to a clip of landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.bvh.frames import read_frames
from bridge.bvh.joint_map import AXES, UNITS_M, JointMap, builtin_map, builtin_names
from bridge.bvh.landmarks import Plan, plan, require_unmirrored
from bridge.bvh.rig import Rig, read_header
from bridge.bvh.template import MEASURES
from bridge.errors import InvalidInput
from bridge.geometry import hip_middle
from bridge.motion_files import MotionFile, refused
from bridge.recordings import Clip, checked_clip, family_of
from bridge.skeleton import MEDIAPIPE_POSE_33

SUFFIX = ".bvh"
WRITE_MAP = "pose-bridge convert FILE.bvh --write-joint-map MAP.toml"
"""The command that begins a joint map for a file."""
_LYING = 0.5

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class BvhReport:
    """How a file was read.

    Attributes:
        clip_id: of the clip.
        joint_map: its name.
        unit: in words. height_m: of the body by it.
        up, forward: names of the file's axes that were taken for those.
        derived, missing: landmarks from templates and offsets, and those that there are none of.
        warnings: what the reader should look at, each a sentence.
    """

    clip_id: str
    joint_map: str
    unit: str
    height_m: float
    up: str
    forward: str
    derived: tuple[str, ...]
    missing: tuple[str, ...]
    warnings: tuple[str, ...]


def read_bvh(
    file: MotionFile, joint_map: JointMap | None = None, *, on_bytes: Progress | None = None
) -> tuple[Clip, BvhReport]:
    """Read a BVH file as a clip of MediaPipe's 33 landmarks.

    The clip is hip-centred, in metres along MediaPipe's axes, with the middle of the hips as root, at the file's own
    frame rate. Landmarks that a joint or a point between joints stands for have visibility 1, those from templates and
    offsets `bridge.bvh.landmarks.DERIVED_VISIBILITY`, those that there are none of 0 and NaN. A frame whose hips are no
    numbers is a frame in which nobody was detected.

    Args:
        file: which one.
        joint_map: which joints are which landmarks; None: the built-in map that fits.
        on_bytes: called with how many bytes more have been read.

    Raises:
        InvalidInput: if the file is damaged, the joint map does not fit, or no built-in one does.
        FailedPrecondition: if bvhio is not installed.
    """
    path = file.path
    try:
        opened = path.open("rb")
    except OSError as error:
        raise refused(path, f"cannot be opened: {error.strerror or error}", "a file that can be read") from None
    with opened:
        header = read_header(opened, path)
        try:
            chosen = joint_map or fitting_map(header.rig)
        except InvalidInput as error:
            raise refused(path, error.problem, error.expected) from None
        made: Plan | None = None
        waiting, portions = 0, []
        at = 0
        for values in read_frames(opened, header, path):
            if made is None:
                known = np.flatnonzero(np.isfinite(values).all(axis=1))
                if len(known):
                    try:
                        made = plan(chosen, header.rig, values[known[:1]])
                    except InvalidInput as error:
                        raise refused(path, error.problem, error.expected) from None
            if made is None:
                waiting += len(values)
            else:
                portions.append(made.landmarks(header.rig, values).astype(np.float32))
            if on_bytes is not None:
                on_bytes(opened.tell() - at)
                at = opened.tell()
    if made is None:
        raise refused(path, "has no frame without a value that is no number", "numbers")
    missing = np.full((waiting, MEDIAPIPE_POSE_33.joints, 3), np.nan, np.float32)
    world_m = np.concatenate([missing, *portions])
    try:
        require_unmirrored(made, world_m)
    except InvalidInput as error:
        raise refused(path, error.problem, error.expected) from None
    clip = _clip(file, world_m, made, header.frame_time_s)
    return clip, BvhReport(
        clip_id=clip.clip_id,
        joint_map=chosen.name,
        unit=_unit_in_words(made.unit_m),
        height_m=made.height_m,
        up=made.up,
        forward=made.forward,
        derived=made.derived,
        missing=made.missing,
        warnings=tuple(_warnings(clip, made, chosen)),
    )


def fitting_map(rig: Rig) -> JointMap:
    """The built-in joint map whose joints the rig has; of several the one that finds the most of its own.

    Raises:
        InvalidInput: if none fits; lists the joints.
    """
    fitting = [made for made in map(builtin_map, builtin_names()) if _fits(made, rig)]
    if not fitting:
        names = [joint.name for joint in rig.joints]
        some = ", ".join(names[:40]) + (f", ... ({len(names)} in all)" if len(names) > 40 else "")
        raise InvalidInput(
            f"fits no built-in joint map ({', '.join(builtin_names())}); its joints are {some}",
            field="data",
            expected=f"--joint-map MAP.toml, which `{WRITE_MAP}` begins",
        )
    return max(fitting, key=lambda made: _found(made, rig))


def _fits(made: JointMap, rig: Rig) -> bool:
    return all(
        any(not isinstance(choice, str) and all(map(rig.find, choice.joints)) for choice in made.landmarks[name])
        for name in MEASURES
    ) and all(rig.find(name) for point in made.templates.values() for name in point.joints)


def _found(made: JointMap, rig: Rig) -> int:
    points = [choice for choices in made.landmarks.values() for choice in choices if not isinstance(choice, str)]
    return sum(rig.find(name) is not None for point in points for name in point.joints)


def _clip(file: MotionFile, world_m: NDArray[np.float32], made: Plan, frame_time_s: float) -> Clip:
    entry = file.entry(file.name)
    subject = entry.get("subject") or file.subject
    # float64: a world is large.
    middle = np.asarray(hip_middle(world_m.astype(np.float64), MEDIAPIPE_POSE_33))
    pose_m = (world_m - middle[:, None]).astype(np.float32)
    pose_m[~np.isfinite(middle).all(axis=1)] = np.nan
    visibility = np.broadcast_to(made.visibility, pose_m.shape[:2]).copy()
    return checked_clip(
        file.path,
        Clip(
            clip_id=file.name,
            subject=subject,
            action=entry.get("action", ""),
            split=entry.get("split") or None,
            family=family_of(subject),
            licence=entry.get("licence", ""),
            layout_id=MEDIAPIPE_POSE_33.id,
            fps=round(1.0 / frame_time_s, 2),
            pose_m=pose_m,
            visibility=visibility,
            root_m=middle.astype(np.float32),
            root_has_vertical=False,
            timestamp_us=np.rint(np.arange(len(pose_m)) * (frame_time_s * 1e6)).astype(np.int64),
        ),
    )


def _unit_in_words(unit_m: float) -> str:
    return next((name for name, metres in UNITS_M.items() if metres == unit_m), f"{unit_m:g} m")


def _warnings(clip: Clip, made: Plan, joint_map: JointMap) -> list[str]:
    warnings = []
    lost = int((~clip.detected).sum())
    if lost:
        warnings.append(f"{lost} of {clip.frames} frames hold values that are no numbers: nobody is detected there")
    if made.missing:
        warnings.append(f"no {', '.join(made.missing)}: training and evaluation take only frames with every landmark")
    if made.from_first_frame:
        warnings.append("the offsets make no standing body: directions are those of the first frame")
    layout = MEDIAPIPE_POSE_33
    trunk = clip.pose_m[clip.detected][:, layout.shoulders].mean(axis=1)
    trunk /= np.maximum(np.linalg.norm(trunk, axis=-1, keepdims=True), 1e-9)
    if -float(np.median(trunk[:, 1])) < _LYING and joint_map.up is None:
        warnings.append(
            f"the body lies, or stands on its head, most of the time if {made.up} is up; if it does not, say"
            f" up = one of {', '.join(AXES)} in a joint map"
        )
    return warnings
