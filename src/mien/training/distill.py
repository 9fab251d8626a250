"""What finished networks think of the training faces, for a student to learn (Hinton et al. 2015).

The teachers are asked once, before the run, and not in every step: a face's target is the mean of
their probabilities over all teachers and over some augmented views of it (arXiv 1503.02531).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.classifier.reading import read
from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.core.preprocess import scale_pixels
from mien.models.keras_file import heads_of, load_network
from mien.training.augment import draw_moves, warp_faces
from mien.training.config import AugmentationConfig
from mien.training.readings import blend
from mien.training.run_folder import RunFolder


def ask_teachers(
    teachers: Sequence[RunFolder],
    faces_u8: NDArray[np.uint8],
    augmentation: AugmentationConfig,
    *,
    views: int,
    label_heads: bool,
    seed: int,
    cache: Path,
    say: Callable[[str], None],
) -> NDArray[np.float32]:
    """Return the teachers' mean probabilities, from the cache if they were asked before.

    Args:
        teachers: Finished runs.
        faces_u8: (N, 48, 48) uint8.
        augmentation: How the views differ; only flips and moves of it are used.
        views: Augmented views of each face.
        label_heads: Ask the heads for FER2013's labels, not the means with the vote heads that the
            teachers' `metrics.json` names.
        seed: Source of the views.
        cache: The `.npy` file that keeps the answer.
        say: Called with a line for each teacher.

    Returns:
        (N, 7) float32, each row sums to 1.
    """
    if cache.exists():
        return np.asarray(np.load(cache), dtype=np.float32)
    total = np.zeros((len(faces_u8), len(EMOTIONS)), np.float64)
    for run in teachers:
        # Minutes each, before the first epoch.
        say(f"asking {run.path.name} about {views} views of the training faces")
        teacher = load_network(run.network)
        reading = blend(0.0 if label_heads else run.read_metrics().get("vote_share", 0.0))
        for view in range(views):
            random = np.random.default_rng((seed, view))
            moves = draw_moves(len(faces_u8), augmentation, random)
            faces = scale_pixels(warp_faces(faces_u8, moves))
            heads = teacher.predict(faces, batch_size=256, verbose=0)
            total += read(heads, reading, heads_of(teacher))
    probabilities = (total / (views * len(teachers))).astype(np.float32)
    content = io.BytesIO()
    np.save(content, probabilities)
    write_atomically(cache, content.getvalue())
    return probabilities
