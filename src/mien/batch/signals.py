"""Signals that wait until something is whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from mien.core.signals import STOPPING, signals_handled

_HELD_BACK = (signal.SIGINT, *STOPPING)


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Heed Ctrl-C, SIGTERM and SIGHUP at the end only; one that comes twice is heeded at once.

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
