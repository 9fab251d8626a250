from importlib.metadata import version

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
