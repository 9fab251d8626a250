"""From clips to what the classifier says of the face in each, found as the engine finds it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, SourceError
from mien.data.array_cache import SEQUENCES_CACHE, keep_arrays, read_arrays
from mien.data.clips import Clip, ClipSet, unit_of
from mien.data.dataset import Skipped
from mien.data.face_sequences import FaceSequence, describe_crops
from mien.engine.settings import EngineSettings
from mien.engine.stages import FaceLocator
from mien.media.frames import open_frames
from mien.recognizer import Recognizer

SECOND_PERSON = 0.25
"""A clip shows two people where a second face, of half the first one's size at least, is there in
this part of its frames."""

_VERSION = 1  # Bump when the same clip would give other sequences.
_PROBLEM = "problem"  # what is kept of an odd clip
_Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ClipSequences:
    """Clips as sequences.

    Attributes:
        sequences: Of each usable clip, in order; the truth at each moment is the clip's emotion.
        odd: The other clips, and what is odd about each: unreadable, without a face, two people.
    """

    sequences: tuple[FaceSequence, ...]
    odd: tuple[Skipped, ...]


class _OddClipError(Exception):
    """A clip from which nothing can be learned, and why."""


def read_clips(
    clips: Iterable[Clip],
    of: ClipSet,
    recognizer: Recognizer,
    say: Callable[[str], None],
) -> ClipSequences:
    """Find, follow, cut out and classify the face of each clip.

    What came out is kept beside the clips, by the artifact's SHA-256, its reading, the detector and
    the file's size and time, and not computed again.

    Args:
        clips: The clips.
        of: The set that they belong to.
        recognizer: Whose detector, crop and classifier to use.
        say: Called with a line before the first clip that is not in the cache.

    Raises:
        DataError: if the recognizer's reading has other labels than the clips.
    """
    classifier = recognizer.classifier
    if classifier.labels != of.classes.names:
        raise DataError(
            f"The clips of {of.source} are of {', '.join(of.classes.names)}; the reading "
            f"{classifier.reading_name} tells {', '.join(classifier.labels)}."
        )
    folder = (of.source if of.source.is_dir() else of.source.parent) / SEQUENCES_CACHE
    sequences, odd = [], []
    is_said = False
    for clip in clips:
        cache = folder / f"{_key(clip, recognizer)}.npz"
        arrays = read_arrays(cache)
        if arrays is None:
            if not is_said:
                is_said = True
                say(f"The faces of the clips are found and classified; kept in {folder}")
            arrays = _describe_or_tell(clip, recognizer)
            keep_arrays(cache, arrays)
        if _PROBLEM in arrays:
            odd.append(Skipped(clip.name, str(arrays[_PROBLEM])))
        else:
            sequences.append(_sequence(clip, arrays, len(classifier.labels)))
    return ClipSequences(tuple(sequences), tuple(odd))


def _key(clip: Clip, recognizer: Recognizer) -> str:
    status = clip.path.stat() if clip.path.is_file() else None
    classifier = recognizer.classifier
    parts = (
        *(_VERSION, str(clip.path.resolve()), clip.start_ms, clip.end_ms),
        *(classifier.reading_name, recognizer.detector.name),
        status and (status.st_size, status.st_mtime_ns),
    )
    digest = hashlib.sha256(repr(parts).encode(errors="backslashreplace")).hexdigest()
    return f"{classifier.artifact.sha256}_{digest[:16]}"


def _describe_or_tell(clip: Clip, recognizer: Recognizer) -> _Arrays:
    """Return the moments of the clip's one face, or what is odd about the clip."""
    try:
        return _describe(clip, recognizer)
    except SourceError as error:
        return {_PROBLEM: np.array(f"cannot be read: {error}")}
    except _OddClipError as error:
        return {_PROBLEM: np.array(str(error))}


def _describe(clip: Clip, recognizer: Recognizer) -> _Arrays:
    """Return the moments of the clip's one face."""
    locator = FaceLocator(recognizer, EngineSettings())
    times_ms: dict[int, list[float]] = defaultdict(list)
    sides: dict[int, list[float]] = defaultdict(list)
    # By frame, as the engine classifies several faces in turns.
    seen: dict[int, set[int]] = defaultdict(set)
    crops: dict[int, list[NDArray[np.uint8]]] = defaultdict(list)
    with open_frames(clip.path) as frames:
        for frame in frames:
            if frame.timestamp_ms < clip.start_ms:
                continue
            if frame.timestamp_ms >= clip.end_ms:
                break
            located = locator.locate(frame)
            for tracked in located.faces:
                seen[tracked.track_id].add(frame.index)
            for index, crop_u8 in zip(located.due, located.crops_u8, strict=True):
                face = located.faces[index]
                times_ms[face.track_id].append(frame.timestamp_ms)
                sides[face.track_id].append(max(face.face.box.width, face.face.box.height))
                crops[face.track_id].append(crop_u8)
    if not crops:
        raise _OddClipError("no face was found in it")
    first = max(crops, key=lambda track: len(crops[track]) * float(np.median(sides[track])))
    for other in crops.keys() - {first}:
        is_large = np.median(sides[other]) >= np.median(sides[first]) / 2
        if is_large and len(seen[other] & seen[first]) >= SECOND_PERSON * len(seen[first]):
            raise _OddClipError("it shows two people")
    described = describe_crops(recognizer.classifier, np.stack(crops[first]))
    features, probabilities, quality = described
    if (quality[:, -1] < 0).mean() > 0.5:
        raise _OddClipError("what was found in it looks like no face")
    return {
        "timestamps_ms": np.array(times_ms[first]),
        "features": features,
        "probabilities": probabilities,
        "quality": quality,
    }


def _sequence(clip: Clip, arrays: _Arrays, labels: int) -> FaceSequence:
    truth = np.eye(labels, dtype=np.float32)[clip.label]
    return FaceSequence(
        name=clip.name,
        subject=unit_of(clip),
        timestamps_ms=arrays["timestamps_ms"],
        features=arrays["features"],
        probabilities=arrays["probabilities"],
        quality=arrays["quality"],
        truth=np.tile(truth, (len(arrays["timestamps_ms"]), 1)),
        clip_truth=truth,
    )
