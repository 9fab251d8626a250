"""Animated WebP and AVIF pictures: FFmpeg does not read them, OpenCV's decoder of pictures does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np

from mien.core.errors import SourceError
from mien.media.heif import upright
from mien.media.image import quiet_opencv, to_bgr_u8
from mien.media.source import Frame, FrameSource

_UNTOLD_MS = 100
"""A frame that states no time lasts so long in browsers."""


def is_animated(path: Path) -> bool:
    """Return whether a file is an animated WebP or AVIF picture, by its first bytes.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(21)
    is_webp = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return head[4:12] == b"ftypavis" or (is_webp and len(head) == 21 and bool(head[20] & 2))


class AnimatedPicture(FrameSource):
    """The frames of such a file, which all lie in the memory.

    Args:
        path: The file.

    Raises:
        OSError: if it cannot be read.
        SourceError: if it cannot be decoded.
    """

    is_live = False

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        row = np.frombuffer(self._content, np.uint8)[np.newaxis]  # OpenCV takes no column.
        try:
            with quiet_opencv():
                _, animation = cv2.imdecodeanimation(row)
        except cv2.error:
            animation = cv2.Animation()
        self._images = animation.frames
        if not self._images:
            raise SourceError(f"The animated picture {path} is damaged: copy it again.")
        self._lengths_ms = [length_ms or _UNTOLD_MS for length_ms in animation.durations]
        self.name = path.name
        self.frame_count = len(self._images)
        self.fps = 1000 * self.frame_count / sum(self._lengths_ms)

    def _frames(self) -> Iterator[Frame]:
        times_ms = accumulate(self._lengths_ms, initial=0)
        for index, (image, time_ms) in enumerate(zip(self._images, times_ms, strict=False)):
            # A copy: frames may be drawn into.
            image_bgr = to_bgr_u8(upright(image, self._content)).copy()
            yield Frame(index, float(time_ms), image_bgr)
