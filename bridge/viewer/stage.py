"""The avatars in the 3D scene: bodies, their futures, a bar and a number for each probability, drawn samples."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridge.geometry import hip_middle
from bridge.skeleton import Layout
from bridge.viewer import colours
from bridge.viewer.drawing import (
    bone_segments,
    centred,
    fan_offsets,
    future_colours,
    places_in_rows,
    to_scene,
)
from bridge.viewer.history import Moment, ShownForecast

if TYPE_CHECKING:
    import viser

_BODY_M, _ALARM_BODY_M, _FUTURE_M, _BAR_M = 0.026, 0.042, 0.014, 0.05
_GROUND_FRAMES = 90
_BAR_LENGTH_M, _BAR_STEP_M = 0.6, 0.13
_LABEL_M = 0.1
_SAMPLE_M = 0.016
_HEAD_ROOM_M = 0.28


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What people choose on the page: futures shown or not, and how far they stand from the body and each other."""

    show_futures: bool = True
    futures_apart_m: float = 0.0


@dataclass(slots=True)
class _Actor:
    """One avatar's nodes in the scene, and what was drawn last."""

    place_m: NDArray[np.float32]
    keeper: colours.ColourKeeper = field(default_factory=colours.ColourKeeper)
    lowest_m: deque[float] = field(default_factory=lambda: deque(maxlen=_GROUND_FRAMES))
    home_m: NDArray[np.float64] | None = None
    hips_m: NDArray[np.float32] | None = None
    nodes: dict[str, Any] = field(default_factory=dict)
    futures: int = 0
    shown: tuple[object, ...] | None = None
    forecast_shown: object = None
    places: tuple[int, ...] = ()


class Stage:
    """Draws avatars; all calls come from one thread.

    Args:
        scene: of a viser server.
        layout: of the J landmarks.
        visibility_threshold: landmarks with a lower visibility are not drawn.
    """

    def __init__(self, scene: viser.SceneApi, layout: Layout, *, visibility_threshold: float = 0.1) -> None:
        self._scene = scene
        self._layout = layout
        self._threshold = visibility_threshold
        self._bones = np.asarray(layout.bones, np.intp)
        self._actors: dict[str, _Actor] = {}
        scene.set_up_direction("+z")
        scene.add_grid(
            "/floor",
            width=14.0,
            height=14.0,
            plane="xy",
            cell_size=0.5,
            section_size=1.0,
            cell_color=(226, 229, 233),
            section_color=(205, 210, 216),
            shadow_opacity=0.0,
        )

    def arrange(self, avatars: tuple[str, ...]) -> bool:
        """Give each avatar a place; True if there are new ones."""
        if tuple(self._actors) == avatars:
            return False
        for name, (x, y) in zip(avatars, places_in_rows(len(avatars)), strict=True):
            place_m = np.array([x, y, 0.0], np.float32)
            actor = self._actors.setdefault(name, _Actor(place_m))
            actor.place_m = place_m
            actor.shown = actor.forecast_shown = None
        return True

    def redraw(self) -> None:
        """Draw everything anew at the next `show`: an option was changed."""
        for actor in self._actors.values():
            actor.shown = actor.forecast_shown = None

    def show(self, name: str, moment: Moment, options: StageOptions) -> bool:
        """Draw an avatar as it is at a moment; False if nothing of it changed."""
        actor = self._actors[name]
        forecast = moment.forecast if options.show_futures or moment.frame is None else None
        stamp = (
            None if moment.frame is None else moment.frame[0],
            None if forecast is None else forecast[0],
            None if moment.alert is None else moment.alert.id,
            moment.p_value,
        )
        if stamp == actor.shown:
            return False
        actor.shown = stamp
        body = self._body(actor, moment)
        if body is None:
            self._hide(actor, "body", "name", "futures", "bars")
            self._hide_labels(actor)
            return True
        pose_m, visible, origin_m = body
        actor.hips_m = origin_m
        scene_m = to_scene(pose_m) + origin_m
        alarmed = moment.alert is not None
        colour = colours.ALARM if alarmed else colours.INK if moment.frame is not None else colours.UNOBSERVED
        points = bone_segments(scene_m, self._bones, visible)
        self._lines(actor, name, "body", points, colour, _ALARM_BODY_M if alarmed else _BODY_M)
        top_m = float(scene_m[visible, 2].max()) if visible.any() else float(origin_m[2]) + 0.7
        self._label(actor, name, "name", name + (" ALERT" if alarmed else ""), (origin_m[0], origin_m[1], top_m + 0.12))
        if forecast is None or not options.show_futures:
            self._hide(actor, "futures", "bars")
            self._hide_labels(actor)
        else:
            self._futures(actor, name, forecast, origin_m, top_m, options)
        return True

    def show_samples(self, name: str, samples_m: NDArray[np.floating[Any]] | None) -> None:
        """Draw a cloud of the landmarks of samples (S, J, 3), about the hips in MediaPipe's axes; None hides it."""
        actor = self._actors.get(name)
        if actor is None:
            return
        if samples_m is None or actor.hips_m is None:
            self._hide(actor, "samples")
            return
        points = to_scene(samples_m).reshape(-1, 3) + actor.hips_m
        node = actor.nodes.get("samples")
        if node is None or len(node.points) != len(points):
            actor.nodes["samples"] = self._scene.add_point_cloud(
                f"/{name}/samples",
                points,
                colours.SAMPLES,
                point_size=_SAMPLE_M,
                point_shape="circle",
                point_shading="flat",
            )
        else:
            node.points = points
            node.visible = True

    # -- parts

    def _body(
        self, actor: _Actor, moment: Moment
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]] | None:
        """The pose (J, 3) about the hips, what of it is seen (J,), and where in the scene the hips are (3,)."""
        if moment.frame is not None:
            _, frame = moment.frame
            pose_m, visible = centred(frame, self._layout, self._threshold)
            root_m = None
            if frame.root_m is not None and frame.landmarks is not None and visible[list(self._layout.hips)].all():
                root_m = np.asarray(frame.root_m, np.float64) + hip_middle(frame.landmarks[:, :3], self._layout)
        elif moment.forecast is not None:
            _, forecast = moment.forecast
            pose_m, visible = forecast.now_m.astype(np.float32), forecast.known
            root_m = None if forecast.roots_m is None else forecast.roots_m[0, 0].astype(np.float64)
        else:
            return None
        offset_m = self._away(actor, root_m)
        if visible.any():
            actor.lowest_m.append(float((to_scene(pose_m)[visible, 2] + offset_m[2]).min()))
        return pose_m, visible, actor.place_m + offset_m + self._ground(actor)

    def _away(self, actor: _Actor, root_m: NDArray[np.float64] | None) -> NDArray[np.float32]:
        """How far a root is from where the avatar began, in the scene's axes."""
        if root_m is None:
            return np.zeros(3, np.float32)
        if actor.home_m is None:
            actor.home_m = root_m
        return to_scene(root_m - actor.home_m)

    def _ground(self, actor: _Actor) -> NDArray[np.float32]:
        """What lifts an avatar so that its feet are on the floor most of the time."""
        low_m = float(np.percentile(actor.lowest_m, 10)) if actor.lowest_m else -0.9
        return np.array([0.0, 0.0, -low_m], np.float32)

    def _futures(
        self,
        actor: _Actor,
        name: str,
        forecast: tuple[int, ShownForecast],
        origin_m: NDArray[np.float32],
        top_m: float,
        options: StageOptions,
    ) -> None:
        at_us, shown = forecast
        if actor.forecast_shown == at_us:
            return
        actor.forecast_shown = at_us
        count, steps = shown.futures_m.shape[:2]
        places = actor.keeper.places_of(shown.mode_ids)
        offsets_m = fan_offsets(count, options.futures_apart_m)
        hips_m = np.broadcast_to(origin_m + offsets_m[:, None], (count, steps, 3))
        if shown.roots_m is not None and actor.home_m is not None:
            away_m = to_scene(shown.roots_m - actor.home_m)
            hips_m = actor.place_m + self._ground(actor) + away_m + offsets_m[:, None]
        poses_m = to_scene(shown.futures_m) + hips_m[:, :, None]
        segments = bone_segments(poses_m.reshape(count * steps, -1, 3), self._bones, shown.known).reshape(-1, 2, 3)
        drawn = future_colours(shown.probabilities, places, steps, len(self._bones))
        self._lines(actor, name, "futures", segments, drawn, _FUTURE_M)
        self._probabilities(actor, name, shown, places, origin_m, top_m, offsets_m if options.futures_apart_m else None)

    def _probabilities(
        self,
        actor: _Actor,
        name: str,
        shown: ShownForecast,
        places: tuple[int, ...],
        origin_m: NDArray[np.float32],
        top_m: float,
        offsets_m: NDArray[np.float32] | None,
    ) -> None:
        """A bar as long as each future is probable, and the number: above the future, or stacked above the body."""
        count = len(shown.probabilities)
        starts = np.zeros((count, 3), np.float32)
        for k in range(count):
            if offsets_m is None:
                starts[k] = (origin_m[0] - 0.35, origin_m[1], top_m + _HEAD_ROOM_M + (count - 1 - k) * _BAR_STEP_M)
            else:
                starts[k] = (origin_m[0] + offsets_m[k, 0] - 0.2, origin_m[1], top_m + 0.12)
        ends = starts.copy()
        ends[:, 0] += _BAR_LENGTH_M * shown.probabilities
        bars = np.stack([starts, ends], axis=1)
        colour = np.repeat(colours.colours_of(places)[:, None], 2, axis=1)
        self._lines(actor, name, "bars", bars, colour, _BAR_M)
        for k in range(count):
            at_m = ends[k] + np.array([0.06, 0.0, 0.0], np.float32)
            self._label(actor, name, f"share{k}", f"{shown.probabilities[k]:.0%}", tuple(at_m), anchor="center-left")
        for k in range(count, actor.futures):
            self._hide(actor, f"share{k}")
        actor.futures = max(actor.futures, count)

    # -- nodes

    def _lines(
        self,
        actor: _Actor,
        name: str,
        part: str,
        points: NDArray[np.float32],
        colour: NDArray[np.uint8] | tuple[int, int, int],
        thickness_m: float,
    ) -> None:
        shades = colours.linear(np.asarray(colour, np.uint8))
        if shades.ndim == 1:
            shades = np.broadcast_to(shades, points.shape)
        node = actor.nodes.get(part)
        if node is None or node.points.shape != points.shape:
            actor.nodes[part] = self._scene.add_line_segments(
                f"/{name}/{part}", points, np.ascontiguousarray(shades), thickness=thickness_m
            )
            return
        node.points = points
        node.colors = shades
        node.thickness = thickness_m
        node.visible = True

    def _label(
        self,
        actor: _Actor,
        name: str,
        part: str,
        text: str,
        position_m: tuple[float, ...],
        *,
        anchor: Any = "bottom-center",
    ) -> None:
        position = (float(position_m[0]), float(position_m[1]), float(position_m[2]))
        node = actor.nodes.get(part)
        if node is None:
            actor.nodes[part] = self._scene.add_label(
                f"/{name}/{part}",
                text,
                position=position,
                font_size_mode="scene",
                font_scene_height=_LABEL_M,
                depth_test=False,
                anchor=anchor,
            )
            return
        node.text = text
        node.position = position
        node.visible = True

    def _hide(self, actor: _Actor, *parts: str) -> None:
        for part in parts:
            node = actor.nodes.get(part)
            if node is not None:
                node.visible = False
            if part == "futures":
                actor.forecast_shown = None

    def _hide_labels(self, actor: _Actor) -> None:
        self._hide(actor, *(f"share{k}" for k in range(actor.futures)))
