import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest

from mien.cli import app, main
from mien.core.errors import SourceError


@pytest.fixture
def command_raising():
    """Add a command `mien raise-it` that raises the given exception, and remove it afterwards."""

    def add(error: BaseException) -> None:
        @app.command("raise-it")
        def raise_it() -> None:
            raise error

    before = list(app.registered_commands)
    yield add
    app.registered_commands[:] = before


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    return int(stopped.value.code or 0)


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"mien {version('mien')}\n"


def test_without_words_it_shows_the_help(capsys):
    assert run() == 0
    assert "Usage: mien" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["live"], ["models", "download"], ["experiments"]])
def test_the_help_shows_switches_without_a_value(words, capsys):
    assert run(*words, "--help") == 0
    out = capsys.readouterr().out
    assert "--help" in out
    assert "bool" not in out


def every_command(typer_app):
    yield from (command.callback for command in typer_app.registered_commands)
    for group in typer_app.registered_groups:
        yield from every_command(group.typer_instance)


def test_every_path_is_read_in_one_way():
    """Typer's own paths know no `~` and no `file://`, and take an empty text for a folder."""
    parsers = {
        (command.__name__, name): hint.__metadata__[0].parser
        for command in every_command(app)
        for name, hint in get_type_hints(command, include_extras=True).items()
        if "Path" in str(get_args(hint)[:1])
    }
    assert ("evaluate", "data") in parsers
    assert not [path for path, parser in parsers.items() if parser is None]


@pytest.mark.parametrize("words", [["nonsense"], ["--nonsense"], ["data"]])
def test_misuse_is_one_line_and_exit_2(words, capsys):
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            SourceError("x.mp4: no such file;\n  name a video"),
            2,
            "x.mp4: no such file; name a video",
        ),
        (PermissionError(13, "Permission denied", "x.csv"), 2, "x.csv cannot be used: Permission"),
        (RuntimeError("a bug"), 1, "RuntimeError: a bug (--debug shows where)"),
        (ModuleNotFoundError("", name="keras"), 2, "This needs the package 'keras'"),
        (ModuleNotFoundError("", name="mien.x"), 1, "ModuleNotFoundError"),
        (
            ImportError("libGL.so.1: cannot open shared object file", name="cv2"),
            2,
            "OpenCV does not load: libGL.so.1: cannot open shared object file. On Debian",
        ),
    ],
    ids=[
        "bad input",
        "a file of no use",
        "a failure of ours",
        "a missing extra",
        "a missing module of ours",
        "a library that OpenCV needs",
    ],
)
def test_an_exception_becomes_one_line_and_an_exit_code(error, code, line, command_raising, capsys):
    command_raising(error)
    assert run("raise-it") == code
    err = capsys.readouterr().err
    assert err.startswith(f"Error: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "raise-it"], ["raise-it", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(words, command_raising, capsys):
    command_raising(RuntimeError("a bug"))
    assert run(*words) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "in raise_it" in err


def test_ctrl_c_ends_with_130_and_no_traceback(command_raising, capsys):
    command_raising(KeyboardInterrupt())
    assert run("raise-it") == 130
    assert capsys.readouterr().err == ""


@pytest.fixture
def photo(tmp_path, monkeypatch, without_yunet):
    """A picture without a face in the user's own folder, which is not the one that one is in."""
    del without_yunet
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    for variable in ("HOME", "USERPROFILE"):  # the latter is Windows' own
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "home" / "a photo.png"
    cv2.imwrite(str(path), np.zeros((60, 60, 3), np.uint8))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["image", ""],
        ["live", "", "--no-window"],
        ["video", ""],
        ["batch", "", "--out", "out"],
        ["batch", ".", "--out", ""],
        ["report", ""],
        ["report", "r.csv", "--out", ""],
        ["report", "r.csv", "--with-faces", ""],
        ["image", "PHOTO", "--csv", ""],
        ["image", "PHOTO", "--out", ""],
        ["image", "PHOTO", "--model", ""],
        ["video", "PHOTO", "--summary", ""],
        ["video", "PHOTO", "--temporal", ""],
    ],
    ids=" ".join,
)
def test_an_empty_text_is_refused_and_nothing_is_written(words, photo, capsys):
    words = [str(photo) if word == "PHOTO" else word for word in words]
    assert run(*words, *(["--offline"] if words[0] != "report" else [])) == 2
    assert "Found an empty text" in capsys.readouterr().err
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["image", "PHOTO", "--out", "-"],
        ["image", "PHOTO", "--parquet", "-"],
        ["video", "PHOTO", "--out", "-"],
        ["video", "PHOTO", "--csv", "-", "--summary", "-"],
        ["batch", "PHOTO", "--out", "-"],
        ["report", "r.csv", "--out", "-"],
    ],
    ids=" ".join,
)
def test_no_file_or_folder_is_called_as_standard_output_is(words, photo, capsys):
    words = [str(photo) if word == "PHOTO" else word for word in words]
    assert run(*words, *(["--offline"] if words[0] != "report" else [])) == 2
    error = capsys.readouterr().err
    assert "tandard output" in error or "- is named for two outputs" in error
    assert not list(Path().iterdir())


@pytest.mark.parametrize("spelling", ["~/a photo.png", "URL"])
def test_pictures_and_outputs_are_named_as_sources_are(spelling, photo, capsys):
    words = [photo.as_uri() if spelling == "URL" else spelling, "--csv=~/table.csv"]
    assert run("image", *words, "--offline", "--detector", "haar") == 0
    assert capsys.readouterr().out == f"Detector: haar\n{photo}: no face\n"
    assert photo.with_name("table.csv").exists()
    assert not list(Path().iterdir())


def test_an_address_of_pictures_is_refused_as_it_was_written(photo, capsys):
    assert run("image", str(photo), "https://me:secret@host/a.png", "--offline") == 2
    assert "Found the address https://host/a.png; expected a file" in capsys.readouterr().err


def test_a_report_reads_and_writes_below_the_users_folder(photo, capfd):
    columns = "frame,timestamp_ms,track_id,x,y,width,height,detection_score,emotion,confidence"
    row = "0,0,1,1,1,9,9,0.9,happy,0.7,0.05,0.05,0.05,0.7,0.05,0.05,0.05,false"
    labels = "angry,disgust,fear,happy,sad,surprise,neutral,uncertain"
    photo.with_name("r.csv").write_text(f"{columns},{labels}\n{row}\n")
    assert run("report", "~/r.csv", "--summary", "-") == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["emotion"] == "happy"
    assert err == f"Wrote {photo.with_name('r.html')}\n"
    assert photo.with_name("r.html").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["live", "PHOTO", "--raw", "--no-window"],
        ["video", "PHOTO", "--raw", "--summary", "s.json"],
        ["video", "PHOTO", "--blur", "--csv", "r.csv"],
        ["image", "PHOTO", "--blur", "--csv", "r.csv"],
        ["report", "r.csv", "--rotate", "90"],
    ],
    ids=" ".join,
)
def test_an_option_that_would_do_nothing_is_refused(words, photo, capsys):
    words = [str(photo) if word == "PHOTO" else word for word in words]
    assert run(*words) == 2
    assert re.search(r"--(raw|blur|rotate) is for .*: name ", capsys.readouterr().err)
    assert not list(Path().iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_standard_output_is_one_line(unbuffered):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "mien", "--version"],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "Error: Standard output, or a file, cannot be written: No space left on device.\n"
    assert ended.stderr == said
    assert ended.returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of Unix")
def test_an_error_is_one_line_where_standard_output_is_closed():
    command = f'"{sys.executable}" -m mien report absent.csv >&-'
    ended = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: ")
    assert ended.stderr.count("\n") == 1
