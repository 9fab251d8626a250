"""What commands say beside their results, and how they are stopped."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from mien.core.signals import STOPPING, signals_handled


def remark(line: str) -> None:
    """Say a line on standard error, so that results can be piped on."""
    typer.echo(line, err=True)


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int | None], None]]:
    """Show on a terminal how far something is; it is gone at the end."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextlib.contextmanager
def messages_beside(*outputs: Path | None) -> Iterator[None]:
    """Say on standard error what is said while an output goes to standard output."""
    if Path("-") in outputs:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


@contextlib.contextmanager
def stopped_as_by_ctrl_c() -> Iterator[None]:
    """Finish the files on SIGTERM (a service is stopped) and SIGHUP (a terminal is closed) too."""

    def stop(*_: object) -> None:
        # Both may come, and SIGHUP twice; the second one must not break the finishing off.
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with signals_handled(STOPPING, stop):
        yield
