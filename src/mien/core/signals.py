"""Signals that end a process, for a time in other hands."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

STOPPING: tuple[int, ...] = (signal.SIGTERM,)
"""What ends a process besides Ctrl-C: a service is stopped, and a terminal is closed (SIGHUP)."""
if sys.platform != "win32":
    STOPPING = (*STOPPING, signal.SIGHUP)


@contextlib.contextmanager
def signals_handled(
    numbers: Sequence[int], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Handle signals by a function; at the end their handlers are those of the beginning.

    Those that are ignored stay so, as SIGHUP under nohup.

    Raises:
        ValueError: in another thread than the main one, which gets no signals.
    """
    before = {number: signal.getsignal(number) for number in numbers}
    for number, former in before.items():
        if former is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
