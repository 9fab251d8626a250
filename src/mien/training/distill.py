"""What finished networks think of the training faces, for a student to learn (Hinton et al. 2015).

The teachers are asked once, before the run, and not in every step: a face's target is the mean of
their probabilities over all teachers and over some augmented views of it (arXiv 1503.02531).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS
from mien.core.preprocess import scale_pixels
from mien.training.augment import AugmentationConfig, warp_faces


def ask_teachers(
    teachers: Sequence[Path],
    faces_u8: NDArray[np.uint8],
    augmentation: AugmentationConfig,
    *,
    views: int,
    label_heads: bool,
    seed: int,
    cache: Path,
) -> NDArray[np.float32]:
    """Return the teachers' mean probabilities, from the cache if they were asked before.

    Args:
        teachers: `.keras` files that map (N, 48, 48, 1) to (N, 7).
        faces_u8: (N, 48, 48) uint8.
        augmentation: How the views differ; only flips and moves of it are used.
        views: Augmented views of each face.
        label_heads: Ask the layer "probabilities" in place of the teachers' output.
        seed: Source of the views.
        cache: The `.npy` file that keeps the answer.

    Returns:
        (N, 7) float32, each row sums to 1.
    """
    if cache.exists():
        return np.asarray(np.load(cache), dtype=np.float32)
    total = np.zeros((len(faces_u8), len(EMOTIONS)), np.float64)
    for path in teachers:
        # Minutes each, before the first epoch.
        print(f"asking {path.parent.name} about {views} views of the training faces", flush=True)
        teacher = keras.models.load_model(path, compile=False)
        if label_heads:
            teacher = keras.Model(teacher.input, teacher.get_layer("probabilities").output)
        for view in range(views):
            random = np.random.default_rng((seed, view))
            faces = scale_pixels(warp_faces(faces_u8, augmentation, random))
            total += teacher.predict(faces, batch_size=256, verbose=0)
    probabilities = (total / (views * len(teachers))).astype(np.float32)
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".partial.npy")
    np.save(partial, probabilities)
    partial.replace(cache)
    return probabilities
