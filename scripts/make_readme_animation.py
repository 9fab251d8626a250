"""Make the moving picture of the README from the bundled demo video.

    MIEN_YUNET=/path/to/face_detection_yunet_2023mar.onnx python scripts/make_readme_animation.py

The video goes through the engine as in `mien video`; what the overlay then shows is written as
animated WebP, `docs/live.webp`, small enough for a page that loads on a phone. The one face in it
is that of the astronaut Eileen Collins (NASA, public domain).
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

import mien
from mien.media.demo import demo_video
from mien.media.draw import draw_faces

DESTINATION = Path(__file__).parents[1] / "docs" / "live.webp"
SIZE = (512, 288)
EVERY = 2  # frames of the video, which has 20 a second
QUALITY = 45
LARGEST_BYTES = 1_500_000


def main() -> None:
    """Write the picture and say where it is."""
    animation = cv2.Animation()
    frames = []
    for number, faces in enumerate(mien.stream(demo_video())):
        if number % EVERY == 0:
            draw_faces(faces.image_bgr, faces)
            frames.append(cv2.resize(faces.image_bgr, SIZE, interpolation=cv2.INTER_AREA))
    animation.frames = frames
    animation.durations = [50 * EVERY] * len(frames)  # milliseconds
    cv2.imwriteanimation(str(DESTINATION), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    size = DESTINATION.stat().st_size
    if size > LARGEST_BYTES:
        sys.exit(f"{DESTINATION} has {size:,} bytes, more than {LARGEST_BYTES:,}: lower QUALITY.")
    print(f"Wrote {DESTINATION} ({size / 1e6:.2f} MB, {len(frames)} frames).")


if __name__ == "__main__":
    main()
