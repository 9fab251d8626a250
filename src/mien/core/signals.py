"""Signals that end a process, for a time in other hands."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

STOPPING: tuple[int, ...] = (signal.SIGTERM,)
"""What ends a process besides Ctrl-C: a service is stopped, and a terminal is closed (SIGHUP)."""
if sys.platform != "win32":
    STOPPING = (*STOPPING, signal.SIGHUP)

_HELD_BACK = (signal.SIGINT, *STOPPING)


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


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Heed Ctrl-C, SIGTERM and SIGHUP when something is whole; one that comes twice, at once.

    At the end the handlers are those of the beginning. In another thread than the main one, which
    gets no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _HELD_BACK}
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)
        signal.signal(number, handlers[number])

    try:
        with signals_handled(_HELD_BACK, hold):
            yield
    finally:
        for number in held:
            signal.raise_signal(number)
