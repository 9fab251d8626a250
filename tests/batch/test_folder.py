"""What a batch's folder holds, and what it takes for done; recognised here, without Ray."""

import itertools
import json
import os
import struct
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="needs mien[batch]")

from mien.batch.folder import BatchFolder, sources_schema, summary_schema
from mien.batch.report import batch_page, write_batch_report
from mien.batch.sources import find_sources
from mien.batch.worker import PIECE_BYTES, BatchWorker, SourceResult, WorkerSetup, part_schema
from mien.core.artifact import load_artifact
from mien.core.errors import DataError, OutputError
from mien.core.labels import EMOTIONS
from mien.core.temporal import bundled_temporal, load_temporal
from mien.engine.settings import EngineSettings, make_settings
from mien.media.demo import demo_video
from mien.record.collection_report import Collection
from mien.record.parquet import parquet_rows
from mien.record.recognise import recognise_video
from mien.record.report import write_report


@pytest.fixture(scope="module")
def worker():
    artifact = load_artifact()
    files = (artifact.onnx_path, artifact.onnx_path.with_suffix(".json"))
    setup = WorkerSetup(
        mien_version=version("mien"),
        artifact={path.suffix: path.read_bytes() for path in files},
        temporal={},
        detector_files={},
        reading="raters",
        detector="haar",
        detect_size=None,
        provider="cpu",
        rotate_degrees=0,
        every_ms=0.0,
        settings=EngineSettings(),
    )
    worker = BatchWorker(setup)
    yield worker
    worker.close()


@pytest.mark.parametrize(
    "schema_of", [sources_schema, summary_schema, partial(part_schema, temporal=True)]
)
def test_labels_that_are_called_as_columns_have_columns_of_their_own(schema_of):
    labels = {*schema_of(("a", "b")).names, "kind"}
    columns = schema_of(tuple(labels)).names
    assert len(set(columns)) == len(columns)
    assert "label_kind" in columns


@pytest.fixture
def inputs(tmp_path, astronaut_bgr):
    """Two pictures of a face, a video of five frames, and a picture that is none."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    face = np.ascontiguousarray(astronaut_bgr[:300, 60:400])
    cv2.imwrite(str(inputs / "a.png"), face)
    cv2.imwrite(str(inputs / "b.png"), np.roll(face, 9, axis=1))
    (inputs / "bad.png").write_text("no picture")
    video = cv2.VideoWriter(
        str(inputs / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, face.shape[1::-1]
    )
    for _ in range(5):
        video.write(face)
    video.release()
    return inputs


ASKED = {"artifact_sha256": "abc", "reading": "raters", "every_ms": 0.0, "labels": list(EMOTIONS)}
ASKED |= {"mien_version": "1", "detector": "haar", "temporal": None}


def work(out, inputs, worker, *, asked=ASKED, redo=False, most=99, summary=True):
    """Do what is missing, at most so many tasks; return the names of what was done."""
    sources = find_sources([str(inputs)]).sources
    done = []
    with BatchFolder(out, asked, EMOTIONS) as folder:
        missing = folder.begin(sources, redo=redo)
        pictures = [source for source in missing if source.kind == "picture"]
        videos = [[source] for source in missing if source.kind == "video"]
        for task in [*([pictures] if pictures else []), *videos][:most]:
            reply = worker.recognise(task)
            folder.write_part(reply.results, reply.size_bytes, [reply.first_piece])
            done += [source.name.rpartition(os.sep)[2] for source in task]
        folder.write_tables(summary=summary)
    return sorted(done)


def rows_of(out):
    found = [row for part in sorted(out.glob("faces/*/*")) for row in parquet_rows(part)]
    keys = [(row["source"].rpartition(os.sep)[2], row["frame"], row["error"]) for row in found]
    return sorted(keys, key=str)


def test_what_is_done_is_not_done_again(inputs, worker, tmp_path):
    out = tmp_path / "out"
    assert work(out, inputs, worker, most=1) == ["a.png", "b.png", "bad.png"]
    assert work(out, inputs, worker) == ["v.avi"]
    assert work(out, inputs, worker) == []
    assert [key[:2] for key in rows_of(out)] == [
        *(("a.png", 0), ("b.png", 0), ("bad.png", 0)),
        *(("v.avi", frame) for frame in range(5)),
    ]


def test_a_new_file_is_done_and_the_others_are_not(inputs, worker, tmp_path):
    work(tmp_path / "out", inputs, worker)
    (inputs / "c.png").write_bytes((inputs / "a.png").read_bytes())
    assert work(tmp_path / "out", inputs, worker) == ["c.png"]


def test_a_file_that_changed_is_refused_or_done_anew(inputs, worker, tmp_path):
    out = tmp_path / "out"
    work(out, inputs, worker)
    (inputs / "a.png").write_bytes((inputs / "a.png").read_bytes() + b"more")
    with pytest.raises(OutputError, match=r"1 source \(.*a\.png\) of .*out changed since"):
        work(out, inputs, worker)
    before = rows_of(out)
    assert work(out, inputs, worker, redo=True) == ["a.png", "bad.png"]
    assert rows_of(out) == before
    assert work(out, inputs, worker) == []


def test_the_table_of_videos_is_written_anew_once_it_is_there(inputs, worker, tmp_path):
    """It must not tell of videos that are gone, nor lack new ones."""
    out, summary = tmp_path / "out", tmp_path / "out" / "summary.parquet"
    work(out, inputs, worker)
    (inputs / "w.avi").write_bytes((inputs / "v.avi").read_bytes())
    work(out, inputs, worker, summary=False)
    assert len(list(parquet_rows(summary))) == 2
    (inputs / "v.avi").unlink()
    with BatchFolder(out, ASKED, EMOTIONS) as folder:
        folder.begin(find_sources([str(inputs)]).sources, redo=True)
        assert not summary.exists()
        assert not (out / "sources.parquet").exists()
        folder.write_tables(summary=False)
    (video,) = parquet_rows(summary)
    assert video["source"].endswith("w.avi")


def test_no_table_of_videos_is_written_unless_asked_for(inputs, worker, tmp_path):
    work(tmp_path / "out", inputs, worker, summary=False)
    assert (tmp_path / "out" / "sources.parquet").exists()
    assert not (tmp_path / "out" / "summary.parquet").exists()


def test_a_full_disk_is_told_and_what_was_done_stays(inputs, worker, tmp_path, full_disk):
    out = tmp_path / "out"
    work(out, inputs, worker)
    before = rows_of(out)
    (source,) = find_sources([str(inputs / "a.png")]).sources
    refused = pytest.raises(OutputError, match=r"cannot be written.*: File too large")
    with BatchFolder(out, ASKED, EMOTIONS) as folder:
        folder.begin(find_sources([str(inputs)]).sources, redo=False)
        with full_disk(100), refused:
            folder.set_aside(source, "2 workers died of it.")
        with full_disk(100), refused:
            folder.write_tables(summary=True)
    (inputs / "a.png").unlink()
    with full_disk(100), refused:
        work(out, inputs, worker, redo=True)
    assert rows_of(out) == before
    with full_disk(0), refused:
        work(tmp_path / "new", inputs, worker)


def test_a_full_disk_leaves_no_row_that_other_options_made(inputs, worker, tmp_path, full_disk):
    out = tmp_path / "out"
    work(out, inputs, worker)
    asked = ASKED | {"reading": "labels"}
    with full_disk(100), pytest.raises(OutputError, match=r"cannot be written.*: File too large"):
        work(out, inputs, worker, asked=asked, redo=True)
    assert rows_of(out) == []
    # Neither the old options nor the new ones are taken for done.
    assert len(work(out, inputs, worker, asked=asked, redo=True)) == 4


def test_a_file_that_was_only_touched_has_not_changed(inputs, worker, tmp_path):
    work(tmp_path / "out", inputs, worker)
    os.utime(inputs / "a.png", (1, 1))
    assert work(tmp_path / "out", inputs, worker) == []


def test_a_file_that_is_gone_is_refused_or_its_rows_go(inputs, worker, tmp_path):
    out = tmp_path / "out"
    work(out, inputs, worker)
    (inputs / "b.png").unlink()
    with pytest.raises(OutputError, match="do not name any more"):
        work(out, inputs, worker)
    work(out, inputs, worker, redo=True)
    assert "b.png" not in {name for name, *_ in rows_of(out)}


def test_other_options_are_refused_or_all_is_done_anew(inputs, worker, tmp_path):
    out = tmp_path / "out"
    work(out, inputs, worker)
    asked = ASKED | {"reading": "labels"}
    with pytest.raises(OutputError, match="reading was 'raters' and is 'labels'"):
        work(out, inputs, worker, asked=asked)
    assert len(work(out, inputs, worker, asked=asked, redo=True)) == 4
    assert len(rows_of(out)) == 8


def test_a_folder_of_something_else_is_left_alone(inputs, worker, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="no batch of mien's"):
        work(tmp_path / "out", inputs, worker)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_two_at_a_time_are_refused(inputs, worker, tmp_path):
    with (
        BatchFolder(tmp_path / "out", ASKED, EMOTIONS),
        pytest.raises(OutputError, match="Another `mien batch` is writing"),
    ):
        work(tmp_path / "out", inputs, worker)


def test_a_part_that_does_not_come_whole_is_not_there(inputs, worker, tmp_path):
    sources = find_sources([str(inputs / "a.png")]).sources
    with BatchFolder(tmp_path / "out", ASKED, EMOTIONS) as folder:
        folder.begin(sources, redo=False)
        reply = worker.recognise(sources)
        with pytest.raises(OutputError, match="came as"):
            folder.write_part(reply.results, reply.size_bytes, [reply.first_piece[:-1]])
    assert rows_of(tmp_path / "out") == []
    assert work(tmp_path / "out", inputs / "a.png", worker) == ["a.png"]


def test_what_was_set_aside_is_tried_again_and_stands_once(inputs, worker, tmp_path):
    out = tmp_path / "out"
    (source,) = find_sources([str(inputs / "a.png")]).sources
    with BatchFolder(out, ASKED, EMOTIONS) as folder:
        folder.begin([source], redo=False)
        folder.set_aside(source, "2 workers died of it.")
        folder.write_tables(summary=False)
    (row,) = parquet_rows(out / "sources.parquet")
    assert (row["state"], row["error"]) == ("set aside", "2 workers died of it.")
    assert rows_of(out) == [("a.png", 0, "2 workers died of it.")]
    assert work(out, inputs / "a.png", worker) == ["a.png"]
    assert rows_of(out) == [("a.png", 0, None)]


def test_a_large_part_comes_in_pieces(worker, tmp_path, monkeypatch, inputs):
    monkeypatch.setattr("mien.batch.worker.PIECE_BYTES", 1000)
    sources = find_sources([str(inputs / "v.avi")]).sources
    reply = worker.recognise(sources)
    assert len(reply.first_piece) == 1000 < reply.size_bytes < PIECE_BYTES
    rest = [worker.piece(at) for at in range(1000, reply.size_bytes, 1000)]
    with BatchFolder(tmp_path / "out", ASKED, EMOTIONS) as folder:
        folder.begin(sources, redo=False)
        folder.write_part(reply.results, reply.size_bytes, [reply.first_piece, *rest])
    assert len(rows_of(tmp_path / "out")) == 5


def test_a_video_is_looked_at_as_often_as_asked(worker, tmp_path, inputs):
    often = BatchWorker(replace(worker._setup, every_ms=80.0))
    reply = often.recognise(find_sources([str(inputs / "v.avi")]).sources)
    often.close()
    assert reply.results[0].frames == 3  # of 0, 40, 80, 120 and 160 ms
    assert reply.results[0].duration_ms == 200.0


def test_a_video_is_as_long_as_it_is_however_seldom_it_is_looked_at(worker, inputs):
    seldom = BatchWorker(replace(worker._setup, every_ms=3000.0))
    (result,) = seldom.recognise(find_sources([str(inputs / "v.avi")]).sources).results
    seldom.close()
    assert (result.frames, result.duration_ms) == (1, 200.0)


def test_a_worker_decodes_in_its_own_thread(worker, monkeypatch):
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("needs /proc to count threads")
    counts = []

    def look(frames, *_args, **_options):
        for frame in itertools.islice(frames, 20):
            counts.append(sum(1 for _ in tasks.iterdir()))
            yield frame, []

    monkeypatch.setattr("mien.batch.worker.recognise_frames", look)
    before = sum(1 for _ in tasks.iterdir())
    (result,) = worker.recognise(find_sources([str(demo_video())]).sources).results
    assert (result.state, len(counts)) == ("done", 20)
    assert max(counts) <= before


def test_a_network_over_time_answers_for_each_video_as_it_does_in_mien_video(
    worker, tmp_path, inputs
):
    network = load_temporal(bundled_temporal())
    files = (network.onnx_path, network.onnx_path.with_suffix(".json"))
    settings = make_settings(temporal="shipped")
    setup = replace(
        worker._setup,
        temporal={path.suffix: path.read_bytes() for path in files},
        # On a worker's machine there is no such file.
        settings=replace(settings, temporal=tmp_path / "elsewhere.onnx"),
    )
    over_time = BatchWorker(setup)
    out = tmp_path / "out"
    work(out, inputs, over_time, asked=ASKED | {"temporal": network.sha256})
    over_time.close()
    (part,) = out.glob("faces/kind=video/*.parquet")
    rows = list(parquet_rows(part))
    expected = list(recognise_video(inputs / "v.avi", worker._recognizer, settings))
    for row, same in zip(rows, expected, strict=True):
        assert row["temporal_sha256"] == network.sha256
        for label in EMOTIONS:
            assert row[f"whole_{label}"] == pytest.approx(same[f"whole_{label}"], abs=1e-5)
    (summary,) = parquet_rows(out / "summary.parquet")
    assert summary["happy"] == pytest.approx(rows[-1]["whole_happy"], abs=1e-3)
    (part,) = out.glob("faces/kind=picture/*.parquet")
    assert {row["whole_happy"] for row in parquet_rows(part)} == {None}


def test_an_object_of_a_store_has_the_rows_of_a_file(inputs, worker, object_store):
    files = {"a.png": "faces of two.png", "v.avi": "video/v.avi", "bad.png": "bad.png"}
    options = object_store(
        {f"rows/{key}": (inputs / name).read_bytes() for name, key in files.items()}
    )
    remote = find_sources([f"s3://user:secret@faces/rows{options}"]).sources
    for name, key in files.items():
        (source,) = (each for each in remote if each.name == f"s3://faces/rows/{key}")
        (found,) = worker.recognise([source]).results
        (same,) = worker.recognise(find_sources([str(inputs / name)]).sources).results
        assert (found.faces, found.shown, found.source_sha256) == (
            *(same.faces, same.shown, same.source_sha256),
        )
        assert found.summary == same.summary
        told = (same.error or "").replace(str(inputs / name), source.name)
        assert (found.error or "") == told
    assert list(worker._folder.rglob("*.avi")) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_hostile_folder_is_rows_with_errors(inputs, worker, tmp_path):
    whole = (inputs / "a.png").read_bytes()
    size = struct.pack(">II", 40_000, 40_000)  # pixels, in a file of some kilobytes
    (inputs / "bomb.png").write_bytes(whole[:16] + size + whole[24:])
    (inputs / "empty.png").write_bytes(b"")
    (inputs / "empty.mp4").write_bytes(b"")
    (inputs / "half.avi").write_bytes((inputs / "v.avi").read_bytes()[:3000])
    (inputs / "text.mov").write_text("no video")
    (inputs / "loop.png").symlink_to("loop.png")
    (inputs / "loop").symlink_to(".")
    os.mkfifo(inputs / "pipe.png")
    os.mkfifo(inputs / "pipe.mp4")
    odd = os.fsdecode(os.fsencode(inputs) + b"/caf\xe9.png")
    with open(odd, "wb") as file:  # noqa: PTH123
        file.write(whole)
    work(tmp_path / "out", inputs, worker)
    found = {
        row["source"].rpartition(os.sep)[2]: row
        for row in parquet_rows(tmp_path / "out" / "sources.parquet")
    }
    failed = {name: row["error"] for name, row in found.items() if row["state"] == "failed"}
    assert set(found) - set(failed) == {"a.png", "b.png", "v.avi", "caf%E9.png"}
    assert set(failed) == {
        *("bad.png", "bomb.png", "empty.png", "empty.mp4", "half.avi", "text.mov", "loop.png"),
        *("pipe.png", "pipe.mp4"),
    }
    assert all(failed.values())
    errors = {name for name, _, error in rows_of(tmp_path / "out") if error}
    assert errors == set(failed)
    assert work(tmp_path / "out", inputs, worker) == []


def test_the_tables_say_what_became_of_each_source(inputs, worker, tmp_path):
    work(tmp_path / "out", inputs, worker)
    found = {
        row["source"].rpartition(os.sep)[2]: row
        for row in parquet_rows(tmp_path / "out" / "sources.parquet")
    }
    assert {name: (row["state"], row["faces"]) for name, row in found.items()} == {
        "a.png": ("done", 1),
        "b.png": ("done", 1),
        "bad.png": ("failed", 0),
        "v.avi": ("done", 5),
    }
    assert found["v.avi"]["duration_ms"] == 200.0
    assert found["v.avi"]["happy"] + found["v.avi"]["uncertain"] == 5
    (video,) = parquet_rows(tmp_path / "out" / "summary.parquet")
    assert (video["people"], video["emotion"], video["frames"]) == (1, "happy", 5)


def test_the_report_names_what_is_uncertain_and_what_failed(inputs, worker, tmp_path):
    work(tmp_path / "out", inputs, worker)
    page = tmp_path / "report.html"
    write_batch_report(tmp_path / "out", page)
    text = page.read_text(encoding="utf-8")
    for expected in ("v.avi", "bad.png is not a picture", "Every source counts once", "5 faces"):
        assert expected in text


def test_a_damaged_video_is_done_and_told_by_the_report(inputs, worker, tmp_path, write_jpeg_video):
    write_jpeg_video(inputs / "damaged.avi", damaged=(4,))
    out, page = tmp_path / "out", tmp_path / "report.html"
    work(out, inputs, worker)
    states = {row["source"]: row["state"] for row in parquet_rows(out / "sources.parquet")}
    assert states[str(inputs / "damaged.avi")] == "done"
    write_batch_report(out, page)
    text = page.read_text(encoding="utf-8")
    for expected in ("<dt>Incomplete</dt><dd>1</dd>", "damaged.avi is damaged in 1 place, "):
        assert expected in text


def test_a_part_with_a_source_that_could_not_be_read_has_a_report(inputs, worker, tmp_path):
    work(tmp_path / "out", inputs, worker)
    (part,) = (tmp_path / "out" / "faces" / "kind=picture").iterdir()
    collection = write_report(part, tmp_path / "report.html")
    assert isinstance(collection, Collection)
    assert (collection.photos.pictures_with_faces, collection.photos.faces) == (2, 2)


def test_the_report_of_a_hundred_thousand_sources_is_small():
    results = []
    for number in range(100_000):
        name = f"s3://<bucket>/{'folder/' * 40}{number}.mp4"
        result = SourceResult(name, "video", "done", shown=[5] * 7, faces=40, uncertain=5)
        if number % 3 == 0:
            result = SourceResult(name, "video", "failed", f"{name} is damaged. " * 5)
        results.append(result)
    page = batch_page("batch", ASKED, results)
    assert len(page.encode()) < 5_000_000
    assert "<bucket>" not in page
    assert "… and 65,666 more in the table." in page  # of 66,666 that have faces


def test_a_folder_without_a_batch_has_no_report(tmp_path):
    with pytest.raises(DataError, match="holds no batch"):
        write_batch_report(tmp_path, tmp_path / "report.html")
    (tmp_path / "batch.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(DataError, match="is not what this mien writes"):
        write_batch_report(tmp_path, tmp_path / "report.html")
