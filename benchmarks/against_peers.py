"""Run the same frames through mien, `fer` and DeepFace, in turn, and print the ratios.

    python benchmarks/against_peers.py clip.mp4 [--frames 200] [--rounds 3]
        [--peers-python /path/to/another/environment/bin/python]

`fer` (Haar and MTCNN) and DeepFace are measured where they are installed: in this environment or
in that of `--peers-python`, as their requirements do not agree with mien's. Each runs in a process
of its own, one after another, in so many rounds; the medians count. Time is from one frame read
to the next, without the start and the first frames; memory is the most that the process had.
mien follows faces from frame to frame and searches some of the frames only; "each frame" searches
and classifies every one by itself, as the others do. Others are given a fifth of the frames.
The installed size is that of everything in its environment, which is fair only if nothing else
lives there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from inputs import existing

MIEN = """
import mien
stream = mien.stream(path, detector=detector)
for found in stream:
    done(len(found))
"""

MIEN_EACH_FRAME = """
import mien
recognizer = mien.Recognizer(detector=detector)
for image in images():
    done(len(recognizer.recognize(image)))
"""

FER = """
if detector == "mtcnn":
    import torchvision  # it crashes where TensorFlow was imported before it
from fer.fer import FER
detector = FER(mtcnn=detector == "mtcnn")
for image in images():
    done(len(detector.detect_emotions(image)))
"""

DEEPFACE = """
from deepface import DeepFace
for image in images():
    found = DeepFace.analyze(image, actions=["emotion"], enforce_detection=False, silent=True)
    done(sum(face["face_confidence"] > 0 for face in found))
"""

FRAME = """
import json, resource, sys, time
path, detector, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
WARM_UP = 5
counts, times, busy = [], [], []

def images():
    import cv2
    capture = cv2.VideoCapture(path)
    while True:
        read, image = capture.read()
        if not read:
            return
        yield image

def done(count):
    counts.append(count)
    times.append(time.perf_counter())
    busy.append(time.process_time())
    if len(times) == WARM_UP + limit:
        finish()

def finish():
    import site
    from pathlib import Path
    frames = len(times) - WARM_UP
    packages = [Path(folder) for folder in site.getsitepackages()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = sum(f.stat().st_size for p in packages for f in p.rglob("*") if f.is_file())
    print("RESULT" + json.dumps({
        "fps": frames / (times[-1] - times[WARM_UP - 1]),
        "cpu_ms": 1000 * (busy[-1] - busy[WARM_UP - 1]) / frames,
        "memory_mb": peak / (2**20 if sys.platform == "darwin" else 2**10),
        "faces": sum(counts[WARM_UP:]) / frames,
        "installed_mb": size / 1e6,
    }), flush=True)
    sys.stdout.flush()
    import os
    os._exit(0)

"""

SUBJECTS = (
    ("mien", MIEN, "auto"),
    ("mien, Haar", MIEN, "haar"),
    ("mien, each frame", MIEN_EACH_FRAME, "auto"),
    ("mien, Haar, each frame", MIEN_EACH_FRAME, "haar"),
    ("fer, Haar", FER, "haar"),
    ("fer, MTCNN", FER, "mtcnn"),
    ("DeepFace", DEEPFACE, "opencv"),
)
COMPARISONS = (
    ("mien", "fer, Haar"),
    ("mien, Haar", "fer, Haar"),
    ("mien, each frame", "fer, Haar"),
    ("mien, Haar, each frame", "fer, Haar"),
    ("mien", "fer, MTCNN"),
    ("mien", "DeepFace"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=existing)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers-python", type=existing, default=sys.executable)
    options = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        for name, program, detector in SUBJECTS:
            python = Path(sys.executable) if name.startswith("mien") else options.peers_python
            # The slow ones need not run for minutes to show that they are.
            frames = options.frames if name.startswith("mien") else max(options.frames // 5, 20)
            result = run(python, program, options.video, detector, frames)
            if result is not None:
                results.setdefault(name, []).append(result)
    medians = {
        name: {key: median(run[key] for run in runs) for key in runs[0]}
        for name, runs in results.items()
    }
    print(f"{options.video.name}, {options.rounds} rounds")
    print(f"{'':22}     FPS   CPU ms a frame   peak MB   faces a frame   installed MB")
    for name, row in medians.items():
        print(
            f"{name:22} {row['fps']:7.1f} {row['cpu_ms']:16.1f} {row['memory_mb']:9.0f} "
            f"{row['faces']:15.2f} {row['installed_mb']:14.0f}"
        )
    for name, peer in COMPARISONS:
        if name in medians and peer in medians:
            own, other = medians[name], medians[peer]
            print(
                f"{name} against {peer}: {own['fps'] / other['fps']:.1f} times as fast, "
                f"{other['cpu_ms'] / own['cpu_ms']:.1f} times less CPU, "
                f"{own['memory_mb'] / other['memory_mb']:.0%} of its memory, "
                f"{own['installed_mb'] / other['installed_mb']:.0%} of its size"
            )


def run(
    python: Path, program: str, video: Path, detector: str, frames: int
) -> dict[str, float] | None:
    """Run one subject in a process of its own; None, after its last words, if it does not run."""
    code = f"{FRAME}{program}finish()\n"
    arguments = [str(python), "-c", code, str(video), detector, str(frames)]
    process = subprocess.run(arguments, capture_output=True, text=True, check=False)
    for line in process.stdout.splitlines():
        if line.startswith("RESULT"):
            result: dict[str, float] = json.loads(line.removeprefix("RESULT"))
            return result
    print((process.stderr.strip() or "it printed nothing").splitlines()[-1], file=sys.stderr)
    return None


if __name__ == "__main__":
    main()
