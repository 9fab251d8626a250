"""Signals that wait until something is whole."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_NUMBERS: list[int] = [signal.SIGINT, signal.SIGTERM]
if sys.platform != "win32":
    _NUMBERS.append(signal.SIGHUP)


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Heed Ctrl-C, SIGTERM and SIGHUP at the end only; one that comes twice is heeded at once.

    At the end the handlers are those of the beginning. In another thread than the main one, which
    gets no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _NUMBERS}
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)
        signal.signal(number, handlers[number])

    for number, handler in handlers.items():
        # Processes that are started meanwhile are to ignore it, too.
        if handler is not signal.SIG_IGN:
            signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in held:
            signal.raise_signal(number)
