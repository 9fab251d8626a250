"""The two halves of what happens to a frame: where the faces are, and what they show.

`FaceLocator` and then `EmotionJudge` make results of a frame. They share nothing, so that two
threads can work on two successive frames: see `mien.engine.pipeline`. `VideoAnalyser` is both,
one after the other, for whoever has the frames in hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS
from mien.core.types import FaceEmotion
from mien.engine.schedule import Turns, is_due
from mien.engine.settings import EngineSettings
from mien.engine.smoothing import Smoother
from mien.faces.crop import crop_faces
from mien.faces.detect import Detector, ResizableDetector
from mien.faces.gate import measure_quality
from mien.faces.sweep import Sweep
from mien.faces.track import FaceTracker, TrackedFace
from mien.faces.yunet import YuNetDetector
from mien.media.frames import Frame
from mien.recognizer import Recognizer

COARSE_SIDE = 320
"""While every known face is large, faces are sought in a picture reduced to this longer side."""

CONFIRMING_SCORE = 0.55
"""YuNet's boxes of that picture from this score on confirm a face that is followed already."""

SWEEP_EVERY_MS = 250.0
"""So often, between two of these, a strip of the picture is searched for small faces that come in.

Where there is no frame in between, the whole picture is, at the detector's own size, half as often.
"""

_LARGE_PART = 1 / 12  # a face is large from this part of the picture's longer side
_FORGET_MS = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class LocatedFrame:
    """A frame whose faces are known, and the crops that are to be classified.

    Attributes:
        frame: The frame.
        faces: Its faces, each with its number.
        due: Indices into `faces` of those that are to be classified afresh.
        crops_u8: (len(due), 48, 48) uint8, the crops of those.
    """

    frame: Frame
    faces: list[TrackedFace]
    due: list[int]
    crops_u8: NDArray[np.uint8]


class FaceLocator:
    """Finds and follows the faces of one video, and cuts out those that are due.

    Args:
        recognizer: Whose detector and framing to use.
        settings: How often to detect and to classify.
    """

    def __init__(self, recognizer: Recognizer, settings: EngineSettings) -> None:
        self._detector = detector = recognizer.detector
        self._coarse = _coarse_detector(detector)
        self._new_from_score = (
            detector.score_threshold if isinstance(detector, YuNetDetector) else 0.0
        )
        self._sweep = Sweep(detector) if isinstance(detector, ResizableDetector) else None
        self._framing = recognizer.framing
        self._detect_every_ms = settings.detect_every_ms
        self._turns = Turns(settings.classify_every_ms)
        self._tracker = FaceTracker()
        self._previous_ms = -np.inf
        self._detected_ms = -np.inf
        self._swept_ms = -np.inf
        self._misses = 0  # how often in a row the coarse detector missed a face

    def locate(self, frame: Frame) -> LocatedFrame:
        """Find the faces of the next frame."""
        now_ms = frame.timestamp_ms
        gap_ms = max(now_ms - self._previous_ms, 0.0)
        self._previous_ms = now_ms
        followed = self._tracker.carry(frame.image_bgr, now_ms)
        if not followed or is_due(self._detected_ms, self._detect_every_ms, now_ms, gap_ms):
            self._detected_ms = now_ms
            self._detect(frame, coarse=followed and self._is_coarse_enough(frame))
        elif (
            self._sweep
            and now_ms - self._swept_ms >= SWEEP_EVERY_MS
            and self._is_coarse_enough(frame)
        ):
            self._swept_ms = now_ms
            self._tracker.correct(self._sweep.detect(frame.image_bgr))
        faces = self._tracker.faces()
        due = self._turns.take([tracked.track_id for tracked in faces], now_ms, gap_ms)
        crops_u8 = crop_faces(frame.image_bgr, [faces[index].face for index in due], self._framing)
        return LocatedFrame(frame, faces, due, crops_u8)

    def _detect(self, frame: Frame, *, coarse: bool) -> None:
        now_ms = frame.timestamp_ms
        if coarse and self._coarse and now_ms - self._swept_ms < 2 * SWEEP_EVERY_MS:
            self._tracker.correct(self._coarse.detect(frame.image_bgr), self._new_from_score)
            missed = not all(tracked.detected for tracked in self._tracker.faces())
            self._misses = self._misses + 1 if missed else 0
        else:
            self._misses = 0
            self._swept_ms = now_ms
            self._tracker.correct(self._detector.detect(frame.image_bgr))

    def _is_coarse_enough(self, frame: Frame) -> bool:
        """Whether there are faces, large ones all of them, and the coarse detector sees them."""
        if self._coarse is None or self._detect_every_ms == 0:
            return False
        if self._misses > 1 or self._tracker.expects_more():
            return False
        large = _LARGE_PART * max(frame.image_bgr.shape[:2])
        boxes = [tracked.face.box for tracked in self._tracker.faces()]
        return bool(boxes) and min(max(box.width, box.height) for box in boxes) >= large


class EmotionJudge:
    """Says what located faces show, calmed over time.

    Args:
        recognizer: Whose network to use.
        settings: How to smooth, and what makes a face uncertain.
    """

    def __init__(self, recognizer: Recognizer, settings: EngineSettings) -> None:
        self._recognizer = recognizer
        self._gate = settings.gate
        self._smoother = Smoother(settings.smooth_ms)
        self._judgements: dict[int, _Judgement] = {}

    def judge(self, located: LocatedFrame) -> list[FaceEmotion]:
        """Say what the faces of the next frame show, by their number."""
        frame = located.frame
        crops_u8 = located.crops_u8
        probabilities, likeness = self._recognizer.classify_with_likeness(crops_u8)
        for n, (index, raw) in enumerate(zip(located.due, probabilities, strict=True)):
            tracked = located.faces[index]
            averaged, label = self._smoother.smooth(tracked.track_id, raw, frame.timestamp_ms)
            quality = measure_quality(
                crops_u8[n], float(likeness[n]), tracked.face, frame.image_bgr.shape[:2]
            )
            confidence = float(averaged[label])
            uncertain = not self._gate.passes(quality, confidence)
            self._judgements[tracked.track_id] = _Judgement(
                _read_only(averaged), _read_only(raw), label, uncertain, frame.timestamp_ms
            )
        self._forget(frame.timestamp_ms, {tracked.track_id for tracked in located.faces})
        return [self._result(frame, tracked) for tracked in located.faces]

    def _result(self, frame: Frame, tracked: TrackedFace) -> FaceEmotion:
        judgement = self._judgements[tracked.track_id]
        return FaceEmotion(
            frame=frame.index,
            timestamp_ms=frame.timestamp_ms,
            track_id=tracked.track_id,
            box=tracked.face.box,
            detection_score=tracked.face.score,
            emotion=EMOTIONS[judgement.label],
            confidence=float(judgement.probabilities[judgement.label]),
            probabilities=judgement.probabilities,
            uncertain=judgement.uncertain,
            detected=tracked.detected,
            raw_probabilities=judgement.raw_probabilities,
        )

    def _forget(self, now_ms: float, shown: set[int]) -> None:
        """Drop what was seen too long ago to say anything of now, so that memory stays flat."""
        self._judgements = {
            track_id: judgement
            for track_id, judgement in self._judgements.items()
            if track_id in shown or now_ms - judgement.judged_ms <= _FORGET_MS
        }
        self._smoother.forget_all_but(self._judgements)


class VideoAnalyser:
    """Both halves, one after the other: frames in, results out.

    Args:
        recognizer: Finds and classifies; used by no one else meanwhile.
        settings: How often, how calm, how sure.
    """

    def __init__(self, recognizer: Recognizer, settings: EngineSettings | None = None) -> None:
        settings = settings or EngineSettings()
        self._locator = FaceLocator(recognizer, settings)
        self._judge = EmotionJudge(recognizer, settings)

    def analyse(self, frame: Frame) -> list[FaceEmotion]:
        """Find, follow and judge the faces of the next frame of one video; by their number."""
        return self._judge.judge(self._locator.locate(frame))


@dataclass(frozen=True, slots=True, eq=False)
class _Judgement:
    probabilities: NDArray[np.float32]
    raw_probabilities: NDArray[np.float32]
    label: int
    uncertain: bool
    judged_ms: float


def _coarse_detector(detector: Detector) -> Detector | None:
    """The same detector on a smaller picture; None where it knows one size alone."""
    if not isinstance(detector, ResizableDetector):
        return None
    coarse = detector.resized(min(COARSE_SIDE, detector.longest_side))
    if isinstance(coarse, YuNetDetector):
        coarse.score_threshold = min(CONFIRMING_SCORE, coarse.score_threshold)
    return coarse


def _read_only(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    copy = probabilities.copy()
    copy.flags.writeable = False
    return copy
