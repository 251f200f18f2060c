"""labels.csv."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import InvalidInput, NotFound
from bridge.evaluation.anomaly.labels import Label, load_labels
from tests.evaluation.anomaly.test_made import moving_clip

CLIPS = [moving_clip("one"), moving_clip("two")]


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_are_read_whatever_the_order_of_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "kind,recording,start_s,end_s,who\nfall,one.npz,1.5,2.25,x\nfreeze,two,0,1,y\n")
    assert load_labels(path, CLIPS) == [Label("one", 1.5, 2.25, "fall"), Label("two", 0.0, 1.0, "freeze")]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("three,1,2,fall", "recording"),
        ("one,x,2,fall", "start_s"),
        ("one,1,nan,fall", "end_s"),
        ("one,2,1,fall", "end_s"),
        ("one,1000,1001,fall", "start_s"),
        ("one,1,2,", "kind"),
    ],
)
def test_a_wrong_row_is_named_with_its_column(tmp_path: Path, row: str, column: str) -> None:
    path = write(tmp_path, f"recording,start_s,end_s,kind\none,1,2,fall\n{row}\n")
    with pytest.raises((InvalidInput, NotFound)) as caught:
        load_labels(path, CLIPS)
    assert caught.value.field == f"labels.{column}"
    assert "row 3" in caught.value.problem


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_labels(tmp_path / "none.csv", CLIPS)
    with pytest.raises(InvalidInput, match="recording,start_s,end_s,kind"):
        load_labels(write(tmp_path, "a,b\n1,2\n"), CLIPS)
