"""Bodies as line drawings: colours for light and dark paper, and how a pose, a branch and a probability look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path as Curve
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.errors import InvalidInput
from bridge.skeleton import Layout

_HEAD_WORDS = {"nose", "eye", "ear", "mouth"}
_HEAD_RADIUS_M = 0.1
_FAINTEST = 0.4
_WIDTH_COUNTS = 0.93
_SMALLEST_M = 0.1
_POINT = 9.0
"""Of a landmark that no bone leads to, squared points for each point of a line's width."""


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a picture, as ``#RRGGBB``.

    Attributes:
        paper: behind everything. ink: what was seen, and words. faint: lesser words. ghost: what happened, behind a
            future; rules.
        futures: one colour each; beyond seven they repeat.
    """

    paper: str
    ink: str
    faint: str
    ghost: str
    futures: tuple[str, ...]

    def future(self, index: int) -> str:
        """Colour of a future, counted from 0, the most probable one."""
        return self.futures[index % len(self.futures)]

    def faded(self, colour: str, share: float) -> str:
        """``colour`` with only this share of it left (0 to 1), the rest paper: unlike ink that lets light through, it
        does not darken where lines cross.
        """
        mixed = (share * top + (1.0 - share) * under for top, under in zip(_rgb(colour), _rgb(self.paper), strict=True))
        return "#" + "".join(f"{round(value):02X}" for value in mixed)


# Okabe and Ito's palette: told apart by people with any kind of colour blindness, here in an order in which the first
# ones stand out from the paper.
LIGHT = Theme(
    paper="#FCFCFA",
    ink="#1B1F24",
    faint="#57606A",
    ghost="#A9B0B8",
    futures=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F"),
)
DARK = Theme(
    paper="#0D1117",
    ink="#F0F3F6",
    faint="#9DA7B1",
    ghost="#5B6570",
    futures=("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2"),
)
THEMES = {"light": LIGHT, "dark": DARK}
ThemeName = Literal["light", "dark"]


def theme_of(name: str) -> Theme:
    """The theme of this name.

    Raises:
        InvalidInput: if there is none.
    """
    if name not in THEMES:
        raise InvalidInput(f"is {name!r}", field="theme", expected=" or ".join(map(repr, THEMES)))
    return THEMES[name]


@dataclass(frozen=True, slots=True)
class Pose:
    """A pose (J, 3) in metres and what is to be drawn of it (J,)."""

    pose_m: NDArray[np.float32]
    visible: NDArray[np.bool_]

    __repr__ = brief_repr


def pose_of(pose_m: NDArray[np.float32], known: NDArray[np.bool_]) -> Pose:
    """A pose of which only what is known and finite is drawn."""
    return Pose(pose_m, known & np.isfinite(pose_m).all(axis=-1))


def solidity(probability: float, most: float) -> float:
    """How solid a future is drawn: 1 for the most probable one, less for others, never so little that it is lost."""
    return _FAINTEST + (1.0 - _FAINTEST) * float(np.sqrt(np.clip(probability / max(most, 1e-9), 0.0, 1.0)))


def typical_size_m(poses: Sequence[Pose]) -> float:
    """Median over poses of their size as seen, metres; 1.6 without any.

    It is the height, or most of the width where that is more, as of somebody who lies: neighbours then stay apart.
    """
    spans = [np.ptp(pose.pose_m[pose.visible, :2], axis=0) for pose in poses if pose.visible.any()]
    sizes = [max(float(height), _WIDTH_COUNTS * float(width)) for width, height in spans]
    return max(float(np.median(sizes)), _SMALLEST_M) if sizes else 1.6


def draw_body(
    axes: Axes,
    pose: Pose,
    layout: Layout,
    middle: tuple[float, float],
    scale: float,
    colour: str,
    *,
    width: float,
    layer: float = 1.0,
) -> None:
    """Draw a body as the camera sees it (x right, y down), the middle of its hips at ``middle``.

    ``scale`` is axes units a metre, ``width`` that of trunk and limbs in points; what has a higher ``layer`` lies on
    top. What is seen but hangs on nothing that is seen (a hand whose arm is hidden) is left out. A layout without bones
    is drawn as points.
    """
    flat = pose.pose_m[:, :2] * np.float32(scale) * np.array([1.0, -1.0], np.float32) + np.array(middle)
    if not layout.bones:
        x, y = flat[pose.visible].T
        axes.scatter(x, y, s=_POINT * width, color=colour, linewidths=0, zorder=layer)
        return
    head = [index for index, name in enumerate(layout.names) if _HEAD_WORDS & {*name.split("_")}]
    bones = [bone for bone in _attached(layout, pose.visible) if not (bone[0] in head and bone[1] in head)]
    trunk = {*layout.limb_bones, layout.hips, layout.shoulders, *zip(layout.shoulders, layout.hips, strict=True)}
    widths = [width if bone in trunk or bone[::-1] in trunk else 0.55 * width for bone in bones]
    lines = [flat[list(bone)] for bone in bones]
    if head and pose.visible[head].any():
        centre = flat[[index for index in head if pose.visible[index]]].mean(axis=0)
        radius = _HEAD_RADIUS_M * scale
        circle = Circle((centre[0], centre[1]), radius, color=colour, linewidth=0, zorder=layer)
        axes.add_patch(circle)
        neck = flat[list(layout.shoulders)].mean(axis=0)
        if pose.visible[list(layout.shoulders)].all():
            lines.append(np.stack([neck, centre]))
            widths.append(width)
    axes.add_collection(
        LineCollection(
            lines,
            colors=colour,
            linewidths=widths,
            capstyle="round",
            joinstyle="round",
            zorder=layer,
        )
    )


def _attached(layout: Layout, visible: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Bones with both ends seen that hang together with hips or shoulders; all that are seen if there are none such."""
    seen = [bone for bone in layout.bones if visible[list(bone)].all()]
    reached = {*layout.hips, *layout.shoulders} & {index for bone in seen for index in bone}
    if not reached:
        return seen
    while more := {index for bone in seen if reached & {*bone} for index in bone} - reached:
        reached |= more
    return [bone for bone in seen if reached & {*bone}]


def draw_branch(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, probability: float
) -> None:
    """Draw the way from now to a future, as wide as it is probable."""
    bend = 0.55 * (end[0] - start[0])
    points = [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    width = 1.0 + 22.0 * probability
    axes.add_patch(PathPatch(curve, facecolor="none", edgecolor=colour, linewidth=width, alpha=0.55, capstyle="round"))
