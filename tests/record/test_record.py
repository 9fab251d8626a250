import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.cli import main
from mien.core.errors import DataError, OutputError
from mien.core.labels import EMOTIONS
from mien.core.types import MissedLimit
from mien.media.colours import colours_of
from mien.media.demo import demo_video
from mien.record.read import broken_end, read_record
from mien.record.report import write_report
from mien.record.table import leading_columns
from mien.record.write import STANDARD_OUTPUT, RecordOutputs, RecordWriter

COLUMNS = leading_columns()


def write(path, results, *, raw=False, temporal=False):
    outputs = RecordOutputs(**{path.suffix[1:]: path}, raw=raw)
    with RecordWriter(EMOTIONS, outputs, smooth_ms=130.0, temporal=temporal) as writer:
        for faces in results:
            writer.write(faces)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_is_written_is_read_back(tmp_path, result, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    path = tmp_path / "new" / f"record.{suffix}"
    written = [
        [result(0), result(0, 2, "sad", uncertain=True)],
        [],
        [result(2, detected=False)],
    ]
    write(path, written, raw=True)
    back = list(read_record(str(path)))
    expected = [face for faces in written for face in faces]
    assert [(f.frame, f.track_id, f.emotion, f.uncertain, f.detected) for f in back] == [
        (f.frame, f.track_id, f.emotion, f.uncertain, f.detected) for f in expected
    ]
    for one, other in zip(back, expected, strict=True):
        assert one.timestamp_ms == pytest.approx(other.timestamp_ms)
        assert (one.labels, one.reading) == (EMOTIONS, "raters")
        assert one.box.width == pytest.approx(other.box.width, abs=0.01)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
        np.testing.assert_allclose(one.raw_probabilities, other.raw_probabilities, atol=1e-5)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_why_a_face_is_uncertain_is_written_and_read_back(tmp_path, result, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    missed = (MissedLimit("min_side_px", 17.2, 20.0), MissedLimit("max_sharpness", 3.25, 3.0))
    path = tmp_path / f"record.{suffix}"
    faces = [result(0), replace(result(1), uncertain=True, missed_limits=missed), result(2)]
    write(path, [faces])
    assert [face.missed_limits for face in read_record(path)] == [(), missed, ()]
    if suffix == "csv":
        assert "min_side_px 17.2 < 20; max_sharpness 3.25 > 3" in path.read_text()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_how_a_head_is_turned_is_written_and_read_back(tmp_path, result, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    turned = replace(result(1), yaw_degrees=-31.25, pitch_degrees=0.0, roll_degrees=4.56)
    path = tmp_path / f"record.{suffix}"
    write(path, [[result(0), turned]])
    straight, turned = read_record(path)
    assert straight.yaw_degrees is straight.pitch_degrees is straight.roll_degrees is None
    found = (turned.yaw_degrees, turned.pitch_degrees, turned.roll_degrees)
    assert found == pytest.approx((-31.2, 0.0, 4.6))


def test_rows_without_a_network_over_time_are_read_beside_those_of_one(tmp_path, result, page_of):
    over_time = [
        replace(result(n), whole_probabilities=result().probabilities, temporal_sha256="ab12")
        for n in range(2)
    ]
    path = tmp_path / "record.csv"
    write(path, [over_time], temporal=True)
    header, first, second = path.read_text().splitlines()
    # As the page writes it where the network was chosen after a while.
    added = len(EMOTIONS) + 1
    smoothed = ",".join(first.split(",")[:-added]) + "," * added
    path.write_text("\n".join([header, smoothed, second, ""]))
    before, after = read_record(path)
    assert (before.whole_probabilities, before.temporal_sha256) == (None, None)
    np.testing.assert_allclose(after.whole_probabilities, result().probabilities, atol=1e-5)
    assert after.temporal_sha256 == "ab12"
    summary, *_ = page_of(path, tmp_path)
    assert summary.networks_over_time == {"ab12"}


def test_the_columns_come_first_in_their_order(tmp_path, result):
    path = tmp_path / "record.csv"
    write(path, [[result()]])
    header, row = path.read_text().splitlines()
    added = ["detected", "smooth_ms", "reading", "missed_limits"]
    angles = ["yaw_degrees", "pitch_degrees", "roll_degrees"]
    assert header.split(",") == [*COLUMNS, *added, *angles]
    assert row.split(",")[:4] == ["0", "0.0", "1", "10.25"]
    assert row.split(",")[-8:] == ["false", "true", "130.0", "raters", "", "", "", ""]
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
        from mien import EMOTIONS
        from mien.record.write import RecordOutputs, RecordWriter
        folder = Path(sys.argv[1])
        files = {"csv": folder / "r.csv", "jsonl": folder / "r.jsonl"}
        writer = RecordWriter(EMOTIONS, RecordOutputs(**files), smooth_ms=0)
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


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path, result, name):
    path = tmp_path / name
    write(path, [[result(0)], [result(1)]])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [face.frame for face in read_record(path)] == [0, 1]


def test_a_last_line_that_breaks_off_is_passed_over(tmp_path, result):
    for name in ("r.csv", "r.jsonl"):
        path = tmp_path / name
        write(path, [[result(0)], [result(1)]])
        assert broken_end(path) is None
        path.write_bytes(path.read_bytes()[:-7])
        assert [face.frame for face in read_record(path)] == [0]
        assert re.match(r"Line \d, the last one, was passed over", broken_end(path))


@pytest.mark.parametrize(("name", "frames"), [("r.csv", [0]), ("r.jsonl", [0, 1])])
def test_a_last_line_without_an_end_counts_where_nothing_of_it_can_be_missing(
    tmp_path, result, name, frames
):
    path = tmp_path / name
    write(path, [[result(0)], [result(1)]])
    path.write_bytes(path.read_bytes()[:-1])
    assert [face.frame for face in read_record(path)] == frames
    assert (broken_end(path) is None) == (len(frames) == 2)


def test_of_a_row_without_an_end_nobody_says_that_there_is_no_face(tmp_path, result, capsys):
    path = tmp_path / "r.csv"
    write(path, [[result(0)]])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"nothing to show\. Line 2, the last one, was passed over"):
        write_report(path, tmp_path / "r.html")
    write(path, [[result(0)], [result(1)]])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SystemExit):
        main(["report", str(path)])
    assert "Line 3, the last one, was passed over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.txt", "", "expected it to end in"),
        ("r.csv", "a,b\n1,2\n", "line 2 has no frame"),
        ("r.csv", ",".join(COLUMNS) + "\n1,2\n", "line 2 has 2 values; expected 18"),
        ("r.jsonl", "{\n", "line 1 is not JSON"),
        ("r.jsonl", "[]\n", "line 1 is no JSON object"),
        ("r.jsonl", "[" * 100_000 + "\n", "line 1 is nested too deeply"),
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


@pytest.mark.parametrize("column", ["emotion", "happy", "uncertain", "missed_limits"])
def test_a_long_value_is_not_told_as_a_whole(tmp_path, result, column):
    path = tmp_path / "r.jsonl"
    write(path, [[result()]])
    row = json.loads(path.read_text()) | {column: "x" * 100_000}
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=f"line 1, column {column}: found 'xxx") as refused:
        list(read_record(path))
    assert len(str(refused.value)) < 1000 + len(str(path))


def test_long_columns_are_not_told_as_a_whole(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(f"confidence,{'x' * 100_000},uncertain\n1,2,3\n")
    with pytest.raises(DataError, match="line 2 has no frame") as refused:
        list(read_record(path))
    assert len(str(refused.value)) < 1000 + len(str(path))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_spreadsheets_other_separators_are_told(tmp_path, result, mark):
    path = tmp_path / "r.csv"
    write(path, [[result()]])
    path.write_text(path.read_text().replace(",", mark))
    with pytest.raises(DataError, match="between its values, as some spreadsheets save; expected"):
        list(read_record(path))


def test_a_record_is_written_by_one_process(tmp_path, result, capsys):
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from conftest import _result
        from mien import EMOTIONS
        from mien.record.write import RecordOutputs, RecordWriter
        outputs = RecordOutputs(csv=Path(sys.argv[1]))
        with RecordWriter(EMOTIONS, outputs, smooth_ms=0) as writer:
            print("mine", flush=True)
            sys.stdin.read()
            writer.write([_result(0)])
        """
    )
    path = tmp_path / "r.csv"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "mine\n"
        begun = path.read_text()
        with pytest.raises(SystemExit, match="2"):
            main(["video", str(demo_video()), "--detector", "haar", "--csv", str(path)])
        assert "r.csv is being written already" in capsys.readouterr().err
        assert path.read_text() == begun
        other.stdin.close()
        assert other.wait() == 0
    assert [face.frame for face in read_record(path)] == [0]
    write(path, [[result(1)]])
    assert [face.frame for face in read_record(path)] == [1]


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="Windows has no /dev/null")
def test_several_records_go_to_one_device(result):
    outputs = RecordOutputs(csv=Path("/dev/null"))
    with (
        RecordWriter(EMOTIONS, outputs, smooth_ms=0) as one,
        RecordWriter(EMOTIONS, outputs, smooth_ms=0) as other,
    ):
        one.write([result(0)])
        other.write([result(0)])


def test_a_record_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        RecordWriter(EMOTIONS, RecordOutputs(csv=tmp_path / "file" / "r.csv"), smooth_ms=0)


def test_the_rows_survive_a_parquet_file_that_cannot_be_written(tmp_path, result):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    writer = RecordWriter(EMOTIONS, RecordOutputs(parquet=tmp_path / "r.parquet"), smooth_ms=0)
    writer.write([result(0), result(0, 2)])
    (tmp_path / "r.parquet").mkdir()
    with pytest.raises(
        OutputError, match=r"r\.parquet cannot be written.* The rows are in "
    ) as told:
        writer.close()
    (kept,) = tmp_path.glob("*.csv")
    assert str(kept) in str(told.value)
    assert [face.track_id for face in read_record(kept)] == [1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_the_rows_of_a_parquet_file_behind_a_link_wait_beside_that_file(tmp_path, result):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    real, link = tmp_path / "large disk" / "r.parquet", tmp_path / "r.parquet"
    real.parent.mkdir()
    link.symlink_to(real)
    with RecordWriter(EMOTIONS, RecordOutputs(parquet=link), smooth_ms=0) as writer:
        writer.write([result(0)])
        assert set(tmp_path.iterdir()) == {link, real.parent}
    assert list(real.parent.iterdir()) == [real]


@pytest.mark.parametrize("part", ["rows", "Parquet"])
def test_a_full_disk_is_told_and_the_rows_are_kept(tmp_path, result, full_disk, part):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    random = np.random.default_rng(0)
    rows = [
        replace(result(frame), probabilities=random.random(7).astype(np.float32))
        for frame in range(3000)
    ]
    path = tmp_path / "r.parquet"
    writer = RecordWriter(EMOTIONS, RecordOutputs(parquet=path), smooth_ms=0)
    if part == "rows":
        with full_disk(5_000), pytest.raises(OutputError, match="File too large") as told, writer:
            writer.write(rows)
    else:
        writer.write(rows)
        writer._files[0]._flush()
        with full_disk(5_000), pytest.raises(OutputError, match="File too large") as told:
            writer.close()
    (kept,) = tmp_path.iterdir()
    assert str(kept) in str(told.value)
    assert "parse error" not in str(told.value)
    assert "r.parquet" in str(told.value)
    whole = list(read_record(kept))
    assert [face.frame for face in whole] == list(range(len(whole)))
    assert len(whole) > 20


def test_a_record_that_cannot_be_read_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"x\.csv cannot be read"):
        list(read_record(tmp_path / f"{'x' * 300}.csv"))


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_table_goes_to_standard_output(tmp_path, result, capfd, format):
    path = tmp_path / f"r.{format}"
    write(path, [[result(0)], [result(1)]])
    outputs: dict[str, Any] = {format: STANDARD_OUTPUT}
    with RecordWriter(EMOTIONS, RecordOutputs(**outputs), smooth_ms=130.0) as writer:
        writer.write([result(0)])
        writer.write([result(1)])
    assert capfd.readouterr().out == path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_parquet_is_written_beside_csv_on_standard_output(tmp_path, result, capfd):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    path = tmp_path / "r.parquet"
    outputs = RecordOutputs(csv=STANDARD_OUTPUT, parquet=path)
    with RecordWriter(EMOTIONS, outputs, smooth_ms=0) as writer:
        writer.write([result(0), result(0, 2)])
    assert capfd.readouterr().out.count("\n") == 3
    assert [face.track_id for face in read_record(path)] == [1, 2]
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="Parquet cannot go to standard output"):
        RecordWriter(EMOTIONS, RecordOutputs(parquet=STANDARD_OUTPUT), smooth_ms=0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes of that kind")
def test_parquet_is_written_beside_csv_in_a_pipe(tmp_path, result):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    pipe, path = tmp_path / "pipe.csv", tmp_path / "r.parquet"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    with RecordWriter(EMOTIONS, RecordOutputs(csv=pipe, parquet=path), smooth_ms=0) as writer:
        writer.write([result(0), result(0, 2)])
    reader.join()
    assert read[0].count("\n") == 3
    assert [face.track_id for face in read_record(path)] == [1, 2]
    assert sorted(tmp_path.iterdir()) == [pipe, path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes of that kind")
def test_a_reader_who_leaves_takes_nothing_from_the_other_files(tmp_path, result):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    pipe, lines, table = tmp_path / "pipe.csv", tmp_path / "r.jsonl", tmp_path / "r.parquet"
    os.mkfifo(pipe)
    has_left = threading.Event()

    def read_header():
        with pipe.open() as file:
            file.readline()
        has_left.set()

    threading.Thread(target=read_header, daemon=True).start()
    outputs = RecordOutputs(csv=pipe, jsonl=lines, parquet=table)
    writer = RecordWriter(EMOTIONS, outputs, smooth_ms=0)
    assert has_left.wait(60)
    with pytest.raises(BrokenPipeError), writer:
        writer.write([result(0), result(0, 2)])
    for path in (lines, table):
        assert [face.track_id for face in read_record(path)] == [1, 2]
    assert sorted(tmp_path.iterdir()) == [pipe, lines, table]


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="Windows has no /dev/null")
def test_parquet_is_written_beside_csv_to_a_device(tmp_path, result):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    path = tmp_path / "r.parquet"
    outputs = RecordOutputs(csv=Path("/dev/null"), parquet=path)
    with RecordWriter(EMOTIONS, outputs, smooth_ms=0) as writer:
        writer.write([result(0)])
    assert [face.track_id for face in read_record(path)] == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps files that are open")
@pytest.mark.parametrize("change", [Path.unlink, lambda path: os.truncate(path, 0)])
def test_a_csv_that_is_gone_before_parquet_is_made_of_it_is_told(tmp_path, result, change):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    csv, path = tmp_path / "r.csv", tmp_path / "r.parquet"
    writer = RecordWriter(EMOTIONS, RecordOutputs(csv=csv, parquet=path), smooth_ms=0)
    change(csv)
    with pytest.raises(OutputError, match=r"r\.parquet cannot .*r\.csv, which it is made of, was"):
        writer.close()


HOSTILE = ("=cmd()", "<img src=x onerror=alert(1)>", "x", "raw_sad", "-1", "'=a,b", "Ärger", "怒り")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_any_labels_are_read_back(tmp_path, result, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    path = tmp_path / f"record.{suffix}"
    probabilities = np.linspace(0.3, 0.0, len(HOSTILE), dtype=np.float32)
    with RecordWriter(HOSTILE, RecordOutputs(**{suffix: path}, raw=True), smooth_ms=0) as writer:
        for label in HOSTILE:
            face = replace(
                result(), emotion=label, labels=HOSTILE, probabilities=probabilities, reading="=1+1"
            )
            writer.write([replace(face, raw_probabilities=probabilities[::-1])])
    back = list(read_record(path))
    assert [face.emotion for face in back] == list(HOSTILE)
    for face in back:
        assert (face.labels, face.reading) == (HOSTILE, "=1+1")
        assert face.box.x == 10.25
        np.testing.assert_allclose(face.probabilities, probabilities, atol=1e-6)
        np.testing.assert_allclose(face.raw_probabilities, probabilities[::-1], atol=1e-6)


def test_no_cell_of_a_csv_file_is_a_formula(tmp_path, result):
    path = tmp_path / "record.csv"
    with RecordWriter(("=cmd()", "+1"), RecordOutputs(csv=path), smooth_ms=0) as writer:
        face = result()
        row = np.array([0.4, 0.6], np.float32)
        writer.write([replace(face, emotion="=cmd()", labels=("=cmd()", "+1"), probabilities=row)])
    for line in path.read_text().splitlines():
        assert not re.search(r"(^|,)\"?[=+@]", line)
    assert "'=cmd()" in path.read_text()


def test_a_record_of_mien_0_1_says_no_reading(tmp_path, result):
    path = tmp_path / "record.csv"
    write(path, [[result()]])
    lines = path.read_text().splitlines()
    before = [line.rsplit(",", 5)[0] for line in lines]  # without `reading` and what follows it
    path.write_text("".join(line + "\n" for line in before))
    (face,) = read_record(path)
    assert (face.emotion, face.labels, face.reading) == ("happy", EMOTIONS, None)
    assert face.yaw_degrees is None


def test_a_reading_that_is_no_text_is_named(tmp_path, result):
    path = tmp_path / "record.jsonl"
    with RecordWriter(EMOTIONS, RecordOutputs(jsonl=path), smooth_ms=0) as writer:
        writer.write([result()])
    row = json.loads(path.read_text()) | {"reading": ["raters"]}
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"line 1: reading is \['raters'\]; expected a text"):
        list(read_record(path))


def test_more_labels_than_there_are_colours_are_drawn_all_the_same():
    labels = tuple(f"label {number}" for number in range(40))
    assert len(set(colours_of(labels[:16]))) == 16
    assert len(colours_of(labels)) == 40


def test_what_was_there_stays_where_another_file_cannot_be_opened(tmp_path, result):
    old, absent = tmp_path / "old.csv", tmp_path / "file" / "r.jsonl"
    write(old, [[result(0)]])
    kept = old.read_text()
    absent.parent.write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        RecordWriter(EMOTIONS, RecordOutputs(csv=old, jsonl=absent), smooth_ms=0)
    assert old.read_text() == kept
    with pytest.raises(OutputError, match="cannot be written"):
        RecordWriter(EMOTIONS, RecordOutputs(csv=tmp_path / "new.csv", jsonl=absent), smooth_ms=0)
    assert not (tmp_path / "new.csv").exists()
    write(old, [])
    assert len(old.read_text().splitlines()) == 1
