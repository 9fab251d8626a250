import importlib
import sys
from dataclasses import replace

import pytest

import mien
from mien.core.errors import DataError
from mien.core.types import MissedLimit
from mien.record.table import columns_of

FRAMES = ["pandas", "polars"]


@pytest.fixture(params=FRAMES)
def library(request, monkeypatch):
    """Leave one of the two libraries."""
    pytest.importorskip(request.param, reason=f"needs {request.param}")
    if request.param == "polars":
        monkeypatch.setitem(sys.modules, "pandas", None)
    return request.param


def test_results_become_a_table_with_the_columns_of_a_record(library, result):
    frames = [[result(0), result(0, 2, "sad", uncertain=True)], [], [result(2)]]
    table = mien.to_dataframe(frames)
    assert type(table).__module__.partition(".")[0] == library
    assert list(table.columns) == [c for c in columns_of(raw=True) if c != "smooth_ms"]
    assert list(table["frame"]) == [0, 0, 2]
    assert list(table["emotion"]) == ["happy", "sad", "happy"]
    assert list(table["uncertain"]) == [False, True, False]
    assert table["happy"].sum() == pytest.approx(0.7 + 0.05 + 0.7, abs=1e-5)


def test_one_face_and_none_at_all_are_tables_too(library, result):
    del library
    assert len(mien.to_dataframe(result(3))) == 1
    empty = mien.to_dataframe(iter([[], []]))
    assert len(empty) == 0
    assert "emotion" in empty.columns


def test_a_column_has_one_type_whatever_is_in_it(library, result):
    missed = (MissedLimit("min_side_px", 1.0, 20.0),)
    faces = [replace(result(0), yaw_degrees=3.5), replace(result(1), missed_limits=missed)]
    tables = [mien.to_dataframe(each) for each in ([], faces[0], faces[1], faces)]
    types = [list(map(str, table.dtypes)) for table in tables]
    assert types[0] == types[1] == types[2] == types[3]
    for table in tables:
        is_certain = ~table["uncertain"]
        certain = table[is_certain] if library == "pandas" else table.filter(is_certain)
        assert list(certain.columns) == list(table.columns)
        assert (table["yaw_degrees"].abs() > 4).sum() == 0
    join = importlib.import_module(library).concat
    assert list(map(str, join(tables).dtypes)) == types[0]


@pytest.mark.parametrize("value", ["results.csv", 3, [3], None])
def test_what_are_no_results_is_refused(value):
    with pytest.raises(DataError, match="among the results; expected FaceEmotion"):
        mien.to_dataframe(value)


def test_without_a_library_it_says_which(monkeypatch, result):
    for name in FRAMES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=r"needs pandas or Polars.*pip install pandas"):
        mien.to_dataframe([result()])
