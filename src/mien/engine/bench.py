"""How long each step of a frame takes on this machine, and all of them together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from mien.core.cores import usable_cores
from mien.core.errors import SourceError
from mien.engine.pipeline import EmotionStream
from mien.faces.tracker import FaceTracker
from mien.media.draw import draw_faces
from mien.media.frames import open_frames
from mien.recognizer import Recognizer, face_emotion

WARM_UP_FRAMES = 5
"""So many frames at the beginning are not timed."""

STEPS = ("read", "detect", "crop", "classify", "track", "draw", "whole")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one step took.

    Attributes:
        step: One of `STEPS`. `detect` and `classify` are of all faces of every frame, `track` is
            the carrying of boxes. `whole` is what a user sees: from one finished frame to the
            next, with the engine's threads at work, from decoding to the overlay; it detects and
            classifies as often as the engine does.
        threads: How many threads OpenCV had, and ONNX Runtime too, which has one in `whole`.
        median_ms: Half of the frames took no longer, in milliseconds.
        p95_ms: 95 % of the frames took no longer, in milliseconds.
        fps: Frames a second, were there nothing but this step.
    """

    step: str
    threads: int
    median_ms: float
    p95_ms: float
    fps: float


def measure(
    path: Path, make_recognizer: Callable[[int], Recognizer], *, frames: int = 300
) -> list[Timing]:
    """Time every step on a video, with one thread and with as many as there are cores.

    Args:
        path: A video file.
        make_recognizer: Makes a recogniser of so many threads.
        frames: How many frames to time, at most.

    Raises:
        SourceError: if the video cannot be read or is too short.
    """
    timings: list[Timing] = []
    for threads in sorted({1, usable_cores()}):
        with _opencv_threads(threads):
            steps = _measure_steps(path, make_recognizer(threads), frames)
            # The engine's own threads share the cores: one each for OpenCV and ONNX Runtime.
            steps["whole"] = _measure_whole(path, make_recognizer(1), frames)
        for step in STEPS:
            timings.append(_timing(step, threads, steps[step], path))
    return timings


def _measure_steps(path: Path, recognizer: Recognizer, count: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {step: [] for step in STEPS}
    tracker = FaceTracker()
    with open_frames(path) as source:
        frames = iter(source)
        for _ in range(WARM_UP_FRAMES + count):
            begun = time.perf_counter()
            frame = next(frames, None)
            if frame is None:
                break
            marks = [begun, time.perf_counter()]
            faces = recognizer.detector.detect(frame.image_bgr)
            marks.append(time.perf_counter())
            crops_u8 = recognizer.crop(frame.image_bgr, faces)
            marks.append(time.perf_counter())
            rows = recognizer.classifier.classify(crops_u8).probabilities
            marks.append(time.perf_counter())
            tracker.carry(frame.image_bgr, frame.timestamp_ms)
            marks.append(time.perf_counter())
            results = [
                face_emotion(face, row, recognizer.classifier, frame.index, frame.timestamp_ms)
                for face, row in zip(faces, rows, strict=True)
            ]
            drawing = time.perf_counter()
            draw_faces(frame.image_bgr, results)
            seconds["draw"].append(time.perf_counter() - drawing)
            for step, duration in zip(STEPS, np.diff(marks), strict=False):
                seconds[step].append(float(duration))
            tracker.correct(faces)
    return seconds


def _measure_whole(path: Path, recognizer: Recognizer, count: int) -> list[float]:
    finished: list[float] = []
    with EmotionStream(open_frames(path), recognizer) as stream:
        for faces in islice(stream, WARM_UP_FRAMES + count):
            draw_faces(faces.image_bgr, faces)
            finished.append(time.perf_counter())
    return [float(step) for step in np.diff(finished)]


def _timing(step: str, threads: int, seconds: list[float], path: Path) -> Timing:
    timed = np.array(seconds[WARM_UP_FRAMES:]) * 1000
    if timed.size == 0:
        raise SourceError(f"{path} has too few frames to time: expected {2 * WARM_UP_FRAMES}.")
    median_ms, p95_ms = np.percentile(timed, [50, 95])
    return Timing(step, threads, float(median_ms), float(p95_ms), 1000 / float(timed.mean()))


@contextmanager
def _opencv_threads(threads: int) -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
