from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bridge.errors import InternalError, MalformedMessage
from bridge.wire.codec import tensor_from_message, tensor_to_message
from bridge.wire.generated.posebridge.v1 import pose_pb2
from bridge.wire.values import Encoding

shapes = hnp.array_shapes(min_dims=1, max_dims=8, max_side=4)
arrays = hnp.arrays(np.float32, shapes, elements=st.floats(-60_000.0, 60_000.0, width=32))


@given(arrays)
def test_float32_comes_back_bit_for_bit(array: NDArray[np.float32]) -> None:
    back = tensor_from_message(tensor_to_message(array, Encoding.FLOAT32))
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, array)


@given(arrays)
def test_float16_comes_back_rounded_to_half_precision(array: NDArray[np.float32]) -> None:
    back = tensor_from_message(tensor_to_message(array, Encoding.FLOAT16))
    np.testing.assert_array_equal(back, array.astype(np.float16).astype(np.float32))


def test_float16_is_exact_to_half_a_millimetre_at_arms_length() -> None:
    array = np.linspace(-1.0, 1.0, 9999, dtype=np.float32)
    back = tensor_from_message(tensor_to_message(array, Encoding.FLOAT16))
    assert np.abs(back - array).max() < 0.0005


@pytest.mark.parametrize(("encoding", "data"), [(Encoding.FLOAT16, "003c00c0"), (Encoding.FLOAT32, "0000803f000000c0")])
def test_bytes_are_little_endian(encoding: Encoding, data: str) -> None:
    assert tensor_to_message(np.array([1.0, -2.0]), encoding).data.hex() == data


def test_the_last_axis_varies_fastest_whatever_the_memory_layout() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    message = tensor_to_message(np.asfortranarray(array), Encoding.FLOAT32)
    assert message.shape == [2, 3]
    np.testing.assert_array_equal(np.frombuffer(message.data, "<f4"), np.arange(6))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_number_that_is_not_finite_is_never_sent(bad: float, encoding: Encoding) -> None:
    with pytest.raises(InternalError):
        tensor_to_message(np.array([0.0, bad], np.float32), encoding)


def test_a_number_too_large_for_float16_is_never_sent_as_infinity() -> None:
    with pytest.raises(InternalError, match="float16"):
        tensor_to_message(np.array([70_000.0], np.float32), Encoding.FLOAT16)


def tensor(shape: list[int], data: bytes, dtype: int = pose_pb2.DATA_TYPE_FLOAT32) -> pose_pb2.Tensor:
    message = pose_pb2.Tensor(shape=shape, data=data)
    # Numbers that the enum does not know are legal on the wire.
    message.MergeFromString(bytes([0x08, dtype]))
    return message


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (tensor([2], b"\0" * 7), "data"),
        (tensor([2], b"\0" * 9), "data"),
        (tensor([2], b""), "data"),
        (tensor([3], b"\0" * 8, pose_pb2.DATA_TYPE_FLOAT16), "data"),
        (tensor([], b""), "shape"),
        (tensor([], b"\0" * 4), "shape"),
        (tensor([0], b""), "shape"),
        (tensor([2, 0, 3], b""), "shape"),
        (tensor([1] * 9, b"\0" * 4), "shape"),
        (tensor([1] * 100_000, b"\0" * 4), "shape"),
        (tensor([2], b"\0" * 8, pose_pb2.DATA_TYPE_UNSPECIFIED), "dtype"),
        (tensor([2], b"\0" * 8, 77), "dtype"),
        (tensor([1], np.array([np.nan], "<f4").tobytes()), "data"),
        (tensor([1], np.array([np.inf], "<f2").tobytes(), pose_pb2.DATA_TYPE_FLOAT16), "data"),
    ],
)
def test_a_tensor_whose_parts_do_not_fit_is_refused(message: pose_pb2.Tensor, field: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        tensor_from_message(message, field="forecast.futures")
    assert caught.value.field == f"forecast.futures.{field}"
    assert len(str(caught.value)) < 300


def test_a_huge_shape_is_refused_without_allocating_it() -> None:
    with pytest.raises(MalformedMessage, match="has 4 bytes"):
        tensor_from_message(tensor([2**32 - 1] * 8, b"\0" * 4))


def test_a_shape_whose_product_wraps_to_the_right_size_is_refused() -> None:
    # 2^31 * 2^31 * 4 is 0 modulo 2^64: arithmetic in 64 bits would call an empty tensor right.
    with pytest.raises(MalformedMessage):
        tensor_from_message(tensor([2**31, 2**31, 4], b""))
