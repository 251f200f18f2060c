"""Alert snapshots as bytes for the log: a compressed npz, nothing in it is ever unpickled."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InternalError
from bridge.wire.alerts import AlertSnapshot

_READ_ERRORS = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)


def snapshot_to_bytes(snapshot: AlertSnapshot) -> bytes:
    """Return a snapshot as bytes; its samples are kept in half precision (0.5 mm at one metre)."""
    arrays: dict[str, NDArray[Any]] = {
        "layout_id": np.asarray(snapshot.layout_id),
        "timestamps_us": snapshot.timestamps_us.astype(np.int64),
        "observed_m": snapshot.observed_m.astype(np.float32),
        "p_values": snapshot.p_values.astype(np.float32),
        "scores": snapshot.scores.astype(np.float32),
        "score_names": np.asarray(snapshot.score_names),
        "samples_m": snapshot.samples_m.astype(np.float16),
        "samples_from_us": np.asarray(snapshot.samples_from_us, np.int64),
        "step_us": np.asarray(snapshot.step_us, np.int64),
    }
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def snapshot_from_bytes(data: bytes) -> AlertSnapshot:
    """Inverse of `snapshot_to_bytes`.

    Raises:
        InternalError: if the bytes are damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return AlertSnapshot(
                layout_id=str(archive["layout_id"].item()),
                timestamps_us=archive["timestamps_us"],
                observed_m=archive["observed_m"],
                p_values=archive["p_values"],
                scores=archive["scores"],
                score_names=tuple(archive["score_names"].tolist()),
                samples_m=archive["samples_m"].astype(np.float32),
                samples_from_us=int(archive["samples_from_us"]),
                step_us=int(archive["step_us"]),
            )
    except _READ_ERRORS as error:
        raise InternalError(f"the alert's snapshot is damaged ({error})", field="alert_log") from None
