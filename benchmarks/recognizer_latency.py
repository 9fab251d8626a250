"""How long the recogniser takes for a frame: to find the faces, cut them out and classify them.

    python benchmarks/recognizer_latency.py [--frames 100]

Takes frames of the bundled video, enlarged to the usual sizes of webcams, with one thread and with
one a core; in milliseconds, median and 95th percentile. YuNet is left out where its file is absent.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.faces.models import find_yunet
from mien.media.demo import demo_video
from mien.media.frames import open_frames
from mien.recognizer import Recognizer

SIZES = ((640, 480), (1280, 720))
STEPS = ("detect", "crop", "classify", "whole")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--frames", type=int, default=100)
    count = arguments.parse_args().frames
    detectors = ("haar", "yunet") if find_yunet() else ("haar",)
    cores = os.cpu_count() or 1
    header = "".join(f"{step + ' ms':>16}" for step in STEPS)
    print(f"{'picture':>11} {'detector':>8} {'threads':>7}{header}{'FPS':>6}  faces")
    for size in SIZES:
        pictures = read_pictures(size, count)
        for detector, threads in product(detectors, sorted({1, cores})):
            times_ms, faces = measure(pictures, detector, threads)
            cells = "".join(
                f"{np.median(times):10.1f} {np.percentile(times, 95):5.1f}" for times in times_ms.T
            )
            fps = 1000 / times_ms[:, -1].mean()
            print(
                f"{size[0]:>6} x {size[1]:<4}{detector:>7} {threads:>7}{cells}{fps:6.0f}{faces:7}"
            )


def read_pictures(size: tuple[int, int], count: int) -> list[NDArray[np.uint8]]:
    """Return `count` frames, evenly from the whole video, of `size` (width, height)."""
    with open_frames(demo_video()) as frames:
        pictures = [frame.image_bgr for frame in frames]
    chosen = np.linspace(0, len(pictures) - 1, count).astype(int)
    return [np.asarray(cv2.resize(pictures[index], size), dtype=np.uint8) for index in chosen]


def measure(
    pictures: list[NDArray[np.uint8]], detector: str, threads: int
) -> tuple[NDArray[np.float64], int]:
    """Return the milliseconds of each step, (N, 4) as in `STEPS`, and how many faces there were."""
    cv2.setNumThreads(threads)
    recognizer = Recognizer(detector=detector, threads=threads)
    for picture in pictures[:5]:
        recognizer.recognize(picture)
    rows = []
    faces_found = 0
    for picture in pictures:
        began = time.perf_counter()
        faces = recognizer.detector.detect(picture)
        detected = time.perf_counter()
        faces_u8 = recognizer.crop(picture, faces)
        cropped = time.perf_counter()
        recognizer.classifier.classify(faces_u8)
        classified = time.perf_counter()
        rows.append(
            (detected - began, cropped - detected, classified - cropped, classified - began)
        )
        faces_found += len(faces)
    return np.array(rows) * 1000, faces_found


if __name__ == "__main__":
    main()
