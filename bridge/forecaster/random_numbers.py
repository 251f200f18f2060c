"""Random numbers from a seed and a counter: any part of any stream, for all windows of a batch in a few array passes.

Source: SplitMix64 (Steele, Lea and Flood 2014), whose n-th output is a hash of start + n * gamma, here taken for many n
at once; normal numbers by Box and Muller 1958, one pair from the two halves of a hash. Torch's own generator makes its
numbers one after the other, for each window by itself, at five times the cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GAMMA = 0x9E3779B97F4A7C15
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_MASK = (1 << 64) - 1
# Hashes made in one go: with the numbers that come of them they stay in a core's own cache.
_TOGETHER = 1 << 15


def normal_numbers(seeds: Sequence[int], stream: int, rows: int, count: int) -> Tensor:
    """Standard normal numbers (rows, B, count) float32, those of a window from its seed and the stream alone.

    Row n is the same however many rows follow.
    """
    pairs = -(-count // 2)
    out = torch.empty(rows, len(seeds), 2 * pairs)
    for first, words in _words(seeds, stream, rows, pairs):
        part = out[first : first + len(words)]
        radius = _log_uniform(words[:, :, :pairs]).mul_(-2.0).sqrt_()
        angle = words[:, :, pairs:].to(torch.float32).mul_(math.pi / 2**31)
        torch.mul(torch.cos(angle), radius, out=part[:, :, :pairs])
        torch.mul(angle.sin_(), radius, out=part[:, :, pairs:])
    return out[:, :, :count]


def log_uniform_numbers(seeds: Sequence[int], stream: int, rows: int, count: int) -> Tensor:
    """Logs of numbers uniform on (0, 1], shape (rows, B, count) float32; see `normal_numbers`."""
    out = torch.empty(rows, len(seeds), count)
    for first, words in _words(seeds, stream, rows, -(-count // 2)):
        out[first : first + len(words)] = _log_uniform(words[:, :, :count])
    return out


def _log_uniform(words: Tensor) -> Tensor:
    """Logs of int32 as numbers on (0, 1]: 31 bits and a half, as fine near 0 as float32 is."""
    return words.to(torch.float32).abs_().mul_(2.0**-31).add_(2.0**-32).clamp_(max=1.0).log_()


def _words(seeds: Sequence[int], stream: int, rows: int, hashes: int) -> Iterator[tuple[int, Tensor]]:
    """Random int32 words (rows of this part, B, 2 * hashes), part by part, each with its first row."""
    starts = [mix(seed, stream) for seed in seeds]
    together = max(1, _TOGETHER // max(1, len(seeds) * hashes))
    for first in range(0, rows if hashes else 0, together):
        count = min(together, rows - first)
        begin = np.array([(start + first * hashes * _GAMMA) & _MASK for start in starts], np.uint64)
        hashed = _hashed(_counters(count * hashes).reshape(count, 1, hashes) + begin[None, :, None])
        yield first, torch.from_numpy(hashed.view(np.int32))


@lru_cache(maxsize=16)
def _counters(count: int) -> NDArray[np.uint64]:
    return np.arange(count, dtype=np.uint64) * np.uint64(_GAMMA)


def _hashed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, in place."""
    shifted = np.empty_like(z)
    for bits, factor in zip((30, 27), _FACTORS, strict=True):
        np.right_shift(z, np.uint64(bits), out=shifted)
        np.bitwise_xor(z, shifted, out=z)
        np.multiply(z, np.uint64(factor), out=z)
    np.right_shift(z, np.uint64(31), out=shifted)
    return np.bitwise_xor(z, shifted, out=z)


def mix(seed: int, stream: int) -> int:
    """A well-spread 64-bit start for a stream of a seed: those of seeds 1, 2, 3 are unrelated."""
    z = (seed * 4 + stream) * _GAMMA & _MASK
    z = (z ^ (z >> 30)) * _FACTORS[0] & _MASK
    z = (z ^ (z >> 27)) * _FACTORS[1] & _MASK
    return z ^ (z >> 31)
