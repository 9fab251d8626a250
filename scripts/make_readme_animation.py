"""Make the moving picture of the README: three drawn people whose expressions change.

    MIEN_YUNET=/path/to/face_detection_yunet_2023mar.onnx python scripts/make_readme_animation.py

The people of `make_sample_pictures.py` are drawn frame by frame into a video, which goes through
the engine as in `mien video`. What the overlay then shows is written as animated WebP,
`docs/live.webp`, small enough for a page that loads on a phone. It ends as it begins, so that
nothing jumps.
"""

from __future__ import annotations

import math
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from make_sample_pictures import PEOPLE, Drawing, Expression
from numpy.typing import NDArray

import mien
from mien.media.draw import draw_faces

DESTINATION = Path(__file__).parents[1] / "docs" / "live.webp"
WIDTH, HEIGHT, FPS = 936, 320, 10
SIDE = 288  # of a drawn person, in pixels
SHOWN = (702, 240)
QUALITY = 60
LARGEST_BYTES = 1_500_000

# Everybody has two expressions in turn, with a calm face between them.
PERIOD_S, CALM_S, CHANGE_S = 9.0, 1.0, 0.5
HAPPY, SURPRISED, CALM, SAD, _, AFRAID = (expression for expression, _ in PEOPLE)
LIGHT, BROWN, FAIR = (PEOPLE[number][1] for number in (0, 1, 5))
# The two expressions, the colours, and by how much of the period they are ahead.
CAST = ((HAPPY, AFRAID, LIGHT, 0.2), (SURPRISED, SAD, BROWN, 0.37), (AFRAID, HAPPY, FAIR, 0.53))


def expression_at(seconds: float, first: Expression, second: Expression) -> Expression:
    """Return how a face looks that goes from calm to one expression, back, and to the other."""
    half = PERIOD_S / 2
    target = first if seconds % PERIOD_S < half else second
    into = seconds % half
    progress = min(max(min(into - CALM_S, half - into) / CHANGE_S, 0.0), 1.0)
    # A half cosine starts and stops without a jerk.
    share = (1 - math.cos(math.pi * progress)) / 2
    reached = asdict(target)
    blend = {name: calm + share * (reached[name] - calm) for name, calm in asdict(CALM).items()}
    return Expression(**blend | {"teeth": target.teeth and share > 0})


def draw_frame(seconds: float) -> NDArray[np.uint8]:
    """Return the scene at a time, (HEIGHT, WIDTH, 3) uint8 BGR."""
    rows = np.linspace(1.0, 0.86, HEIGHT)[:, np.newaxis, np.newaxis]
    scene = (np.array((205, 212, 216)) * rows * np.ones((1, WIDTH, 1))).astype(np.uint8)
    for place, (first, second, colours, ahead) in enumerate(CAST):
        sway = 9 * math.sin(2 * math.pi * (seconds / PERIOD_S + ahead))
        left = round((place + 0.5) * WIDTH / len(CAST) - SIDE / 2 + sway)
        part = scene[HEIGHT - SIDE :, left : left + SIDE]
        part[:] = Drawing(part, colours).person(
            expression_at(seconds + ahead * PERIOD_S, first, second)
        )
    return scene


def write_video(path: Path) -> None:
    """Write two periods as a video: the engine does not know the faces of the first."""
    drawn = [draw_frame(number / FPS) for number in range(round(PERIOD_S * FPS))]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))
    video.set(cv2.VIDEOWRITER_PROP_QUALITY, 100)
    for frame in (*drawn, *drawn):
        video.write(frame)
    video.release()


def main() -> None:
    """Write the picture and say where it is."""
    frames = []
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "people.avi"
        write_video(video)
        for faces in mien.stream(video):
            draw_faces(faces.image_bgr, faces)
            frames.append(cv2.resize(faces.image_bgr, SHOWN, interpolation=cv2.INTER_AREA))
    animation = cv2.Animation()
    animation.frames = frames[len(frames) // 2 :]
    animation.durations = [1000 // FPS] * len(animation.frames)  # milliseconds
    cv2.imwriteanimation(str(DESTINATION), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    size = DESTINATION.stat().st_size
    if size > LARGEST_BYTES:
        sys.exit(f"{DESTINATION} has {size:,} bytes, more than {LARGEST_BYTES:,}: lower QUALITY.")
    print(f"Wrote {DESTINATION} ({size / 1e6:.2f} MB, {len(animation.frames)} frames).")


if __name__ == "__main__":
    main()
