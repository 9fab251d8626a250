"""From a picture to the emotions of its faces.

Example::

    recognizer = mien.Recognizer()
    for face in recognizer.recognize(cv2.imread("people.jpg")):
        print(face.emotion, face.confidence, face.box)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import Artifact, Framing, apply_temperature, load_artifact
from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS
from mien.core.preprocess import check_faces, to_network_input
from mien.core.session import open_session
from mien.core.types import Face, FaceEmotion
from mien.faces.crop import FRAMINGS, crop_faces
from mien.faces.detect import Detector, make_detector
from mien.faces.gate import QualityGate, measure_quality
from mien.media.image import to_bgr_u8

LARGEST_BATCH = 64
"""More faces than this go through the network in several batches."""

LIKENESS_OUTPUT = "face_likeness"
"""Name of the network's second output, which not every artifact has."""


class Recognizer:
    """Finds the faces in pictures and says what they show.

    Several threads may call `classify`; `recognize` is for one at a time, as its detector is.

    Args:
        artifact: A network in ONNX with its sidecar beside it; None for the one that ships with
            mien.
        detector: A detector, or its name (see `mien.faces.detect.DETECTORS`); `auto` is YuNet
            where its file is present, else Haar.
        threads: How many threads ONNX Runtime may use; None for as many as there are cores.
        provider: What ONNX Runtime runs on, `cpu`, `cuda`, …: its execution providers.

    Attributes:
        artifact: The network and what its sidecar says.
        detector: What finds the faces.
        framing: How faces are cut out around the boxes of that detector.

    Raises:
        ModelError: if the artifact is missing, damaged or no such network, the detector is not
            available, or ONNX Runtime has no such provider.
    """

    def __init__(
        self,
        artifact: str | Path | Artifact | None = None,
        *,
        detector: str | Detector = "auto",
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        if not isinstance(artifact, Artifact):
            artifact = load_artifact(None if artifact is None else Path(artifact))
        self.artifact = artifact
        self.detector = (
            make_detector(detector, threads=threads) if isinstance(detector, str) else detector
        )
        self.framing = _framing(artifact, self.detector.name)
        self._session = open_session(
            artifact.onnx_path, str(artifact.onnx_path), threads=threads, provider=provider
        )
        self._input_name = self._session.get_inputs()[0].name
        names = [output.name for output in self._session.get_outputs()]
        self._outputs = [names[0], *(name for name in names if name == LIKENESS_OUTPUT)]

    def recognize(
        self,
        image_bgr: NDArray[Any],
        frame: int = 0,
        timestamp_ms: float = 0.0,
        *,
        gate: QualityGate | None = None,
    ) -> list[FaceEmotion]:
        """Find the faces in a picture and say what each shows.

        Args:
            image_bgr: (H, W, 3) BGR; grey, BGRA and 16 bits are taken as well: see
                `mien.media.image.to_bgr_u8`.
            frame: Index of the picture in its source, for the results.
            timestamp_ms: Time of the picture in its source, for the results.
            gate: What makes a face `uncertain`; None for the defaults of `QualityGate`.

        Returns:
            One result a face, the largest face first; none where there is no face. Each has
            `track_id` 0.

        Raises:
            SourceError: if the picture is None, or has another shape or type.
        """
        gate = gate or QualityGate()
        image_bgr = to_bgr_u8(image_bgr)
        faces = self.detector.detect(image_bgr)
        crops_u8 = crop_faces(image_bgr, faces, self.framing)
        results = []
        for face, crop_u8, row, likeness in zip(
            faces, crops_u8, *self.classify_with_likeness(crops_u8), strict=True
        ):
            quality = measure_quality(crop_u8, float(likeness), face, image_bgr.shape[:2])
            uncertain = not gate.passes(quality, float(row.max()))
            results.append(face_emotion(face, row, frame, timestamp_ms, uncertain=uncertain))
        return results

    def classify(self, faces_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Say what faces show that are cut out already.

        Args:
            faces_u8: (N, 48, 48) uint8, grey, framed as FER2013's are; N may be 0.

        Returns:
            (N, 7) float32, calibrated probabilities in the order of `mien.EMOTIONS`; each row
            sums to 1.

        Raises:
            DataError: if the shape or type is another one.
        """
        return self.classify_with_likeness(faces_u8)[0]

    def classify_with_likeness(
        self, faces_u8: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Say what faces show that are cut out already, and how much each looks like a face.

        Args:
            faces_u8: (N, 48, 48) uint8, grey, framed as FER2013's are; N may be 0.

        Returns:
            The probabilities as `classify` gives them, and (N,) float32 log odds: the higher, the
            likelier a face, and above 0 for nine of ten faces. Infinite where the artifact does not
            tell.

        Raises:
            DataError: if the shape or type is another one.
        """
        check_faces(faces_u8)
        probabilities = np.empty((len(faces_u8), len(EMOTIONS)), dtype=np.float32)
        likeness = np.full(len(faces_u8), np.inf, dtype=np.float32)
        for start in range(0, len(faces_u8), LARGEST_BATCH):
            batch = to_network_input(faces_u8[start : start + LARGEST_BATCH])
            found = self._session.run(self._outputs, {self._input_name: batch})
            probabilities[start : start + LARGEST_BATCH] = found[0]
            if len(found) > 1:
                likeness[start : start + LARGEST_BATCH] = found[1][:, 0]
        return apply_temperature(probabilities, self.artifact.temperature), likeness


def face_emotion(
    face: Face,
    probabilities: NDArray[np.float32],
    frame: int,
    timestamp_ms: float,
    *,
    uncertain: bool = False,
) -> FaceEmotion:
    """Put a face and its probabilities, (7,) float32, together as one result."""
    row = probabilities.copy()
    row.flags.writeable = False
    label = int(row.argmax())
    return FaceEmotion(
        frame=frame,
        timestamp_ms=timestamp_ms,
        track_id=0,
        box=face.box,
        detection_score=face.score,
        emotion=EMOTIONS[label],
        confidence=float(row[label]),
        probabilities=row,
        uncertain=uncertain,
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
