"""Temporary folders that are gone though their process was killed."""

import contextlib
import errno
import shutil
import subprocess
import sys

import pytest

from mien.core.temporary import remove_folder, remove_left, temporary_folder

HOLDER = """
import sys
from pathlib import Path
from mien.core.temporary import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "video.mp4").write_bytes(b"a face")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process with a temporary folder that holds a file; it ends when its input does."""
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline().startswith(str(tmp_path))
        yield holder
        holder.kill()


def test_a_folder_is_gone_at_its_end(tmp_path):
    with temporary_folder(tmp_path) as folder:
        (folder / "file").write_bytes(b"something")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path, holder):
    holder.kill()
    holder.wait(60)
    assert len(list(tmp_path.rglob("video.mp4"))) == 1
    with temporary_folder(tmp_path):
        assert not list(tmp_path.rglob("video.mp4"))
    assert not list(tmp_path.iterdir())


def test_what_a_living_process_holds_stays_until_that_ends(tmp_path, holder):
    with temporary_folder(tmp_path), temporary_folder(tmp_path):
        pass
    assert len(list(tmp_path.rglob("video.mp4"))) == 1
    holder.communicate(timeout=60)
    assert not list(tmp_path.iterdir())


def refuse_to_lock(*_):
    raise OSError(errno.ENOLCK, "as some network drives do")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks files in another way")
@pytest.mark.parametrize("made", [True, False], ids=["when it was made", "when it is asked about"])
def test_a_folder_that_could_not_be_locked_counts_as_in_use(tmp_path, monkeypatch, made):
    with contextlib.ExitStack() as stack:
        with monkeypatch.context() as patched:
            if made:
                patched.setattr("fcntl.flock", refuse_to_lock)
            folder = stack.enter_context(temporary_folder(tmp_path))
        (folder / "video.mp4").write_bytes(b"a face")
        with monkeypatch.context() as patched:
            if not made:
                patched.setattr("fcntl.flock", refuse_to_lock)
            remove_left(tmp_path)
        assert (folder / "video.mp4").exists()
    assert not list(tmp_path.iterdir())


def test_what_somebody_makes_anew_in_a_folder_that_was_removed_is_removed_as_well(tmp_path):
    """Processes of Ray outlive the one that started them for a moment, and make folders."""
    logs = tmp_path / "mien-temp-removed" / "files" / "logs"
    logs.mkdir(parents=True)
    remove_left(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    other = tmp_path / "mien-temp-results" / "faces"
    other.mkdir(parents=True)
    with temporary_folder(tmp_path):
        pass
    assert other.exists()


def test_a_folder_goes_though_somebody_writes_to_it_meanwhile(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    late = [folder / "one", folder / "two"]
    rmtree = shutil.rmtree

    def rmtree_and_write(path, **options):
        rmtree(path, **options)
        if late:
            folder.mkdir()
            late.pop().write_bytes(b"something")

    monkeypatch.setattr(shutil, "rmtree", rmtree_and_write)
    remove_folder(folder)
    assert not folder.exists()
