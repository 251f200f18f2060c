"""Changes of bytes, whatever they mean: what a bad line, a bad client or a bad intention makes of a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from bridge import limits


@dataclass(frozen=True, slots=True)
class Damage:
    """Changes bytes, whatever they mean."""

    how: str
    at: int
    size: int
    content: bytes


def _flip(data: bytearray, damage: Damage) -> None:
    if data:
        data[damage.at % len(data)] ^= 1 << damage.size % 8


def _overwrite(data: bytearray, damage: Damage) -> None:
    at = damage.at % (len(data) + 1)
    data[at : at + len(damage.content)] = damage.content


def _insert(data: bytearray, damage: Damage) -> None:
    at = damage.at % (len(data) + 1)
    data[at:at] = damage.content


def _truncate(data: bytearray, damage: Damage) -> None:
    del data[damage.at % (len(data) + 1) :]


def _cut(data: bytearray, damage: Damage) -> None:
    at = damage.at % (len(data) + 1)
    del data[at : at + damage.size]


def _double(data: bytearray, damage: Damage) -> None:
    """Protobuf merges what comes twice."""
    at = damage.at % (len(data) + 1)
    data[at:at] = data[at : at + damage.size] if damage.size else bytes(data)


def _splice(data: bytearray, damage: Damage) -> None:
    """Go on with another part of itself."""
    at = damage.at % (len(data) + 1)
    data[at:] = data[damage.size % (len(data) + 1) :]


def _wire_type(data: bytearray, damage: Damage) -> None:
    if data:
        at = damage.at % min(len(data), 12)  # tags are in front
        data[at] = data[at] & 0xF8 | damage.size % 8


def _huge_length(data: bytearray, damage: Damage) -> None:
    at = damage.at % (len(data) + 1)
    data[at:at] = (b"\x12\xff\xff\xff\xff\x07", b"\x0a" + b"\xff" * 9 + b"\x01", b"\xff" * 11)[damage.size % 3]


def _nest(data: bytearray, damage: Damage) -> None:
    """Groups in groups, closed or not: the only thing that nests without end in any message."""
    depth = (3, 99, 101, 50_000)[damage.size % 4]
    data += b"\xa3\x06" * depth + b"\xa4\x06" * (depth if damage.at % 2 else 0)


def _nest_messages(data: bytearray, damage: Damage) -> None:
    """Known fields of known messages, each in the other, as deep as a length of two bytes goes."""
    inner = b""
    while len(inner) < 16_000:
        inner = bytes([damage.at % 15 + 1 << 3 | 2]) + _varint(len(inner)) + inner
    data += inner


def _bad_text(data: bytearray, damage: Damage) -> None:
    """Names become bytes that are no UTF-8, of the same length."""
    bad = (b"\xff\xfe\xfd", b"\xc0\x80\xc0", b"\xed\xa0\x80")[damage.size % 3]
    data[:] = data.replace(b"fuz", bad)


def _many_fields(data: bytearray, damage: Damage) -> None:
    """Unknown fields by the thousand."""
    data += bytes([0x82, 0x7D, len(damage.content)]) + damage.content if damage.at % 2 else b"\x80\x7d\x01" * 20_000


def _oversize(data: bytearray, damage: Damage) -> None:
    """A little more than a message may have, one time in eight; a large unknown field else."""
    wanted = limits.MAX_MESSAGE_BYTES if damage.at % 8 == 0 else 10_000
    data += b"\x82\x7d" + _varint(wanted) + bytes(wanted)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


DAMAGES: dict[str, Callable[[bytearray, Damage], None]] = {
    "flip": _flip,
    "overwrite": _overwrite,
    "insert": _insert,
    "truncate": _truncate,
    "cut": _cut,
    "double": _double,
    "splice": _splice,
    "wire type": _wire_type,
    "huge length": _huge_length,
    "nest": _nest,
    "nest messages": _nest_messages,
    "bad text": _bad_text,
    "many fields": _many_fields,
    "oversize": _oversize,
}


def damages(hows: Sequence[str] = ()) -> st.SearchStrategy[Damage]:
    """Damages of these kinds, by default of all."""
    return st.builds(
        Damage, st.sampled_from(hows or tuple(DAMAGES)), st.integers(0, 9999), st.integers(0, 64), st.binary(max_size=8)
    )
