"""How much two pictures of faces look alike, by which way their edges run."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 48  # of the square that a face is seen in, in pixels
_HOG = cv2.HOGDescriptor((_SIDE, _SIDE), (16, 16), (8, 8), (8, 8), 9)


def look_of(
    grey: NDArray[np.uint8], centre: NDArray[np.float64], side: float
) -> NDArray[np.float32]:
    """Describe a face (Dalal and Triggs 2005).

    Args:
        grey: (H, W) uint8, the picture.
        centre: (2,) x and y of the face's centre in its pixels.
        side: The face's longer side in its pixels.

    Returns:
        (900,) float32 of length 1; the product of two is their likeness, -1 to 1.
    """
    zoom = _SIDE / side
    corner = (centre - side / 2) * zoom
    affine = np.array([[zoom, 0, -corner[0]], [0, zoom, -corner[1]]])
    patch = cv2.warpAffine(grey, affine, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
    edges = np.asarray(_HOG.compute(patch), np.float32).ravel()
    return unit(edges - edges.mean())


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vector at length 1; one of length 0 stays so."""
    return vector / max(float(np.linalg.norm(vector)), 1e-6)
