import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mien.core.errors import DataError
from mien.record.read import read_record
from mien.record.table import COLUMNS
from mien.record.write import RecordWriter


def write(path, results, **options):
    with RecordWriter(**{path.suffix[1:]: path}, smooth_ms=130.0, **options) as writer:
        for faces in results:
            writer.write(faces)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_is_written_is_read_back(tmp_path, result, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs mien[batch]")
    path = tmp_path / "new" / f"record.{suffix}"
    written = [
        [result(0), result(0, 2, "sad", uncertain=True)],
        [],
        [result(2, detected=False)],
    ]
    write(path, written, raw=True)
    back = list(read_record(path))
    expected = [face for faces in written for face in faces]
    assert [(f.frame, f.track_id, f.emotion, f.uncertain, f.detected) for f in back] == [
        (f.frame, f.track_id, f.emotion, f.uncertain, f.detected) for f in expected
    ]
    for one, other in zip(back, expected, strict=True):
        assert one.timestamp_ms == pytest.approx(other.timestamp_ms)
        assert one.box.width == pytest.approx(other.box.width, abs=0.01)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
        np.testing.assert_allclose(one.raw_probabilities, other.raw_probabilities, atol=1e-5)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_columns_come_first_in_their_order(tmp_path, result):
    path = tmp_path / "record.csv"
    write(path, [[result()]])
    header, row = path.read_text().splitlines()
    assert header.split(",") == [*COLUMNS, "detected", "smooth_ms"]
    assert row.split(",")[:4] == ["0", "0.0", "1", "10.25"]
    assert row.split(",")[-3:] == ["false", "true", "130.0"]
    assert ",".join(COLUMNS) == (
        "frame,timestamp_ms,track_id,x,y,width,height,detection_score,emotion,confidence,"
        "angry,disgust,fear,happy,sad,surprise,neutral,uncertain"
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_kill_leaves_whole_rows_up_to_the_last_second(tmp_path):
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from conftest import _result
        from mien.record.write import RecordWriter
        folder = Path(sys.argv[1])
        writer = RecordWriter(csv=folder / "r.csv", jsonl=folder / "r.jsonl", smooth_ms=0)
        for frame in range(1_000_000):
            writer.write([_result(frame), _result(frame, 2)])
            if frame % 1000 == 0:
                print(frame, time.monotonic(), flush=True)
        """
    )
    arguments = [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        frames_at = []
        for line in process.stdout:
            frame, seconds = line.split()
            frames_at.append((float(seconds), int(frame)))
            if frames_at[-1][0] - frames_at[0][0] > 1.5:
                process.kill()
                break
    killed_s = frames_at[-1][0]
    due = max(frame for seconds, frame in frames_at if seconds <= killed_s - 1)
    for name in ("r.csv", "r.jsonl"):
        rows = list(read_record(tmp_path / name))
        assert rows[-1].frame >= due
        assert [row.frame for row in rows] == sorted(row.frame for row in rows)


def test_a_last_line_that_breaks_off_is_passed_over(tmp_path, result):
    for name in ("r.csv", "r.jsonl"):
        path = tmp_path / name
        write(path, [[result(0)], [result(1)]])
        path.write_bytes(path.read_bytes()[:-7])
        assert [face.frame for face in read_record(path)] == [0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.txt", "", "expected it to end in"),
        ("r.csv", "a,b\n1,2\n", "line 2 has no frame"),
        ("r.csv", ",".join(COLUMNS) + "\n1,2\n", "line 2 has 2 values; expected 18"),
        ("r.jsonl", "{\n", "line 1 is not JSON"),
        ("r.jsonl", "[]\n", "line 1 is no JSON object"),
        ("r.csv", b"\xff\xfe\n", "not a text file"),
    ],
)
def test_what_is_no_record_is_named_with_its_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        list(read_record(path))


@pytest.mark.parametrize(("column", "value"), [("emotion", "bored"), ("happy", "nan"), ("x", "")])
def test_a_wrong_value_is_named_with_its_column(tmp_path, result, column, value):
    path = tmp_path / "r.csv"
    write(path, [[result()]])
    header, row = path.read_text().splitlines()
    values = dict(zip(header.split(","), row.split(","), strict=True)) | {column: value}
    path.write_text(header + "\n" + ",".join(values.values()) + "\n")
    with pytest.raises(DataError, match=f"line 2, column {column}"):
        list(read_record(path))


def test_a_record_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        RecordWriter(csv=tmp_path / "file" / "r.csv", smooth_ms=0)


def test_the_rows_survive_a_parquet_file_that_cannot_be_written(tmp_path, result):
    pytest.importorskip("pyarrow", reason="needs mien[batch]")
    writer = RecordWriter(parquet=tmp_path / "r.parquet", smooth_ms=0)
    writer.write([result(0), result(0, 2)])
    (tmp_path / "r.parquet").mkdir()
    with pytest.raises(DataError, match=r"r\.parquet cannot be written.* The rows are in ") as told:
        writer.close()
    (kept,) = tmp_path.glob("*.csv")
    assert str(kept) in str(told.value)
    assert [face.track_id for face in read_record(kept)] == [1, 2]


def test_a_record_that_cannot_be_read_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"x\.csv cannot be read"):
        list(read_record(tmp_path / f"{'x' * 300}.csv"))
