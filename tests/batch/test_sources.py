"""What a batch's inputs mean: no file of them is read."""

import csv
import os
import sys
from pathlib import Path

import pytest

from mien.batch.sources import find_sources, open_filesystem
from mien.core.errors import DataError, SourceError
from mien.record.table import table_name

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such name")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/b.MP4", "in/notes.txt", "in/.hidden.png", "in/more/c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def names(*inputs):
    return [source.name for source in find_sources([str(each) for each in inputs]).sources]


def test_a_folder_gives_its_pictures_and_videos_and_says_what_it_passed_over(folder):
    found = find_sources(["in"])
    assert [(each.name, each.kind) for each in found.sources] == [
        ("in/a.png", "picture"),
        ("in/b.MP4", "video"),
        ("in/more/c.jpg", "picture"),
    ]
    assert found.passed_over == ("in/notes.txt",)
    assert all(Path(each.location).is_absolute() for each in found.sources)
    assert [each.size_bytes for each in found.sources] == [8, 8, 13]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.png", ["in/a.png"]),
        ("in/**/*.jpg", ["in/more/c.jpg"]),
        ("in/m*", ["in/more/c.jpg"]),
        ("in/**", ["in/a.png", "in/b.MP4", "in/more/c.jpg"]),
        ("in/**/*", ["in/a.png", "in/b.MP4", "in/more/c.jpg"]),
        ("**/m*", ["in/more/c.jpg"]),
    ],
)
def test_a_pattern_gives_what_it_matches(folder, pattern, expected):
    assert names(pattern) == expected


@linux_only
@pytest.mark.parametrize("pattern", ["in/**", "in/**/*", "in/*", "in/*/*"])
def test_a_pattern_follows_no_links_to_folders(folder, pattern):
    """Two loops would be more paths than anybody could wait for."""
    for loop in ("in/loop", "in/loop 2", "in/more/loop"):
        (folder / loop).symlink_to(folder / "in")
    (folder / "in" / "link.jpg").symlink_to("more/c.jpg")
    expected = {"in/a.png", "in/b.MP4", "in/link.jpg", "in/more/c.jpg"}
    assert set(names(pattern)) == (expected if pattern != "in/*/*" else {"in/more/c.jpg"})
    assert names("in/loop/*.png") == ["in/loop/a.png"]
    with pytest.raises(SourceError, match="links to folders are not followed"):
        find_sources(["in/loop*/*.png"])


@pytest.mark.parametrize("given", ["~a.png", "*.png", "list.txt"])
def test_a_name_may_begin_with_a_tilde(folder, given):
    (folder / "~a.png").write_bytes(b"")
    (folder / "list.txt").write_text("~a.png\n")
    assert names(given) == ["~a.png"]


@linux_only
def test_names_with_line_breaks_are_two_in_one_line_each(folder):
    for name in ("x y.png", "x\ny.png", "x\ry.png"):
        (folder / "in" / "more" / name).write_bytes(b"")
    assert names("in/more/x*") == ["in/more/x%0Ay.png", "in/more/x%0Dy.png", "in/more/x y.png"]


@pytest.mark.parametrize("given", ["in/.hidden.png", "list.txt"])
def test_a_hidden_picture_that_is_named_is_a_picture(folder, given):
    (folder / "list.txt").write_text("in/.hidden.png\n")
    (found,) = find_sources([given]).sources
    assert (found.name, found.kind) == ("in/.hidden.png", "picture")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_text_lists_paths_from_its_own_folder_on(folder, end):
    (folder / "in" / "list.txt").write_bytes(end.join(["a.png", "", "gone.png"]).encode())
    found = find_sources(["in/list.txt"]).sources
    assert [(each.name, each.error) for each in found] == [
        ("a.png", None),
        ("gone.png", "gone.png cannot be read: No such file or directory."),
    ]
    assert found[0].location == str(folder / "in" / "a.png")


@pytest.mark.parametrize("column", ["source", "path"])
def test_a_csv_lists_paths_in_a_column(folder, column):
    (folder / "list.csv").write_text(f'id,{column}\n1,in/a.png\n2,"in/b.MP4"\n')
    assert names("list.csv") == ["in/a.png", "in/b.MP4"]


@linux_only
@pytest.mark.parametrize("name", ["a\u2028b.png", "a\x85b.png", "a\x0cb.png"])
def test_only_line_feeds_end_a_line_of_a_list(folder, name):
    (folder / name).write_bytes(b"")
    (folder / "list.txt").write_text(f"{name}\n", encoding="utf-8")
    assert names("list.txt") == [name]


def test_the_names_of_a_table_of_mien_s_are_found_again(folder):
    for name in ("-a.png", "=b.png", "'c.png"):
        (folder / name).write_bytes(b"")
    (folder / "list.csv").write_text("path\n'-a.png\n'=b.png\n'c.png\n'gone.png\n")
    assert names("list.csv") == ["-a.png", "=b.png", "'c.png", "'gone.png"]


@linux_only
@pytest.mark.parametrize("name", ["a\nb 100%.png", os.fsdecode(b"caf\xe9.png"), "50%25.png"])
def test_the_odd_names_of_a_table_of_mien_s_are_found_again(folder, name):
    (folder / name).write_bytes(b"")
    (folder / "list.csv").write_text(f"path\n{table_name(name)}\n", encoding="utf-8")
    (found,) = find_sources(["list.csv"]).sources
    assert (found.error, found.name) == (None, table_name(name))
    assert found.location == str(folder / name)


def test_a_list_with_an_open_quote_is_refused(folder):
    csv.field_size_limit(1 << 24)  # one for all readers, as a table of faces leaves it
    (folder / "list.csv").write_text('path\nin/a.png\n"' + "in/b.MP4\n" * 20_000)
    with pytest.raises(DataError, match=r"list\.csv, before line \d+, is not CSV: field larger"):
        find_sources(["list.csv"])


def test_a_parquet_file_of_numbers_is_refused(folder):
    pa = pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    import pyarrow.parquet as pa_parquet

    pa_parquet.write_table(pa.table({"path": [17]}), folder / "list.parquet")
    with pytest.raises(DataError, match="has 17 in its column path; expected paths"):
        find_sources(["list.parquet"])


def test_a_parquet_file_lists_paths_once_each(folder):
    pa = pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    import pyarrow.parquet as pa_parquet

    rows = pa.table({"frame": [0, 1, 0], "source": ["in/a.png", "in/a.png", "in/b.MP4"]})
    pa_parquet.write_table(rows, folder / "list.parquet")
    assert names("list.parquet") == ["in/a.png", "in/b.MP4"]


def test_a_list_without_a_column_of_paths_is_refused(folder):
    (folder / "list.csv").write_text("name\nin/a.png\n")
    with pytest.raises(
        DataError, match=r"columns name; expected one that is called source or path"
    ):
        find_sources(["list.csv"])


@pytest.mark.parametrize("name", ["list.txt", "list.csv"])
def test_a_list_in_utf_16_is_refused(folder, name):
    (folder / name).write_text("path\nin/a.png\n", encoding="utf-16")
    with pytest.raises(DataError, match=rf"The list {name} has zero bytes .* expected UTF-8"):
        find_sources([name])


def test_a_file_named_in_several_ways_counts_once(folder):
    assert names("in/a.png", "in", folder / "in" / "a.png") == [
        *("in/a.png", "in/b.MP4", "in/more/c.jpg"),
    ]


def test_two_files_that_would_have_one_name_are_refused(folder):
    (folder / "list.txt").write_text("a.png\n")
    (folder / "in" / "list.txt").write_text("a.png\n")
    with pytest.raises(SourceError, match=r"would both be called a\.png"):
        find_sources(["list.txt", "in/list.txt"])


@pytest.mark.parametrize("given", ["gone", "in/*.webp", "in/notes.txt/x"])
def test_an_input_that_is_not_there_is_refused(folder, given):
    with pytest.raises(SourceError, match=r"nothing at|Nothing matches"):
        find_sources(["in", given])


def test_a_folder_without_any_is_refused(folder):
    (folder / "empty").mkdir()
    with pytest.raises(SourceError, match=r"no picture or video in empty"):
        find_sources(["empty"])


@linux_only
def test_a_name_that_is_not_utf_8_is_percent_encoded_and_found_again(folder):
    odd = os.fsdecode(b"in/caf\xe9 100%.png")
    (folder / odd).write_bytes(b"")
    (folder / "list.txt").write_bytes(os.fsencode(odd) + b"\n")
    for given in ("in", "list.txt"):
        (found,) = (each for each in find_sources([given]).sources if "caf" in each.name)
        assert found.name == "in/caf%E9 100%25.png"
        assert Path(found.location).exists()
    assert table_name("in/café 100%.png") == "in/café 100%.png"


@linux_only
def test_pipes_broken_links_and_loops_are_sources_with_an_error(folder):
    os.mkfifo(folder / "in" / "pipe.mp4")
    (folder / "in" / "loop.png").symlink_to("loop.png")
    (folder / "in" / "broken.png").symlink_to("gone.png")
    (folder / "in" / "more" / "up").symlink_to("..")
    errors = {each.name: each.error for each in find_sources(["in"]).sources if each.error}
    assert sorted(errors) == ["in/broken.png", "in/loop.png", "in/pipe.mp4"]
    assert "Too many levels of symbolic links" in errors["in/loop.png"]
    assert "a folder or pipe is neither" in errors["in/pipe.mp4"]


def test_a_folder_that_cannot_be_listed_is_a_source_with_an_error(folder, locked):
    locked("in/more")
    errors = {each.name: each.error for each in find_sources(["in"]).sources if each.error}
    assert errors == {"in/more": "The folder in/more cannot be listed: Permission denied."}


KEYS = ("a.png", "more/b.mp4", "more/c d.jpg", "more/notes.txt")


@pytest.fixture(scope="module")
def bucket(object_store):
    """The options of the address of a bucket with three pictures and videos, and a text."""
    return object_store({f"study/{key}": key.encode() for key in KEYS})


def test_an_object_store_is_listed_and_its_secrets_stand_in_no_table(bucket):
    found = find_sources([f"s3://user:secret@faces/study{bucket}"])
    assert sorted((each.name, each.kind, each.size_bytes) for each in found.sources) == [
        ("s3://faces/study/a.png", "picture", 5),
        ("s3://faces/study/more/b.mp4", "video", 10),
        ("s3://faces/study/more/c d.jpg", "picture", 12),
    ]
    assert found.passed_over == ("s3://faces/study/more/notes.txt",)
    for each in found.sources:
        filesystem, path = open_filesystem(each.location)
        with filesystem.open_input_stream(path) as stream:
            assert stream.read().decode() == each.name.removeprefix("s3://faces/study/")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("study/more/*.mp4", ["s3://faces/study/more/b.mp4"]),
        ("study/*.jpg", ["s3://faces/study/more/c d.jpg"]),
        ("study/a.png", ["s3://faces/study/a.png"]),
        ("study/**/*.png", ["s3://faces/study/a.png"]),
        ("**/b.mp4", ["s3://faces/study/more/b.mp4"]),
        ("study/*/b.mp4", ["s3://faces/study/more/b.mp4"]),
        ("study/more/c *.jpg", ["s3://faces/study/more/c d.jpg"]),
    ],
)
def test_patterns_and_single_objects_of_an_object_store(bucket, path, expected):
    assert names(f"s3://user:secret@faces/{path}{bucket}") == expected


def test_a_hidden_object_that_is_named_is_a_picture(object_store):
    options = object_store({"hidden/.a.png": b"a"})
    (found,) = find_sources([f"s3://user:secret@faces/hidden/.a.png{options}"]).sources
    assert found.kind == "picture"


def test_an_object_that_is_not_there_is_refused_without_its_secrets(bucket):
    with pytest.raises(SourceError, match=r"nothing at s3://faces/gone\."):
        find_sources([f"s3://user:secret@faces/gone{bucket}"])
