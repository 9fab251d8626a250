"""A file is written whole, into the place that its name stands for."""

import contextlib
import os
import sys
import threading

import pytest

from mien.core.errors import OutputError
from mien.core.files import refuse_overwriting, temporary_output, write_atomically


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_a_link_stays_one_and_its_file_is_replaced(tmp_path):
    real, link = tmp_path / "elsewhere" / "real.json", tmp_path / "link.json"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert list(real.parent.iterdir()) == [real]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_a_link_that_leads_to_itself_gives_way_to_the_file(tmp_path):
    link = tmp_path / "loop.json"
    link.symlink_to(link)
    refuse_overwriting([tmp_path / "input.json"], [link])
    write_atomically(link, "new")
    assert link.read_text() == "new"


def test_a_file_of_another_spelling_is_not_written_over(tmp_path):
    clip, same = tmp_path / "clip.mp4", tmp_path / "CLIP.mp4"
    clip.write_text("frames")
    with contextlib.suppress(FileExistsError):  # Where case means nothing, it is there already.
        same.hardlink_to(clip)
    with pytest.raises(OutputError, match="is an input and would be overwritten"):
        refuse_overwriting([clip], [same])
    with pytest.raises(OutputError, match="is named for two outputs"):
        refuse_overwriting([], [clip, same])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_who_may_read_a_file_stays_so(tmp_path):
    secret, new = tmp_path / "summary.json", tmp_path / "new.json"
    secret.touch(0o600)
    write_atomically(secret, "{}")
    write_atomically(new, "{}")
    umask = os.umask(0)
    os.umask(umask)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert new.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs the pipes of POSIX")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_atomically(pipe, "summary")
    reader.join()
    assert read == ["summary"]
    assert pipe.is_fifo()
    with pytest.raises(OutputError, match=r"pipe cannot be written: it is a pipe or a device"):
        temporary_output(pipe)


def test_the_name_may_be_as_long_as_a_name_can_be(tmp_path):
    path = tmp_path / ("ä" * 125 + ".json")
    write_atomically(path, "x")
    assert path.read_text() == "x"


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(tmp_path, full_disk):
    path = tmp_path / "report.json"
    path.write_text("old")
    told = pytest.raises(OutputError, match=r"report\.json cannot be written: File too large")
    with told, full_disk(9):
        write_atomically(path, "x" * 10)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
