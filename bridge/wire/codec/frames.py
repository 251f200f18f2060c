"""Observed poses: `bridge.frames.Frame` and ``PoseFrame``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge import limits
from bridge.errors import InvalidInput
from bridge.frames import Frame
from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import pose_pb2
from bridge.wire.values import checked_name

_AXES = "xyz"


def frame_to_message(frame: Frame) -> pose_pb2.PoseFrame:
    """Return the message of a frame, unchecked: `checked_frame` checks."""
    message = pose_pb2.PoseFrame(avatar_id=frame.avatar_id, sequence=frame.sequence, timestamp_us=frame.timestamp_us)
    if frame.landmarks is not None:
        message.landmarks.extend(frame.landmarks.ravel().tolist())
    if frame.root_m is not None:
        x, y, z = frame.root_m.tolist()
        message.root.CopyFrom(pose_pb2.Vec3(x=x, y=y, z=z))
    return message


def frame_from_message(message: pose_pb2.PoseFrame, layout: Layout) -> Frame:
    """Read and check a frame; no landmarks at all means that nobody was detected.

    Raises:
        InvalidInput: if a field cannot be used; ``field`` says which, as ``frame.<name>``.
    """
    landmarks: NDArray[np.float32] | None = None
    numbers = len(message.landmarks)
    if numbers:
        if numbers != 4 * layout.joints:
            raise InvalidInput(
                f"has {numbers} numbers",
                field="frame.landmarks",
                expected=f"{4 * layout.joints} (x, y, z, visibility of {layout.joints} landmarks), or none at all",
            )
        landmarks = np.array(message.landmarks, dtype=np.float32).reshape(layout.joints, 4)
    root_m: NDArray[np.float32] | None = None
    if message.HasField("root"):
        root_m = np.array([message.root.x, message.root.y, message.root.z], dtype=np.float32)
    return checked_frame(Frame(message.avatar_id, message.sequence, message.timestamp_us, landmarks, root_m), layout)


def checked_frame(frame: Frame, layout: Layout) -> Frame:
    """Return the frame if every field can be used; landmarks that were not seen (visibility 0) lie at the origin.

    The coordinates of such a landmark are never read, so they may be NaN.

    Raises:
        InvalidInput: if a field cannot be used; ``field`` says which, as ``frame.<name>``.
    """
    checked_name(frame.avatar_id, field="frame.avatar_id")
    if not 0 <= frame.sequence <= limits.MAX_SEQUENCE:
        raise InvalidInput(f"is {frame.sequence}", field="frame.sequence", expected="0 to 2^64 - 1")
    if not 1 <= frame.timestamp_us <= limits.MAX_TIMESTAMP_US:
        raise InvalidInput(f"is {frame.timestamp_us}", field="frame.timestamp_us", expected="1 to 2^62 microseconds")
    landmarks = None if frame.landmarks is None else _checked_landmarks(frame.landmarks, layout)
    if frame.root_m is not None:
        _check_root(frame.root_m)
    return Frame(frame.avatar_id, frame.sequence, frame.timestamp_us, landmarks, frame.root_m)


def _checked_landmarks(landmarks: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    if landmarks.shape != (layout.joints, 4):
        raise InvalidInput(
            f"has shape {landmarks.shape}",
            field="frame.landmarks",
            expected=f"({layout.joints}, 4): x, y, z, visibility of the landmarks of {layout.id}",
        )
    coordinates_m, visibility = landmarks[:, :3], landmarks[:, 3]
    # Comparisons are written so that NaN counts as wrong. The usual frame, all seen and all right, pays three passes.
    least_visibility = visibility.min()
    if not (least_visibility >= 0.0 and visibility.max() <= 1.0):
        index = int((~((visibility >= 0.0) & (visibility <= 1.0))).argmax())
        raise InvalidInput(
            f"visibility of {layout.names[index]} is {visibility[index]:g}",
            field=f"frame.landmarks[{index}]",
            expected="0 to 1",
        )
    cleaned = landmarks.astype(np.float32)
    if least_visibility == 0.0:
        cleaned[visibility == 0.0, :3] = 0.0
    if not np.abs(cleaned[:, :3]).max() <= limits.MAX_COORDINATE_M:
        wrong = ~(np.abs(cleaned[:, :3]) <= limits.MAX_COORDINATE_M)
        index, axis = divmod(int(wrong.argmax()), 3)
        raise InvalidInput(
            f"{_AXES[axis]} of {layout.names[index]} is {coordinates_m[index, axis]:g}",
            field=f"frame.landmarks[{index}]",
            expected=f"finite metres, at most {limits.MAX_COORDINATE_M:g} from 0; visibility 0 if it was not seen",
        )
    return cleaned


def _check_root(root_m: NDArray[np.float32]) -> None:
    if root_m.shape != (3,) or not (np.abs(root_m) <= limits.MAX_ROOT_M).all():
        raise InvalidInput(
            f"is {np.array2string(root_m, threshold=8)}",
            field="frame.root",
            expected=f"three finite numbers, metres, each at most {limits.MAX_ROOT_M:g} from 0",
        )
