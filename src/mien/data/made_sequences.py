"""Sequences made of photographs: one face after another, disturbed, at a frame rate of its own.

A temporal network needs sequences whose truth is known at each moment, and no set of labelled
clips may be bundled. So photographs are shown for a while each, by `mien.data.disturb`. What such
sequences lack is real dynamics: a face does not change, it gives way to another one, and nobody
speaks.

Each face is drawn and classified once, for `MOMENTS` moments; sequences are composed of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.errors import DataError
from mien.data.array_cache import keep_arrays, read_arrays
from mien.data.disturb import Disturbance
from mien.data.face_sequences import FaceSequence, describe_crops

MOMENTS = 10
"""So many moments of each face are drawn, `MOMENT_MS` apart; a face that is shown for longer goes
back and forth through them."""

MOMENT_MS = 100.0

_DRAWING = 1  # Bump when the same faces would be drawn differently.
_FACES_AT_ONCE = 64

SLOWEST_FPS, FASTEST_FPS = 5.0, 60.0
_SHORTEST_MS, _LONGEST_MS = 600.0, 3000.0  # of one face
_OTHER_EMOTION = 0.75  # part of the changes of face at which the emotion changes
_DROPPED = 0.1  # part of the frames
_REPEATED = 0.1  # part of the frames that show what the one before did
_ONSETS = 0.5  # part of the sequences in which a neutral face gives way to one emotion
_CLIP_PART = 0.25  # of the time that an emotion needs to be the answer for the whole


@dataclass(frozen=True, slots=True, eq=False)
class DisturbedFaces:
    """Faces, each drawn at several moments, and what a classifier says of the drawings.

    Attributes:
        features: (N, MOMENTS, F) float32.
        probabilities: (N, MOMENTS, C) float32.
        quality: (N, MOMENTS, 4) float32: `mien.engine.temporal.QUALITY_MEASURES`.
        truth: (N, C) float32, the share of each label in the truth of each face.
        labels: What the columns of `probabilities` and `truth` are.
    """

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    quality: NDArray[np.float32]
    truth: NDArray[np.float32]
    labels: tuple[str, ...]


def disturb_faces(
    faces_u8: NDArray[np.uint8],
    truth: NDArray[np.float32],
    classifier: Classifier,
    disturbance: Disturbance,
    *,
    seed: int,
    cache_folder: Path,
    say: Callable[[str], None],
) -> DisturbedFaces:
    """Draw and classify faces, or take from the cache what was classified before.

    Args:
        faces_u8: (N, 48, 48) uint8.
        truth: (N, C) float32, the share of each label of the classifier's reading.
        classifier: What classifies; the cache is of its artifact (SHA-256) and reading alone.
        disturbance: How the faces are drawn.
        seed: The same seed gives the same drawings.
        cache_folder: Where the cache lies.
        say: Called with a line before the long part.

    Raises:
        DataError: if the classifier reads other pictures than grey ones of 48 × 48 pixels.
    """
    if classifier.artifact.input.crop_shape != faces_u8.shape[1:]:
        raise DataError(
            f"The artifact {classifier.artifact.experiment} reads crops of "
            f"{classifier.artifact.input.crop_shape}, FER2013's faces are {faces_u8.shape[1:]}: "
            "train on clips, which are cut as it reads them."
        )
    cache = cache_folder / f"{_key(faces_u8, classifier, disturbance, seed)}.npz"
    arrays = read_arrays(cache)
    if arrays is None:
        say(
            f"{len(faces_u8):,} faces are drawn at {MOMENTS} time steps each and classified; "
            f"the answers are kept in {cache_folder}"
        )
        arrays = _draw_and_describe(faces_u8, classifier, disturbance, seed)
        keep_arrays(cache, arrays)
    return DisturbedFaces(**arrays, truth=truth, labels=classifier.labels)


def _key(
    faces_u8: NDArray[np.uint8], classifier: Classifier, disturbance: Disturbance, seed: int
) -> str:
    digest = hashlib.sha256(faces_u8.tobytes())
    parts = (_DRAWING, MOMENTS, disturbance.name, seed, classifier.reading_name)
    digest.update(repr(parts).encode())
    return f"{classifier.artifact.sha256}_{digest.hexdigest()[:16]}"


def _draw_and_describe(
    faces_u8: NDArray[np.uint8], classifier: Classifier, disturbance: Disturbance, seed: int
) -> dict[str, NDArray[np.float32]]:
    parts = []
    for start in range(0, len(faces_u8), _FACES_AT_ONCE):
        some = faces_u8[start : start + _FACES_AT_ONCE]
        # Each face has a random source of its own, so that its drawings do not depend on others.
        drawn = [
            disturbance.stretch(face_u8, MOMENTS, np.random.default_rng((seed, start + index)))
            for index, face_u8 in enumerate(some)
        ]
        described = describe_crops(classifier, np.concatenate(drawn))
        parts.append([rows.reshape(len(some), MOMENTS, -1) for rows in described])
    arrays = map(np.concatenate, zip(*parts, strict=True))
    return dict(zip(("features", "probabilities", "quality"), arrays, strict=True))


def make_sequence(
    faces: DisturbedFaces, steps: int, random: np.random.Generator, name: str = ""
) -> FaceSequence:
    """Compose one sequence.

    Every second one shows a neutral face that gives way to one emotion, and perhaps to a neutral
    face again; the others show any faces in turn. The answer for the whole is the emotion other
    than neutral that was shown the longest, if that was a quarter of the time, else neutral.

    Args:
        faces: What to compose it of.
        steps: How many moments it has.
        random: Source of every choice.
        name: What to call it.
    """
    times_ms = _times_ms(steps, random)
    shown = _shown_faces(faces, times_ms, random)
    phase = random.uniform(0, 2 * MOMENTS, len(faces.truth))[shown]
    # Back and forth through the moments: 0, 1, … 9, 9, … 1, 0, 0, 1, …
    walked = (phase + times_ms / MOMENT_MS).astype(np.int64) % (2 * MOMENTS)
    moment = np.minimum(walked, 2 * MOMENTS - 1 - walked)
    for step in np.flatnonzero(random.random(steps) < _REPEATED):
        if step and shown[step] == shown[step - 1]:
            moment[step] = moment[step - 1]
    truth = faces.truth[shown]
    return FaceSequence(
        name=name,
        subject=name,
        timestamps_ms=times_ms,
        features=faces.features[shown, moment],
        probabilities=faces.probabilities[shown, moment],
        quality=faces.quality[shown, moment],
        truth=truth,
        clip_truth=_clip_truth(truth, times_ms, faces.labels),
    )


def _times_ms(steps: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(steps,) the times of the frames, some of which are dropped."""
    rate = np.exp(random.uniform(np.log(SLOWEST_FPS), np.log(FASTEST_FPS)))
    frames = random.geometric(1 - _DROPPED, steps - 1).cumsum()
    jitter = random.uniform(-0.2, 0.2, steps)
    jitter[0] = 0
    times: NDArray[np.float64] = (np.concatenate([[0], frames]) + jitter) * 1000 / rate
    return times


def _shown_faces(
    faces: DisturbedFaces, times_ms: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    """(steps,) which face is shown at each moment."""
    emotions = faces.truth.argmax(axis=1)
    neutral = faces.labels.index("neutral") if "neutral" in faces.labels else -1
    duration_ms = float(times_ms[-1])
    if random.random() < _ONSETS and (emotions == neutral).any() and (emotions != neutral).any():
        order = [
            random.choice(np.flatnonzero(emotions == neutral)),
            random.choice(np.flatnonzero(emotions != neutral)),
        ]
        changes_ms = [duration_ms * random.uniform(0.1, 0.7)]
        if random.random() < 0.3:
            order.append(order[0])
            changes_ms.append(random.uniform(changes_ms[0], duration_ms))
    else:
        order = [random.integers(len(emotions))]
        changes_ms = []
        # The sequence begins somewhere in the time of its first face.
        now_ms = random.uniform(0, _LONGEST_MS)
        while now_ms < duration_ms:
            changes_ms.append(now_ms)
            is_other = emotions != emotions[order[-1]]
            wanted = is_other if random.random() < _OTHER_EMOTION and is_other.any() else ~is_other
            order.append(random.choice(np.flatnonzero(wanted)))
            now_ms += random.uniform(_SHORTEST_MS, _LONGEST_MS)
    return np.array(order, np.int64)[np.searchsorted(changes_ms, times_ms, side="right")]


def _clip_truth(
    truth: NDArray[np.float32], times_ms: NDArray[np.float64], labels: tuple[str, ...]
) -> NDArray[np.float32]:
    lasting_ms = np.diff(times_ms, append=times_ms[-1] + (times_ms[-1] / max(len(times_ms) - 1, 1)))
    shown_ms = np.bincount(truth.argmax(axis=1), weights=lasting_ms, minlength=len(labels))
    answer = int(shown_ms.argmax())
    if "neutral" in labels:
        others_ms = shown_ms.copy()
        others_ms[labels.index("neutral")] = 0
        if others_ms.max() >= _CLIP_PART * shown_ms.sum():
            answer = int(others_ms.argmax())
    whole: NDArray[np.float32] = np.eye(len(labels), dtype=np.float32)[answer]
    return whole
