"""What a classifier says of one face, moment after moment: what a temporal network learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier, Outputs
from mien.core.types import Box, Face
from mien.engine.temporal import QUALITY_MEASURES, measures_of
from mien.faces.gate import measure_quality


@dataclass(frozen=True, slots=True, eq=False)
class FaceSequence:
    """One face over time.

    Attributes:
        name: The clip, or what else it is known by.
        subject: Who it shows; sequences of one subject belong on one side of a split.
        timestamps_ms: (T,) float64, rising.
        features: (T, F) float32, what the network's heads read; F is 0 where the artifact does not
            tell.
        probabilities: (T, C) float32, calibrated, in the order of the reading's labels.
        quality: (T, 4) float32: `mien.engine.temporal.QUALITY_MEASURES`.
        truth: (T, C) float32, the share of each label at each moment; a row of zeros where the
            truth is not known.
        clip_truth: (C,) float32, the share of each label in the one answer for the whole.
    """

    name: str
    subject: str
    timestamps_ms: NDArray[np.float64]
    features: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    quality: NDArray[np.float32]
    truth: NDArray[np.float32]
    clip_truth: NDArray[np.float32]

    @property
    def elapsed_ms(self) -> NDArray[np.float32]:
        """(T,) float32, the time since the moment before; infinite at the first."""
        return np.diff(self.timestamps_ms, prepend=-np.inf).astype(np.float32)

    def between(self, begin: int, end: int) -> FaceSequence:
        """Return the moments from `begin` to `end`, this one left out."""
        taken = ("timestamps_ms", "features", "probabilities", "quality", "truth")
        return replace(self, **{name: getattr(self, name)[begin:end] for name in taken})


def describe_crops(
    classifier: Classifier, crops_u8: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return what a temporal network reads of crops.

    Args:
        classifier: What classifies them.
        crops_u8: (N, side, side) or (N, side, side, 3) uint8, as the classifier reads them.

    Returns:
        The features (N, F), probabilities (N, C) and quality measures (N, 4), float32.
    """
    outputs: Outputs = classifier.classify(crops_u8)
    features = outputs.features
    if features is None:
        features = np.zeros((len(crops_u8), 0), np.float32)
    quality = [
        quality_of(crop_u8, float(likeness))
        for crop_u8, likeness in zip(crops_u8, outputs.likeness, strict=True)
    ]
    measures = np.array(quality, np.float32).reshape(len(crops_u8), len(QUALITY_MEASURES))
    return features, outputs.probabilities, measures


def quality_of(crop_u8: NDArray[np.uint8], likeness: float) -> list[float]:
    """Return the `QUALITY_MEASURES` of one crop.

    Args:
        crop_u8: (side, side) or (side, side, 3) uint8.
        likeness: Log odds of being a face; see `mien.classifier.classifier.Outputs`.
    """
    side = crop_u8.shape[0]
    whole = Face(Box(0, 0, side, side), 1.0)
    return measures_of(measure_quality(crop_u8, likeness, whole, (side, side)))
