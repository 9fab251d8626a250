"""From a picture to the emotions of its faces: detector, crop and classifier.

Example::

    recognizer = mien.Recognizer()
    for face in recognizer.recognize("people.jpg"):
        print(face.emotion, face.confidence, face.box)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.artifact import Artifact, Framing
from mien.core.errors import DataError, ModelError, SourceError
from mien.core.types import Box, Face, FaceEmotion, MissedLimit
from mien.faces.crop import crop_faces
from mien.faces.detect import FRAMINGS, Detector, make_detectors
from mien.faces.find import find_faces, is_box_of_face
from mien.faces.gate import Quality, QualityGate, gate_of, measure_quality
from mien.faces.photograph import PhotographDetector
from mien.media.pictures import Picture, is_one_picture, load_picture


class Recognizer:
    """Finds the faces in pictures and says what they show.

    Several threads may use one, unless its detector is one of your own that cannot bear it.

    Args:
        artifact: A network in ONNX with its sidecar beside it; None for the one that ships with
            mien.
        reading: Name of one of the artifact's readings; None for its default. The artifact that
            ships has `raters`, what people would say, and `labels`, what FER2013's labels say.
        detector: A detector, or its name (see `mien.faces.detect.DETECTORS`); `auto` is YuNet
            where its file is present, else Haar.
        threads: How many threads ONNX Runtime may use; None for as many as there are cores.
        provider: What ONNX Runtime runs on, `cpu`, `cuda`, …: its execution providers.
        detect_size: The longer side of the picture in which faces are detected, in pixels, or
            `full`. None: photographs at full size with YuNet; everything else at 640 pixels, or as
            a detector that is given is made.

    Attributes:
        detector: What finds the faces.
        framing: How faces are cut out around the boxes of that detector.
        classifier: What says what they show.

    Raises:
        ModelError: if the artifact is missing, damaged or not what its sidecar says, or the
            detector's file is missing or another one.
        SettingError: if there is no such reading, detector or provider.
    """

    def __init__(
        self,
        artifact: str | Path | Artifact | None = None,
        *,
        reading: str | None = None,
        detector: str | Detector = "auto",
        threads: int | None = None,
        provider: str = "cpu",
        detect_size: int | str | None = None,
    ) -> None:
        self.classifier = Classifier(artifact, reading=reading, threads=threads, provider=provider)
        self.detector, self._photograph_detector = make_detectors(
            detector, detect_size, threads=threads
        )
        self.framing = _framing(self.artifact, self.detector.name)
        self._options: dict[str, Any] = {
            "artifact": artifact,
            "detector": detector,
            "threads": threads,
            "provider": provider,
            "detect_size": detect_size,
        }
        self._photograph_side: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it was made of: whoever unpickles it opens network and detector again."""
        options = self._options | {"reading": self.classifier.reading_name}
        return partial(type(self), **options), (), self._photograph_side

    def __setstate__(self, photograph_side: int) -> None:
        """Limit photographs as they were before it was pickled."""
        self.limit_photographs(photograph_side)

    @property
    def artifact(self) -> Artifact:
        """The network and what its sidecar says."""
        return self.classifier.artifact

    def with_reading(self, reading: str | None) -> Self:
        """Return the same recogniser for another reading; the two share network and detector.

        Raises:
            SettingError: if the artifact has no such reading.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.classifier = self.classifier.with_reading(reading)
        return other

    def recognize(
        self,
        picture: Picture,
        frame: int = 0,
        timestamp_ms: float = 0.0,
        *,
        gate: QualityGate | None = None,
        boxes: Iterable[Box | Sequence[float]] | None = None,
    ) -> list[FaceEmotion]:
        """Find the faces in a picture and say what each shows.

        Args:
            picture: A picture's path, an array, (H, W, 3) BGR (grey, BGRA and 16 bits are taken as
                well: see `mien.media.image.to_bgr_u8`), or a `PIL.Image.Image`.
            frame: Index of the picture in its source, for the results.
            timestamp_ms: Time of the picture in its source, for the results.
            gate: What makes a face `uncertain`; None for the defaults of `QualityGate`.
            boxes: Where the faces are, if that is known: `Box` or (x, y, width, height) in pixels,
                drawn around faces as those of this recogniser's detector are. None seeks them.

        Returns:
            One result a face, the largest face first; none where there is no face. Each has
            `track_id` 0. Of `boxes`, one each in their order, with `detection_score` 1.

        Raises:
            SourceError: if the picture is None or something else, has another shape or type, or its
                file cannot be read.
            DataError: if a box is not one, or a detector of your own gives something else than
                faces.
            SettingError: if the gate is something else.
        """
        image_bgr = load_picture(picture)
        if boxes is None:
            faces = find_faces(self._photograph_detector, image_bgr)
        else:
            faces = [Face(box, score=1.0) for box in _boxes(boxes, image_bgr.shape)]
        crops_u8 = self.crop(image_bgr, faces)
        return self._judge(faces, crops_u8, image_bgr.shape[:2], frame, timestamp_ms, gate)

    def classify_crops(
        self, pictures: Iterable[Picture], *, gate: QualityGate | None = None
    ) -> list[FaceEmotion]:
        """Say what pictures show that are faces, cut out already, of any size and colour.

        No detector runs: of a picture that is not square, the square in its middle is the face,
        framed as FER2013's are (from the brows to the chin fills most of it).

        Args:
            pictures: As `recognize` takes them.
            gate: What makes a face `uncertain`; None for the defaults of `QualityGate`.

        Returns:
            One result a picture, in their order; `frame` counts them.

        Raises:
            SourceError: if one of the pictures is none or cannot be read, or a single one is given.
            SettingError: if the gate is something else.
        """
        if is_one_picture(pictures):
            raise SourceError(
                "Found a single picture; expected several: write classify_crops([picture])."
            )
        if not isinstance(pictures, Iterable):
            raise SourceError(
                f"Found {pictures!r}; expected several pictures: write classify_crops([picture])."
            )
        results = []
        for number, picture in enumerate(pictures):
            image_bgr = load_picture(picture)
            height, width = image_bgr.shape[:2]
            side = min(width, height)
            face = Face(Box((width - side) / 2, (height - side) / 2, side, side), score=1.0)
            crops_u8 = crop_faces(image_bgr, [face], Framing(1.0, 0.0, 0.0), self.artifact.input)
            results += self._judge([face], crops_u8, (height, width), number, 0.0, gate)
        return results

    def _judge(
        self,
        faces: Sequence[Face],
        crops_u8: NDArray[np.uint8],
        shape: tuple[int, ...],
        frame: int,
        timestamp_ms: float,
        gate: QualityGate | None,
    ) -> list[FaceEmotion]:
        gate = gate_of(gate)
        outputs = self.classifier.classify(crops_u8)
        results = []
        for n, face in enumerate(faces):
            row = outputs.probabilities[n]
            likeness = float(outputs.likeness[n])
            quality = measure_quality(crops_u8[n], likeness, face, shape)
            missed = gate.missed(quality, float(row.max()))
            results.append(
                face_emotion(face, row, self.classifier, frame, timestamp_ms, missed, quality)
            )
        return results

    def limit_photographs(self, longest_side: int) -> None:
        """Reduce photographs to this longer side, in pixels, before faces are detected in tiles."""
        if isinstance(self._photograph_detector, PhotographDetector):
            self._photograph_detector = self._photograph_detector.limited(longest_side)
            self._photograph_side = min(longest_side, self._photograph_side or longest_side)

    def crop(self, image_bgr: NDArray[np.uint8], faces: list[Face]) -> NDArray[np.uint8]:
        """Cut faces out of a picture, (H, W, 3) uint8 BGR, as the network reads them.

        Returns:
            (N, side, side) uint8 grey or (N, side, side, 3) uint8 RGB; see
            `mien.faces.crop.crop_faces`.
        """
        return crop_faces(image_bgr, faces, self.framing, self.artifact.input)


def face_emotion(
    face: Face,
    probabilities: NDArray[np.float32],
    classifier: Classifier,
    frame: int,
    timestamp_ms: float,
    missed_limits: tuple[MissedLimit, ...] = (),
    quality: Quality | None = None,
) -> FaceEmotion:
    """Put a face and its probabilities, (C,) float32, together as one result."""
    row = probabilities.copy()
    row.flags.writeable = False
    label = int(row.argmax())
    return FaceEmotion(
        frame=frame,
        timestamp_ms=timestamp_ms,
        track_id=0,
        box=face.box,
        detection_score=face.score,
        emotion=classifier.labels[label],
        confidence=float(row[label]),
        probabilities=row,
        uncertain=bool(missed_limits),
        labels=classifier.labels,
        reading=classifier.reading_name,
        missed_limits=missed_limits,
        yaw_degrees=None if quality is None else quality.yaw_degrees,
        pitch_degrees=None if quality is None else quality.pitch_degrees,
        roll_degrees=None if quality is None else quality.roll_degrees,
    )


def _boxes(given: Iterable[Box | Sequence[float]], shape: tuple[int, ...]) -> list[Box]:
    if not isinstance(given, Iterable):
        raise DataError(
            f"Found {given!r} as the boxes of faces; expected several: write boxes=[box]."
        )
    return [_box(each, shape) for each in given]


def _box(given: Box | Sequence[float], shape: tuple[int, ...]) -> Box:
    height, width = shape[:2]
    try:
        numbers = astuple(given) if isinstance(given, Box) else given
        box = Box(*map(float, numbers))
        if is_box_of_face(box, width, height):
            return box
    except (TypeError, ValueError, OverflowError):
        pass
    raise DataError(
        f"Found {given!r} as a face's box; expected mien.Box or (x, y, width, height) in pixels of "
        f"the picture, which has {width} by {height}, with a width and a height above 0."
    )


def _framing(artifact: Artifact, detector_name: str) -> Framing:
    framing = artifact.crop.get(detector_name) or FRAMINGS.get(detector_name)
    if framing is None:
        raise ModelError(
            f"Nothing says how to cut faces out of the boxes of the detector {detector_name!r}: "
            f"expected {', '.join(FRAMINGS)}, or its framing under `crop` in "
            f"{artifact.onnx_path.with_suffix('.json')}."
        )
    return framing
