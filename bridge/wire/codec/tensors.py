"""Arrays as bytes with a dtype and a shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge import limits
from bridge.errors import InternalError, MalformedMessage
from bridge.wire.generated.posebridge.v1 import pose_pb2
from bridge.wire.values import Encoding

_TO_WIRE = {Encoding.FLOAT16: pose_pb2.DATA_TYPE_FLOAT16, Encoding.FLOAT32: pose_pb2.DATA_TYPE_FLOAT32}
_FROM_WIRE: dict[int, Encoding] = {number: encoding for encoding, number in _TO_WIRE.items()}


def encoding_to_wire(encoding: Encoding) -> pose_pb2.DataType:
    """Return the ``DataType`` of an encoding."""
    return _TO_WIRE[encoding]


def encoding_from_wire(number: int) -> Encoding | None:
    """Return the encoding of a ``DataType``; None for UNSPECIFIED and for numbers we do not know."""
    return _FROM_WIRE.get(number)


def tensor_to_message(array: NDArray[Any], encoding: Encoding, *, nan_allowed: bool = False) -> pose_pb2.Tensor:
    """Store an array of any shape, row-major and little-endian.

    Raises:
        InternalError: if a number is not finite (with ``nan_allowed``: is infinite) or does not fit the encoding.
    """
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(array, dtype=encoding.dtype)
    if not _all_finite(stored) and not (nan_allowed and not np.isinf(stored).any()):
        raise InternalError(f"an outgoing array has a number that is not finite as {encoding.value}")
    return pose_pb2.Tensor(dtype=_TO_WIRE[encoding], shape=stored.shape, data=stored.tobytes())


def tensor_from_message(
    message: pose_pb2.Tensor, *, field: str = "tensor", nan_allowed: bool = False
) -> NDArray[np.float32]:
    """Read an array; the result is a float32 copy in the machine's own byte order.

    Raises:
        MalformedMessage: if dtype, shape and number of bytes do not fit together, or a number is not finite (with
            ``nan_allowed`` NaN may be, where it stands for nothing).
    """
    encoding = encoding_from_wire(message.dtype)
    if encoding is None:
        raise MalformedMessage(f"is {message.dtype}", field=f"{field}.dtype", expected="float16 (1) or float32 (2)")
    shape = tuple(message.shape)
    if not 1 <= len(shape) <= limits.MAX_TENSOR_AXES or min(shape) < 1:
        shown = shape[: limits.MAX_TENSOR_AXES]
        raise MalformedMessage(
            f"has {len(shape)} axes, beginning with {shown}",
            field=f"{field}.shape",
            expected=f"1 to {limits.MAX_TENSOR_AXES} axes, each at least 1 long",
        )
    wanted = math.prod(shape) * encoding.dtype.itemsize
    if len(message.data) != wanted:
        raise MalformedMessage(
            f"has {len(message.data)} bytes",
            field=f"{field}.data",
            expected=f"{wanted} bytes for shape {shape} as {encoding.value}",
        )
    array = np.frombuffer(message.data, dtype=encoding.dtype).reshape(shape).astype(np.float32)
    if not np.isfinite(array).all() and not (nan_allowed and not np.isinf(array).any()):
        raise MalformedMessage("has a number that is not finite", field=f"{field}.data", expected="finite numbers")
    return array


def _all_finite(stored: NDArray[np.floating]) -> bool:
    """Whether no number is infinite or NaN. Of half precision the exponent's bits tell it sooner than numpy."""
    if stored.dtype.itemsize == 2:
        return stored.size == 0 or int((stored.view("<u2") & 0x7FFF).max()) < 0x7C00
    return bool(np.isfinite(stored).all())
