"""The two halves of what happens to a frame: where the faces are, and what they show.

`FaceLocator` and then `EmotionJudge` make results of a frame. They share nothing, so that two
threads can work on two successive frames: see `mien.engine.pipeline`. `VideoAnalyser` is both,
one after the other, for whoever has the frames in hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.core.types import FaceEmotion, MissedLimit
from mien.engine.schedule import Turns, is_due
from mien.engine.settings import EngineSettings, settings_of
from mien.engine.smoothing import Smoother
from mien.engine.temporal import TemporalMemory
from mien.engine.tracks import Observation, TrackMemory
from mien.faces.detect import as_resizable, coarse_detector, new_face_score
from mien.faces.find import find_faces
from mien.faces.gate import Quality, measure_quality
from mien.faces.sweep import Sweep
from mien.faces.track import View
from mien.faces.tracker import FaceTracker, TrackedFace
from mien.media.frames import Frame
from mien.recognizer import Recognizer

COARSE_SIDE = 320
"""While every known face is large, faces are detected in a picture reduced to this longer side."""

SWEEP_EVERY_MS = 250.0
"""So often, between two of these, a strip of the picture is searched for small faces that come in.

Where there is no frame in between, the whole picture is, at the detector's own size, half as often.
"""

_LARGE_PART = 1 / 12  # a face is large from this part of the picture's longer side
_FORGET_MS = 1000.0
_KEEP_MS = 500.0  # a face that no detector confirms is shown for so long at least,
_KEEP_DETECTIONS = 3  # and for so many detections
_LOST_MS = 2000.0  # for so much longer its place is guessed


@dataclass(frozen=True, slots=True, eq=False)
class LocatedFrame:
    """A frame whose faces are known, and the crops that are to be classified.

    Attributes:
        frame: The frame.
        faces: Its faces, each with its number.
        due: Indices into `faces` of those that are to be classified again.
        crops_u8: (len(due), side, side) or (len(due), side, side, 3) uint8, the crops of those;
            see `mien.Recognizer.crop`.
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
        self._detector = recognizer.detector
        # A detector that knows one size alone always sees the whole picture.
        resizable = as_resizable(self._detector)
        self._coarse = coarse_detector(resizable, COARSE_SIDE) if resizable else None
        self._sweep = Sweep(resizable) if resizable else None
        self._new_from_score = new_face_score(self._detector)
        self._crop = recognizer.crop
        self._detect_every_ms = settings.detect_every_ms
        self._turns = Turns(settings.classify_every_ms)
        keep_ms = max(_KEEP_MS, _KEEP_DETECTIONS * settings.detect_every_ms)
        self._tracker = FaceTracker(
            keep_ms=keep_ms,
            lost_ms=keep_ms + _LOST_MS,
            # Who seeks faces in every frame wants none to be seen before it is found.
            hands_out_at_once=settings.detect_every_ms == 0,
        )
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
            self._tracker.correct(self._sweep.detect(frame.image_bgr), View.PART)
        faces = self._tracker.faces()
        due = self._turns.take([tracked.track_id for tracked in faces], now_ms, gap_ms)
        crops_u8 = self._crop(frame.image_bgr, [faces[index].face for index in due])
        return LocatedFrame(frame, faces, due, crops_u8)

    def _detect(self, frame: Frame, *, coarse: bool) -> None:
        now_ms = frame.timestamp_ms
        if coarse and self._coarse and now_ms - self._swept_ms < 2 * SWEEP_EVERY_MS:
            found = find_faces(self._coarse, frame.image_bgr)
            self._tracker.correct(found, View.REDUCED, self._new_from_score)
            missed = not all(tracked.detected for tracked in self._tracker.faces())
            self._misses = self._misses + 1 if missed else 0
        else:
            self._misses = 0
            self._swept_ms = now_ms
            self._tracker.correct(find_faces(self._detector, frame.image_bgr))

    def _is_coarse_enough(self, frame: Frame) -> bool:
        """Whether there are faces, large ones that did not grow, and a small picture shows them."""
        if self._coarse is None or self._detect_every_ms == 0:
            return False
        if self._misses > 1 or self._tracker.expects_more() or self._tracker.has_changed_size():
            return False
        large = _LARGE_PART * max(frame.image_bgr.shape[:2])
        boxes = [tracked.face.box for tracked in self._tracker.faces()]
        return bool(boxes) and min(max(box.width, box.height) for box in boxes) >= large


class EmotionJudge:
    """Says what located faces show, calmed over time.

    Args:
        recognizer: Whose classifier to use.
        settings: How to smooth, and what makes a face uncertain.

    Raises:
        ModelError: if the temporal network is not usable, or belongs to another face artifact.
    """

    def __init__(self, recognizer: Recognizer, settings: EngineSettings) -> None:
        self._classifier = recognizer.classifier
        self._gate = settings.gate
        self._memory = _memory_of(settings, recognizer)
        self._judgements: dict[int, _Judgement] = {}
        self._seen_ms: dict[int, float] = {}

    def judge(self, located: LocatedFrame) -> list[FaceEmotion]:
        """Say what the faces of the next frame show, by their number."""
        frame = located.frame
        crops_u8 = located.crops_u8
        outputs = self._classifier.classify(crops_u8)
        for n, index in enumerate(located.due):
            tracked = located.faces[index]
            raw = outputs.probabilities[n]
            features = None if outputs.features is None else outputs.features[n]
            likeness = float(outputs.likeness[n])
            quality = measure_quality(
                crops_u8[n], likeness, tracked.face, frame.image_bgr.shape[:2]
            )
            seen = Observation(frame.timestamp_ms, raw, features, quality)
            shown, label = self._memory.observe(tracked.track_id, seen)
            whole = self._memory.whole(tracked.track_id)
            missed = self._gate.missed(quality, float(shown[label]))
            self._judgements[tracked.track_id] = _Judgement(
                _read_only(shown),
                _read_only(raw),
                None if whole is None else _read_only(whole),
                label,
                quality,
                missed,
                frame.timestamp_ms,
            )
        self._forget(frame.timestamp_ms, {tracked.track_id for tracked in located.faces})
        return [self._result(frame, tracked) for tracked in located.faces]

    def _result(self, frame: Frame, tracked: TrackedFace) -> FaceEmotion:
        judgement = self._judgements[tracked.track_id]
        labels = self._classifier.labels
        return FaceEmotion(
            frame=frame.index,
            timestamp_ms=frame.timestamp_ms,
            track_id=tracked.track_id,
            box=tracked.face.box,
            detection_score=tracked.face.score,
            emotion=labels[judgement.label],
            confidence=float(judgement.probabilities[judgement.label]),
            probabilities=judgement.probabilities,
            uncertain=bool(judgement.missed_limits),
            detected=tracked.detected,
            raw_probabilities=judgement.raw_probabilities,
            labels=labels,
            reading=self._classifier.reading_name,
            missed_limits=judgement.missed_limits,
            yaw_degrees=judgement.quality.yaw_degrees,
            pitch_degrees=judgement.quality.pitch_degrees,
            roll_degrees=judgement.quality.roll_degrees,
            whole_probabilities=judgement.whole_probabilities,
            temporal_sha256=self._memory.network_sha256,
        )

    def _forget(self, now_ms: float, shown: set[int]) -> None:
        """Drop what was seen too long ago to say anything of now, so that memory stays flat."""
        self._judgements = {
            track_id: judgement
            for track_id, judgement in self._judgements.items()
            if track_id in shown or now_ms - judgement.judged_ms <= _FORGET_MS
        }
        self._seen_ms |= dict.fromkeys(shown, now_ms)
        self._seen_ms = {
            track_id: seen_ms
            for track_id, seen_ms in self._seen_ms.items()
            if now_ms - seen_ms <= self._memory.keep_ms
        }
        self._memory.forget_all_but(self._seen_ms)


class VideoAnalyser:
    """Both halves, one after the other: frames in, results out.

    Args:
        recognizer: Finds and classifies; used by no one else meanwhile.
        settings: How often, how calm, how sure.
    """

    def __init__(self, recognizer: Recognizer, settings: EngineSettings | None = None) -> None:
        settings = settings_of(settings)
        self._locator = FaceLocator(recognizer, settings)
        self._judge = EmotionJudge(recognizer, settings)

    def analyse(self, frame: Frame) -> list[FaceEmotion]:
        """Find, follow and judge the faces of the next frame of one video; by their number."""
        return self._judge.judge(self._locator.locate(frame))


def _memory_of(settings: EngineSettings, recognizer: Recognizer) -> TrackMemory:
    if settings.temporal is None:
        return Smoother(settings.smooth_ms)
    return TemporalMemory(settings.temporal, recognizer.classifier)


@dataclass(frozen=True, slots=True, eq=False)
class _Judgement:
    probabilities: NDArray[np.float32]
    raw_probabilities: NDArray[np.float32]
    whole_probabilities: NDArray[np.float32] | None
    label: int
    quality: Quality
    missed_limits: tuple[MissedLimit, ...]
    judged_ms: float


def _read_only(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    copy = probabilities.copy()
    copy.flags.writeable = False
    return copy
