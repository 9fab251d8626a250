"""Little faces that show an emotion without a word."""

from __future__ import annotations

from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

_BLACK = (0, 0, 0)

# Of each icon: how far the brows' inner ends hang down, the eyes' radius, how far the mouth's
# corners go up, and how far it is open; in radii.
ICONS = MappingProxyType(
    {
        "angry": (0.14, 0.11, -0.2, 0.0),
        "disgust": (0.1, 0.08, -0.3, 0.0),
        "fear": (-0.12, 0.17, 0.0, 0.14),
        "happy": (0.0, 0.12, 0.4, 0.0),
        "sad": (-0.14, 0.1, -0.36, 0.0),
        "surprise": (0.0, 0.17, 0.0, 0.28),
        "neutral": (0.0, 0.12, 0.0, 0.0),
    }
)
"""The emotions that have an icon."""


def draw_icon(
    image_bgr: NDArray[np.uint8], emotion: str, centre: tuple[int, int], radius: int
) -> None:
    """Draw a little black face that shows an emotion, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        emotion: One of `mien.EMOTIONS`.
        centre: Its centre, x and y in pixels.
        radius: Its radius in pixels.
    """
    brow_tilt, eye, mouth_bend, mouth_open = ICONS[emotion]
    thickness = max(radius // 8, 1)
    x, y = centre

    def at(right: float, down: float) -> tuple[int, int]:
        return round(x + right * radius), round(y + down * radius)

    cv2.circle(image_bgr, centre, radius, _BLACK, thickness, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.circle(image_bgr, at(0.38 * side, -0.12), max(round(eye * radius), 1), _BLACK, -1)
        outer, inner = at(0.62 * side, -0.45 - brow_tilt), at(0.2 * side, -0.45 + brow_tilt)
        cv2.line(image_bgr, outer, inner, _BLACK, thickness, cv2.LINE_AA)
    if mouth_open:
        axes = (round(0.25 * radius), round(mouth_open * radius))
        cv2.ellipse(image_bgr, at(0, 0.5), axes, 0, 0, 360, _BLACK, -1, cv2.LINE_AA)
        return
    across = np.linspace(-0.45, 0.45, 7)
    down = 0.45 + mouth_bend * (0.5 - (across / 0.45) ** 2)
    mouth = np.array([at(right, height) for right, height in zip(across, down, strict=True)])
    cv2.polylines(image_bgr, [mouth.astype(np.int32)], False, _BLACK, thickness, cv2.LINE_AA)
