"""The futures themselves in one npz file, written batch by batch: any size of evaluation in the memory of one batch."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.evaluation.scores import Samples
from bridge.evaluation.windows import EvaluationWindow


class SampleDump:
    """Writes ``clip_ids`` (N), ``first_future_frame`` (N), ``truth`` (N, H, J, 3) and ``NAME`` (N, S, H, J, 3).

    Poses are float32, metres, hip-centred, in the recording's own axes and heading; ``first_future_frame`` counts the
    clip's frames at the forecast's rate. Use it as a context manager: the file appears, complete, at its end, and not
    at all after an error.

    Args:
        path: of the npz file; replaced if it is there.
        windows: N, in the order in which batches will come.
        names: methods to keep; others are passed over.

    Raises:
        InvalidInput: if the file cannot be written.
    """

    def __init__(self, path: Path, windows: Sequence[EvaluationWindow], names: Collection[str]) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        self._windows = windows
        self._names = frozenset(names)
        self._name: str | None = None
        self._member: IO[bytes] | None = None
        self._left = 0

    def __enter__(self) -> SampleDump:
        try:
            self._zip = zipfile.ZipFile(self._partial, "w", zipfile.ZIP_STORED, allowZip64=True)
        except OSError as error:
            raise InvalidInput(
                f"cannot write {self._path}: {error}", field="dump", expected="a writable path"
            ) from error
        self._array("clip_ids", np.array([item.clip_id for item in self._windows]))
        self._array("first_future_frame", np.array([item.first_future_frame for item in self._windows], np.int64))
        self._array("truth", np.stack([item.truth_m for item in self._windows]).astype("<f4"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
            elif self._member is not None:
                self._member.close()
            self._zip.close()
            if error is None:
                self._partial.replace(self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def add(self, name: str, samples_m: Samples) -> None:
        """Write the next batch (B, S, H, J, 3) of a method.

        Raises:
            InvalidInput: if the method before lacks windows, or this one has too many.
        """
        if name != self._name:
            self._finish()
            self._name = name
            if name in self._names:
                self._member = self._open(name, (len(self._windows), *samples_m.shape[1:]), np.dtype("<f4"))
                self._left = len(self._windows)
        if self._member is None:
            return
        if len(samples_m) > self._left:
            raise InvalidInput(f"{name}: more futures than windows", field="dump", expected=f"{len(self._windows)}")
        self._left -= len(samples_m)
        self._member.write(np.ascontiguousarray(samples_m, "<f4").data.cast("B"))

    def _finish(self) -> None:
        member, self._member = self._member, None
        if member is not None:
            member.close()
            if self._left:
                raise InvalidInput(f"{self._name}: {self._left} windows have no futures", field="dump", expected="0")

    def _array(self, name: str, array: NDArray[np.generic]) -> None:
        with self._open(name, array.shape, array.dtype) as member:
            member.write(array.tobytes())

    def _open(self, name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> IO[bytes]:
        """A member of the file that is an array of this shape once its bytes have been written."""
        member = self._zip.open(f"{name}.npy", "w", force_zip64=True)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        return member
