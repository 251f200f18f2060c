"""How values with arrays say what they are: in one line, arrays by their shape; as a table where there is HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 4
_UNKNOWN = "\N{EN DASH}"
_CELL = "padding:2px 10px;text-align:right"
_BAR_COLOUR = "#0072B2"


def brief_repr(value: Any) -> str:
    """One line for a dataclass, whatever its fields hold; meant as its ``__repr__``.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Track:
    ...     name: str
    ...     pose_m: object
    ...     __repr__ = brief_repr
    >>> Track("walk", np.zeros((90, 33, 3), np.float32))
    Track(name='walk', pose_m=float32 (90, 33, 3))
    """
    told = ", ".join(f"{field.name}={_brief(getattr(value, field.name))}" for field in fields(value) if field.repr)
    return f"{type(value).__name__}({told})"


def _brief(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{'record' if dtype.startswith(('[', '{')) else dtype} {tuple(value.shape)}"
    if isinstance(value, (tuple, list, dict, set, frozenset)) and len(value) > _FEW:
        return f"{len(value)} items"
    if isinstance(value, (tuple, list)) and any(is_dataclass(item) and not isinstance(item, type) for item in value):
        return f"{len(value)} items"
    return f"{type(value).__name__}.{value.name}" if isinstance(value, Enum) else repr(value)


class Share(float):
    """A number from 0 to 1 that a table shows as a bar."""


def html_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table for a notebook; all text is escaped, None is a dash, `Share` a bar with a percentage."""
    heads = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<table><caption style="caption-side:top;text-align:left;white-space:nowrap">{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(value: object) -> str:
    if isinstance(value, Share):
        width = 100.0 * min(max(value, 0.0), 1.0) if value == value else 0.0
        bar = f'<div style="width:{width:.1f}%;height:0.7em;background:{_BAR_COLOUR}"></div>'
        return (
            f'<td style="{_CELL};min-width:160px"><div style="display:flex;align-items:center;gap:8px">'
            f'<div style="flex:1;background:rgba(128,128,128,.2)">{bar}</div>'
            f'<span style="min-width:3em">{value:.0%}</span></div></td>'
        )
    return f'<td style="{_CELL}">{_UNKNOWN if value is None else escape(str(value))}</td>'


def futures_table(
    caption: str,
    ids: Sequence[int],
    probabilities: NDArray[np.floating],
    futures_m: NDArray[np.floating],
    roots_m: NDArray[np.floating] | None,
) -> str:
    """K futures as an HTML table: probability, and how far each one gets, millimetres.

    Args:
        ids: (K,) what the futures are called.
        probabilities: (K,).
        futures_m: (K, H, J, 3), hip-centred. roots_m: (K, H, 3) or None, then there is no column of it.
    """
    last_m = futures_m[:, -1].astype(np.float64)
    columns: dict[str, list[object]] = {
        "future": list(ids),
        "probability": [Share(p) for p in probabilities],
        "pose moves": [_mean_mm(end - start) for start, end in zip(futures_m[:, 0], last_m, strict=True)],
    }
    if roots_m is not None:
        columns["hips move"] = [_mean_mm(path[-1:] - path[:1]) for path in roots_m]
    if len(last_m) > 1:
        columns["from the first"] = [None, *(_mean_mm(other - last_m[0]) for other in last_m[1:])]
    caption = f"{caption}. Distances are means over landmarks, moves are those over all steps."
    return html_table(caption, list(columns), list(zip(*columns.values(), strict=True)))


def _mean_mm(apart_m: NDArray[np.floating]) -> str | None:
    """Mean length of vectors (N, 3) given in metres; those that are not known do not count."""
    lengths_mm = 1e3 * np.linalg.norm(apart_m, axis=-1)
    known = lengths_mm[np.isfinite(lengths_mm)]
    return f"{known.mean():.0f} mm" if len(known) else None
