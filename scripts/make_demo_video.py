"""Make the bundled demo video from scikit-image's photograph of the astronaut Eileen Collins.

    python scripts/make_demo_video.py        (needs the extra `dev`)

The photograph (NASA, public domain) is cut out along its outline and moved before a drawn room:
20 s in which the person sways, walks out of the picture and comes back, steps up to the camera,
tilts, stands in the dark and steps back. It writes `src/mien/assets/demo.mp4`, the same bytes
each time on the same machine: H.264, which browsers play.
"""

from __future__ import annotations

import math
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

DESTINATION = Path(__file__).parents[1] / "src" / "mien" / "assets" / "demo.mp4"
WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 20, 20

# The person's outline in the photograph, in its pixels (512 × 512), clockwise from the lower left.
OUTLINE = np.array(
    [
        *((20, 511), (22, 450), (30, 390), (42, 310), (62, 270), (100, 242), (120, 218)),
        *((114, 195), (122, 170), (142, 155), (165, 151), (186, 152), (184, 134), (168, 118)),
        *((157, 100), (154, 80), (160, 60), (173, 43), (190, 30), (210, 20), (232, 17)),
        *((257, 24), (279, 40), (294, 63), (299, 85), (295, 108), (284, 121), (273, 128)),
        *((262, 150), (256, 174), (284, 194), (300, 215), (304, 240), (330, 262), (350, 285)),
        *((360, 325), (362, 352), (400, 344), (440, 354), (475, 385), (492, 430), (497, 511)),
    ],
    dtype=np.int32,
)
# What the person turns about: the middle of the body, at the photograph's lower edge.
PIVOT_X, PIVOT_Y = 250, 511

# Where the person is at a time: seconds; the pivot's x in picture widths and y in picture heights
# (below 1 would show the photograph's lower edge); scale; tilt in degrees; brightness (1 is full).
KEYS = np.array(
    [
        (0.0, 0.50, 1.08, 0.75, 0, 1.00),
        (2.0, 0.46, 1.08, 0.75, 4, 1.00),
        (4.0, 0.33, 1.08, 0.75, -3, 1.00),
        (6.5, 0.62, 1.10, 0.80, 3, 1.00),
        (8.0, 1.30, 1.10, 0.80, 6, 1.00),
        (8.8, 1.30, 1.10, 0.80, -4, 1.00),
        (10.3, 0.60, 1.10, 0.80, -3, 1.00),
        (12.5, 0.50, 1.62, 1.25, 0, 1.00),
        (13.5, 0.50, 1.62, 1.25, 2, 1.00),
        (15.0, 0.50, 1.30, 0.95, 18, 1.00),
        (16.0, 0.50, 1.30, 0.95, -16, 1.00),
        (17.0, 0.48, 1.20, 0.85, 0, 0.30),
        (18.0, 0.46, 1.20, 0.85, 2, 0.30),
        (19.0, 0.50, 1.06, 0.60, 0, 1.00),
        (20.0, 0.50, 1.06, 0.60, 0, 1.00),
    ]
)


def draw_room() -> NDArray[np.float32]:
    """Return the background, (HEIGHT, WIDTH, 3) float32 in 0 to 255: a room out of focus."""
    rows = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, np.newaxis, np.newaxis]
    wall = np.array((196, 208, 214), np.float32) * (1 - 0.25 * rows)
    room = np.ascontiguousarray(np.broadcast_to(wall, (HEIGHT, WIDTH, 3)))
    cv2.rectangle(room, (40, 30), (190, 210), (225, 232, 236), cv2.FILLED)
    cv2.rectangle(room, (50, 40), (180, 200), (250, 238, 214), cv2.FILLED)
    cv2.rectangle(room, (50, 150), (180, 200), (150, 190, 160), cv2.FILLED)
    cv2.line(room, (115, 40), (115, 200), (225, 232, 236), 7)
    for shelf in (90, 165):
        cv2.rectangle(room, (430, shelf), (620, shelf + 9), (96, 128, 158), cv2.FILLED)
        for book in range(11):
            left = 436 + 16 * book
            top = shelf - 34 - 7 * (book * 5 % 4)
            colour = (70 + book * 37 % 110, 80 + book * 53 % 100, 90 + book * 71 % 120)
            cv2.rectangle(room, (left, top), (left + 13, shelf), colour, cv2.FILLED)
    cv2.rectangle(room, (0, 290), (WIDTH, HEIGHT), (120, 142, 160), cv2.FILLED)
    cv2.rectangle(room, (0, 284), (WIDTH, 291), (220, 224, 226), cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(room, (0, 0), 3.5), dtype=np.float32)


def cut_out_person() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the person, (512, 512, 3) BGR in 0 to 255, and the opacity, (512, 512, 1) in 0 to 1.

    Both are float32.
    """
    # The photograph is sharper than the picture is large: fine grain would only swell the file.
    photograph = astronaut()[..., ::-1]
    person = cv2.GaussianBlur(photograph, (0, 0), 0.8).astype(np.float32)
    mask = np.zeros(person.shape[:2], dtype=np.float32)
    cv2.fillPoly(mask, [OUTLINE], 1.0, cv2.LINE_AA)
    return person, cv2.GaussianBlur(mask, (0, 0), 1.5)[..., np.newaxis].astype(np.float32)


def place(seconds: float) -> tuple[NDArray[np.float64], float]:
    """Return the 2 × 3 map from the photograph to the picture at a time, and the brightness."""
    # A half cosine between two keys starts and stops without a jerk.
    following = min(int(np.searchsorted(KEYS[:, 0], seconds, side="right")), len(KEYS) - 1)
    before, after = KEYS[following - 1], KEYS[following]
    progress = (seconds - before[0]) / (after[0] - before[0])
    blend = (1 - math.cos(math.pi * progress)) / 2
    _, x, y, scale, tilt, brightness = before + blend * (after - before)
    sway = 0.004 * math.sin(2 * math.pi * seconds / 1.7)
    matrix = cv2.getRotationMatrix2D((PIVOT_X, PIVOT_Y), tilt, scale)
    matrix[:, 2] += ((x + sway) * WIDTH - PIVOT_X, y * HEIGHT - PIVOT_Y)
    return np.asarray(matrix, dtype=np.float64), float(brightness)


def main() -> None:
    """Write the video and say where it is."""
    room = draw_room()
    person, opacity = cut_out_person()
    # The index first, so that a browser shows the first frame before it has the last; one thread,
    # as what several encode depends on how many there are.
    with av.open(str(DESTINATION), "w", options={"movflags": "+faststart"}) as video:
        options = {"crf": "23", "preset": "slow", "threads": "1"}
        stream = video.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FPS * SECONDS):
            matrix, brightness = place(index / FPS)
            # Premultiplied, so that the outline takes no colour from what was cut away.
            moved = cv2.warpAffine(
                np.dstack([person * opacity, opacity]),
                matrix,
                (WIDTH, HEIGHT),
                flags=cv2.INTER_AREA,
            )
            picture = room * (1 - moved[..., 3:]) + moved[..., :3]
            image_bgr = (picture * brightness).clip(0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image_bgr, format="bgr24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    print(f"Wrote {DESTINATION} ({DESTINATION.stat().st_size / 1e6:.2f} MB).")


if __name__ == "__main__":
    main()
