"""The window, and whether there can be one."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

_LARGEST_WINDOW = (1280, 720)
_KEYS_TO_QUIT = frozenset({ord("q"), ord("Q"), 27})  # 27 is Esc.
_NO_KEY = -1
_NO_WINDOWS = re.compile(r"^\s*GUI:\s+NONE", re.MULTILINE)
_DISPLAY = re.compile(r"(?P<host>.*):(?P<number>\d+)(\.\d+)?")


def has_display() -> bool:
    """Return whether a window can be opened.

    Must be asked before any window is: on Linux OpenCV's Qt ends the whole process where the X
    server that `DISPLAY` names does not answer. It knows no other kind of display there.
    """
    if _NO_WINDOWS.search(cv2.getBuildInformation()):
        return False  # opencv-python-headless
    if not sys.platform.startswith("linux"):
        return True
    match = _DISPLAY.fullmatch(os.environ.get("DISPLAY", ""))
    if match is None:
        return False
    number = int(match["number"])
    if match["host"] in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        # X servers listen at a path, in Linux' abstract namespace, or both.
        return _answers(socket.AF_UNIX, path) or _answers(socket.AF_UNIX, "\0" + path)
    return _answers(socket.AF_INET, (match["host"], 6000 + number))


def _answers(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        try:
            connection.connect(address)
        except OSError:
            return False
    return True


class Window:
    """A window that shows pictures until `q`, Esc or its closing; a context manager.

    Args:
        title: Its title.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._is_open = False
        self._quit = False
        self._keys: list[str] = []

    def show(self, image_bgr: NDArray[np.uint8]) -> None:
        """Show a picture, (H, W, 3) uint8; the first one opens the window."""
        if not self._is_open:
            self._open(image_bgr.shape[1], image_bgr.shape[0])
        # Without this look, a picture for a closed window would open it again.
        if not self._look_for_end(0.0):
            cv2.imshow(self._title, image_bgr)

    def wait(self, seconds: float) -> bool:
        """Let the window live for a time; return whether the user wants to quit."""
        end = time.monotonic() + seconds
        while not self._look_for_end(end - time.monotonic()) and time.monotonic() < end:
            pass
        return self._quit

    def take_keys(self) -> list[str]:
        """Return the characters that were typed since the last time, without those that quit."""
        keys, self._keys = self._keys, []
        return keys

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._is_open:
            cv2.destroyAllWindows()

    def _open(self, width: int, height: int) -> None:
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(self._title, flags)
        scale = min(_LARGEST_WINDOW[0] / width, _LARGEST_WINDOW[1] / height, 1.0)
        cv2.resizeWindow(self._title, max(int(width * scale), 1), max(int(height * scale), 1))
        cv2.waitKey(1)
        self._is_open = True

    def _look_for_end(self, seconds: float) -> bool:
        # In slices, because the closing of the window does not end waitKey.
        key = _typed(cv2.waitKeyEx(max(min(int(seconds * 1000), 50), 1)))
        if key != _NO_KEY and key not in _KEYS_TO_QUIT:
            self._keys.append(chr(key).lower())
        self._quit = self._quit or key in _KEYS_TO_QUIT or (self._is_open and self._was_closed())
        return self._quit

    def _was_closed(self) -> bool:
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:
            return True  # Qt raises it where the last window was closed.


def _typed(code: int) -> int:
    """Return the character's code, `_NO_KEY` if none was typed.

    Arrows and the like have codes above it, whose low byte is some letter's; from bit 16 on stand
    the keys that are held with it.
    """
    return _NO_KEY if code < 0 or code & 0xFF00 else code & 0xFF
