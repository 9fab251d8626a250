"""Running the command line: words in, an exit code out, an error in one line."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from pathlib import Path

import typer

from mien.cli.commands import app
from mien.cli.console import remark
from mien.core.errors import MienError, MissingExtraError

# Import name of an optional package: the extra that brings it.
_EXTRA_OF_PACKAGE = {
    "keras": "train",
    "tensorflow": "train",
    "tensorboard": "train",
    "tf2onnx": "train",
    "onnx": "train",
    "pydantic": "train",
    "tomli_w": "train",
    "scipy": "train",
    "sklearn": "train",
    "matplotlib": "train",
    "seaborn": "train",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "brotli": "serve",
    "ray": "batch",
}
_WRITING_FAILS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: The words after `mien`; those of the process when None.

    Raises:
        SystemExit: Always; 0 when all went well, 2 for misuse or bad input, 1 for a failure of
            mien itself, or without a word when whoever reads the output wants no more of it, 130
            after Ctrl-C.
    """
    # A file's name may hold what the terminal or UTF-8 cannot show; that is no reason to stop.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # Typer knows the option before the command only; people type it at the end.
    words = [word for word in words if word != "--debug"]
    try:
        sys.exit(app(args=words or ["--help"], prog_name="mien", standalone_mode=False))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        line, exit_code = _explain(error)
        _drop_what_standard_output_does_not_take()
        typer.echo(f"Error: {line}", err=True)
        sys.exit(exit_code)


def run_on_trained_network(command: str, words: list[str]) -> None:
    """Run a command on the network that was trained here last, and say so; see `main`.

    Args:
        command: One with the option `--model`.
        words: What follows it; a network named there is the one that is used.

    Raises:
        SystemExit: Always.
    """
    results = Path("results")
    trained = [*results.glob("runs/*/emotion.onnx"), *results.glob("model/emotion.onnx")]
    newest = max(trained, key=lambda path: path.stat().st_mtime_ns, default=None)
    if any(word.partition("=")[0] in ("--model", "--help") for word in words):
        main([command, *words])
    if newest is None:
        remark("Network: the shipped one, as none was trained here")
        main([command, *words])
    remark(f"Network: {newest}, trained here; --model names another")
    main([command, "--model", str(newest), *words])


def _explain(error: Exception) -> tuple[str, int]:
    """Return an error as one line and the exit code that it leads to."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in ("torch", "jax") and os.environ.get("KERAS_BACKEND") == package:
            error = MienError(
                f"KERAS_BACKEND names {package}, which is not installed: install it, or unset "
                "KERAS_BACKEND to train with TensorFlow (pip install 'mien[train]')."
            )
        if package in _EXTRA_OF_PACKAGE:
            error = MissingExtraError(package, _EXTRA_OF_PACKAGE[package])
    elif isinstance(error, ValueError) and str(error).startswith("Unable to import backend"):
        # Keras says so when it is imported.
        error = MienError(
            f"{_one_line(str(error))}: set KERAS_BACKEND to tensorflow, jax or torch."
        )
    elif isinstance(error, ImportError) and error.name == "cv2":
        error = MienError(
            f"OpenCV does not load: {error}. On Debian and Ubuntu, run  apt install libgl1 "
            "libglib2.0-0 libxcb1 ; or exchange opencv-python for opencv-python-headless "
            "(docs/install.md)."
        )
    if isinstance(error, typer.TyperException):
        return _one_line(error.format_message()), error.exit_code
    if isinstance(error, MienError):
        return _one_line(str(error)), 2
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}.", 2
    if isinstance(error, OSError) and error.errno in _WRITING_FAILS:
        # The system names no file where one that is open cannot be written.
        return f"Standard output, or a file, cannot be written: {error.strerror}.", 2
    return f"{type(error).__name__}: {_one_line(str(error))} (--debug shows where)", 1


def _drop_what_standard_output_does_not_take() -> None:
    """Let go of what waits for it, or Python would fail at its end once more."""
    if sys.stdout is None:  # It was closed before Python began.
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())
