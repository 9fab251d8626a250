"""Does a crop look like a face at all? A small network on the run of its edges, in NumPy.

A detector takes a pattern on a wall for a face now and then, and the emotion network has no label
for "none". The features are the face's histograms of oriented gradients (Dalal and Triggs 2005),
the network has two hidden layers; `benchmarks/quality_gate.py --fit` made its weights from
FER2013's training faces against crops of photographs without people, badly framed faces and the
pictures that FER+'s raters call "not a face".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE

WEIGHTS_NAME = "face_likeness.npz"

_HOG = cv2.HOGDescriptor((FACE_SIZE, FACE_SIZE), (16, 16), (8, 8), (8, 8), 9)


@dataclass(frozen=True, slots=True, eq=False)
class FaceLikeness:
    """The network.

    Attributes:
        weights: Of each layer, (inputs, outputs) float32.
        biases: Of each layer, (outputs,) float32.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def score(self, crop_u8: NDArray[np.uint8]) -> float:
        """How much a crop looks like a face: log odds, 0 where neither is more probable.

        Args:
            crop_u8: (48, 48) uint8, as the emotion network reads it.
        """
        values = features(crop_u8)
        last = len(self.weights) - 1
        for layer, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = values @ weights + biases
            if layer < last:
                values = np.maximum(values, 0)
        return float(values[0])


def features(crop_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network looks at: (902,) float32; edges, mean brightness and contrast."""
    edges = np.asarray(_HOG.compute(np.ascontiguousarray(crop_u8)), np.float32).ravel()
    light = np.array([crop_u8.mean() / 255, crop_u8.std() / 64], np.float32)
    return np.concatenate([edges, light])


@cache
def bundled_likeness() -> FaceLikeness:
    """The network that ships with mien."""
    with resources.files("mien").joinpath("assets", WEIGHTS_NAME).open("rb") as file:
        arrays = np.load(file)
        layers = range(len(arrays.files) // 2)
        return FaceLikeness(
            weights=tuple(arrays[f"weights_{i}"].astype(np.float32) for i in layers),
            biases=tuple(arrays[f"biases_{i}"].astype(np.float32) for i in layers),
        )
