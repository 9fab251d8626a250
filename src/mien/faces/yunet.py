"""YuNet (Wu, Peng and Yu 2023), run by ONNX Runtime.

OpenCV has a class for it too; ONNX Runtime takes less than half of its time on a CPU. Its file is
made for pictures of 640 × 640, but the network has no layer that needs that, so it reads pictures
of the shape that they have.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.session import open_session
from mien.core.types import Box, Face
from mien.faces.models import YUNET_VARIABLE, find_yunet, read_yunet
from mien.faces.reduce import Resizable, enlarged, largest_first, reduce_picture

YUNET_SCORE = 0.7
"""YuNet's boxes below this score are no faces; OpenCV's own default is 0.9."""

_OVERLAP = 0.3  # intersection over union from which two boxes are of one face, as in OpenCV
_STRIDES = (8, 16, 32)  # pixels between the places that each of its three maps is about
_OUTPUTS = ("cls", "obj", "bbox", "kps")

# In ONNX's encoding, two sides of 640 (`dim_value`) and two named `h` and `w` (`dim_param`).
_FIXED_SIDES = 2 * bytes.fromhex("0a03088005")
_OPEN_SIDES = bytes.fromhex("0a03120168") + bytes.fromhex("0a03120177")


class YuNetDetector(Resizable):
    """YuNet. It gives five landmarks.

    Args:
        path: YuNet's file; None for the one that `mien.faces.models.find_yunet` finds.
        score_threshold: Leave out boxes below this score, 0 to 1.
        threads: How many threads ONNX Runtime may use; None for as many as there are cores.

    Attributes:
        score_threshold: As given.

    Raises:
        ModelError: if there is no such file, or it is another one.
    """

    name = "yunet"

    def __init__(
        self,
        path: Path | None = None,
        score_threshold: float = YUNET_SCORE,
        threads: int | None = 1,
    ) -> None:
        file = path or find_yunet()
        if file is None:
            raise ModelError(
                "The detector YuNet is not installed: run  mien models download  or name its file "
                f"in the environment variable {YUNET_VARIABLE}, or use the detector haar."
            )
        self.score_threshold = score_threshold
        self._session = open_session(
            read_yunet(file).replace(_FIXED_SIDES, _OPEN_SIDES),
            str(file),
            threads=threads,
            has_false_shapes=True,
        )

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `mien.faces.detect.Detector`."""
        reduced, scale = reduce_picture(image_bgr, self.longest_side, cv2.INTER_LINEAR)
        faces = self._find(_network_input(reduced))
        return largest_first([enlarged(face, scale) for face in faces])

    def _find(self, pixels: NDArray[np.float32]) -> list[Face]:
        """The faces of a picture, (1, 3, H, W)."""
        names = [f"{output}_{stride}" for output in _OUTPUTS for stride in _STRIDES]
        found = self._session.run(names, {"input": pixels})
        classes, faceness, shapes, points = (
            np.concatenate(found[i : i + len(_STRIDES)], axis=1)[0]
            for i in range(0, len(found), len(_STRIDES))
        )
        scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(faceness[:, 0], 0, 1))
        good = np.flatnonzero(scores >= self.score_threshold)
        scores = scores[good]
        corners, strides = (part[good] for part in _places(*pixels.shape[2:]))
        # A box: its centre, in cells from the place; the logarithms of its sides, in cells.
        centres = corners + shapes[good, :2] * strides
        sides = np.exp(shapes[good, 2:]) * strides
        boxes = np.hstack([centres - sides / 2, sides]).tolist()
        landmarks = corners[:, None] + points[good].reshape(-1, 5, 2) * strides[:, None]
        kept = cv2.dnn.NMSBoxes(boxes, scores.tolist(), self.score_threshold, _OVERLAP)
        return [
            Face(Box(*boxes[i]), score=float(scores[i]), landmarks=landmarks[i])
            for i in np.ravel(kept).astype(int)
        ]


def _network_input(image_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(1, 3, H, W) float32: the picture, black to the right and below up to multiples of 32."""
    height, width = image_bgr.shape[:2]
    whole = (side + -side % _STRIDES[-1] for side in (height, width))
    pixels = np.zeros((1, 3, *whole), np.float32)
    for channel, plane in enumerate(cv2.split(image_bgr)):
        pixels[0, channel, :height, :width] = plane
    return pixels


@lru_cache(8)
def _places(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the network's answers are about: (P, 2) pixels x and y, and (P, 1) strides."""
    corners, strides = [], []
    for stride in _STRIDES:
        y, x = np.mgrid[0:height:stride, 0:width:stride]
        corners.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)
