"""Messages that no honest client would send: right ones, spoiled in some field or in their bytes.

Hypothesis draws recipes: small numbers that say what to begin with and what to spoil. Fields are found by reflection:
those that the contract gains are spoiled too, without a word here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from bridge import limits
from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import anomaly_pb2, envelope_pb2, forecast_pb2, pose_pb2
from tests.service.damages import DAMAGES, Damage, damages
from tests.service_fixtures import config_message, frame_message

STREAM_KINDS = ("frame", "frames", "nobody", "rooted", "avatar_config", "clock_ping", "config", "empty")
CALL_KINDS = ("forecast", "get_model_info")
ALERT_KINDS = ("list_alerts", "acknowledge_alert", "get_alert_snapshot")
ENVELOPE_KINDS = (*STREAM_KINDS, *CALL_KINDS, *ALERT_KINDS, "heartbeat", "goodbye", "nothing")
AVATARS = ("fuzzed-a", "fuzzed-b", "fuzzed-c")
WINDOW_FRAMES = 33
"""Frames of a `ForecastRequest` that is in order."""
LONGEST_BYTES = 2 * limits.MAX_MESSAGE_BYTES - 65_536
"""What is longer ends the connection instead of the call: see test_bad_input.py."""
_ALONE = "fuzzed-alone"

# -- recipes


@dataclass(frozen=True, slots=True)
class Spoil:
    """Puts an odd value into one field; the numbers choose which of those that the message happens to have."""

    field: int
    value: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to begin with, and what is then done to it."""

    kind: str
    avatar: int
    spoils: tuple[Spoil, ...]
    damages: tuple[Damage, ...]


_NUMBERS = st.integers(0, 9999)
_SPOILS = st.builds(Spoil, field=_NUMBERS, value=_NUMBERS)


WAYS = ("in order", "spoiled fields", "damaged bytes")


def conversations(kinds: Sequence[str]) -> st.SearchStrategy[list[Recipe]]:
    """Every kind in every one of the `WAYS`, in some sequence."""
    each = [_recipes(kind, way) for kind in kinds for way in WAYS]
    return st.tuples(*each).flatmap(st.permutations)


def _recipes(kind: str, way: str) -> st.SearchStrategy[Recipe]:
    spoils: st.SearchStrategy[list[Spoil]] = st.just([])
    harm: st.SearchStrategy[list[Damage]] = st.just([])
    if way == "spoiled fields":
        spoils = st.lists(_SPOILS, min_size=1, max_size=4)
    elif way == "damaged bytes":
        spoils = st.lists(_SPOILS, max_size=1)
        harm = st.lists(damages(), min_size=1, max_size=3)
    avatars = st.integers(0, len(AVATARS) - 1)
    return st.builds(Recipe, st.just(kind), avatars, spoils.map(tuple), harm.map(tuple))


# -- messages in order


class Kitchen:
    """Makes messages after recipes. Its frames go on from one to the next, so that those in order get forecasts."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._frames = dict.fromkeys((*AVATARS, _ALONE), 0)

    def full_windows(self) -> forecast_pb2.StreamForecastsRequest:
        """Return frames that fill the windows of all avatars."""
        frames = [self._frame(avatar_id) for _ in range(WINDOW_FRAMES) for avatar_id in AVATARS]
        return forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames))

    def stream(self, recipe: Recipe) -> bytes:
        """Return the bytes of a ``StreamForecastsRequest``, or what is left of one."""
        return self._finished(self._stream_message(recipe), recipe)

    def envelope(self, recipe: Recipe) -> bytes:
        """Return the bytes of a ``ClientEnvelope``."""
        return self._finished(self._envelope_message(recipe), recipe)

    def call(self, recipe: Recipe) -> bytes:
        """Return the bytes of a ``ForecastRequest`` or a ``GetModelInfoRequest``."""
        message = forecast_pb2.GetModelInfoRequest() if recipe.kind == "get_model_info" else self._forecast_request()
        return self._finished(message, recipe)

    def _finished(self, message: Message, recipe: Recipe) -> bytes:
        for spoil in recipe.spoils:
            spoil_field(message, spoil)
        data = bytearray(message.SerializeToString())
        for damage in recipe.damages:
            DAMAGES[damage.how](data, damage)
        return bytes(data[:LONGEST_BYTES])

    def _frame(self, avatar_id: str) -> pose_pb2.PoseFrame:
        index = self._frames[avatar_id]
        self._frames[avatar_id] = index + 1
        return frame_message(self._layout, avatar_id, index)

    def _stream_message(self, recipe: Recipe) -> forecast_pb2.StreamForecastsRequest:
        avatar_id = AVATARS[recipe.avatar]
        request = forecast_pb2.StreamForecastsRequest()
        if recipe.kind in ("frame", "nobody", "rooted"):
            request.frame.CopyFrom(self._frame(avatar_id))
            if recipe.kind == "nobody":
                request.frame.ClearField("landmarks")
            if recipe.kind == "rooted":
                request.frame.root.y = 1.0
        elif recipe.kind == "frames":
            request.frames.frames.extend(self._frame(each) for each in AVATARS)
        elif recipe.kind == "avatar_config":
            config = forecast_pb2.AvatarConfig(avatar_id=avatar_id, horizon_ms=300, samples=8, futures=3)
            request.avatar_config.CopyFrom(config)
        elif recipe.kind == "clock_ping":
            request.clock_ping.client_time_us = 1_000_000 + recipe.avatar
        elif recipe.kind == "config":
            request.config.CopyFrom(self.config())
        return request

    def config(self) -> forecast_pb2.SessionConfig:
        """Return a config in order that uses what there is to use."""
        config = config_message(self._layout, client_name="fuzzer")
        config.frame_saving.max_silence_ms = 150
        return config

    def _envelope_message(self, recipe: Recipe) -> envelope_pb2.ClientEnvelope:
        envelope = envelope_pb2.ClientEnvelope(request_id=recipe.avatar, token="fuzzed-token")
        if recipe.kind in STREAM_KINDS:
            envelope.stream.CopyFrom(self._stream_message(recipe))
        elif recipe.kind == "forecast":
            envelope.forecast.CopyFrom(self._forecast_request())
        elif recipe.kind == "list_alerts":
            envelope.list_alerts.CopyFrom(
                anomaly_pb2.ListAlertsRequest(after_cursor=1, limit=7, client_name="fuzzer", avatar_id=AVATARS[0])
            )
        elif recipe.kind == "acknowledge_alert":
            envelope.acknowledge_alert.CopyFrom(
                anomaly_pb2.AcknowledgeAlertRequest(alert_id="fuzzed", acknowledged_by="fuzzer", note="seen")
            )
        elif recipe.kind == "get_alert_snapshot":
            envelope.get_alert_snapshot.alert_id = "fuzzed"
        elif recipe.kind != "nothing":
            getattr(envelope, recipe.kind).SetInParent()
        return envelope

    def _forecast_request(self) -> forecast_pb2.ForecastRequest:
        frames = [self._frame(_ALONE) for _ in range(WINDOW_FRAMES)]
        return forecast_pb2.ForecastRequest(config=config_message(self._layout), frames=frames)


# -- spoiled fields

_INTEGERS = (
    0,
    1,
    2,
    3,
    33,
    34,
    1001,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**62 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 240.0, 241.0, 100.5, 1e5, 1e-38, 1e-45, 3e38, math.nan, math.inf, -math.inf)
_ENUMS = (0, 1, 2, 3, 99, -1, 2**31 - 1, -(2**31))
_STRINGS = (
    "",
    "a",
    "x" * 64,
    "x" * 65,
    "x" * 20_000,
    "fuzzed-a",
    "bystander",
    "two words",
    "line\nbreak",
    "nul\0",
    "../../etc/passwd",
    "%s%n{0}{}",
    "\x1b[31mred",
    "<script>alert(1)</script>",
    '"\\',
    "émile",
    "玩家",
    "\u202eright to left",
    "mediapipe.pose.33",
)
_ODD_VALUES: dict[int, Sequence[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: [value % 2**32 - 2**31 for value in _INTEGERS],
    FieldDescriptor.CPPTYPE_INT64: [value % 2**64 - 2**63 for value in _INTEGERS],
    FieldDescriptor.CPPTYPE_UINT32: [value % 2**32 for value in _INTEGERS],
    FieldDescriptor.CPPTYPE_UINT64: _INTEGERS,
    FieldDescriptor.CPPTYPE_FLOAT: _FLOATS,
    FieldDescriptor.CPPTYPE_DOUBLE: _FLOATS,
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
    FieldDescriptor.CPPTYPE_ENUM: _ENUMS,
    FieldDescriptor.CPPTYPE_STRING: _STRINGS,
}


def spoil_field(message: Message, spoil: Spoil) -> None:
    """Put an odd value into one of the message's fields, however deep, set or not."""
    places = list(_places(message))
    owner, field = places[spoil.field % len(places)] if places else (message, None)
    if field is None:
        return
    if field.is_repeated:
        _spoil_repeated(getattr(owner, field.name), field, spoil.value)
    elif field.message_type is not None:
        owner.ClearField(field.name)
        if spoil.value % 2:  # there, but nothing in it
            getattr(owner, field.name).SetInParent()
    else:
        setattr(owner, field.name, _odd_value(field, spoil.value))


def _places(message: Message) -> Iterator[tuple[Message, Any]]:
    """Every field of a message and of the messages in it, with the message that it is a field of."""
    for field in message.DESCRIPTOR.fields:
        yield message, field
        if field.message_type is None:
            continue
        if field.is_repeated:
            # The first, the last and one between: a window's frames are all alike.
            several = getattr(message, field.name)
            for index in sorted({0, len(several) // 2, len(several) - 1} & set(range(len(several)))):
                yield from _places(several[index])
        elif message.HasField(field.name):
            yield from _places(getattr(message, field.name))


def _spoil_repeated(several: Any, field: FieldDescriptor, value: int) -> None:
    way, value = value % 5, value // 5
    if way == 0 or not several:
        if field.message_type is not None:
            several.add()
        else:
            several.append(_odd_value(field, value))
    elif way == 1:
        del several[value % len(several) :]
    elif way == 2:
        several.extend(list(several)[: limits.MAX_FRAMES_PER_MESSAGE])
    elif way == 3:
        # One more than any message may carry.
        several.extend([several[0]] * limits.MAX_FRAMES_PER_MESSAGE if value % 8 == 0 else [several[-1]])
    elif field.message_type is not None:
        several[value % len(several)].Clear()
    else:
        several[value % len(several)] = _odd_value(field, value // len(several))


def _odd_value(field: FieldDescriptor, value: int) -> Any:
    values = _ODD_VALUES[field.cpp_type]
    return values[value % len(values)]
