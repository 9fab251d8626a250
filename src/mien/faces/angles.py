"""How a head is turned, from five landmarks of its face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# (5, 3) in centimetres, x to the right and y down in the picture, z away from the camera: the
# middle of each eye's corners, the tip of the nose and the mouth's corners (vertices 33 and 133,
# 362 and 263, 1, 61, 291) of MediaPipe's canonical face model, `canonical_face_model.obj`.
_MEAN_FACE = np.array(
    [
        (-3.151, -2.625, -3.466),
        (3.151, -2.625, -3.466),
        (0.0, 1.127, -7.476),
        (-2.456, 4.343, -4.284),
        (2.456, 4.343, -4.284),
    ]
)
_FIT = np.linalg.pinv(_MEAN_FACE - _MEAN_FACE.mean(axis=0)).T  # (5, 3)


@dataclass(frozen=True, slots=True)
class HeadAngles:
    """How a head is turned; all are 0 where it looks straight into the camera.

    Attributes:
        yaw_degrees: To the side, -180 to 180; above 0 it looks to the right of the picture.
        pitch_degrees: Up or down, -90 to 90; above 0 it looks up.
        roll_degrees: Within the picture, -180 to 180; above 0 it is turned clockwise.
    """

    yaw_degrees: float
    pitch_degrees: float
    roll_degrees: float


def head_angles(landmarks: NDArray[np.float32]) -> HeadAngles | None:
    """Measure how a head is turned, by fitting a mean face to five landmarks.

    The fit is the closed form of DeMenthon and Davis (1995), "Model-based object pose in 25 lines
    of code", without its iteration: a camera far away. Of the two rows that it finds, the nearest
    two of a rotation are taken (their polar factor). The turns are, in their order, yaw about the
    head's own axis, pitch and roll. Nobody has the mean face: expect errors of several degrees,
    most of all in the pitch, which a long nose or an open mouth changes.

    Args:
        landmarks: (5, 2), x and y in pixels, in the order of `mien.core.types.Face.landmarks`.

    Returns:
        The angles; None where the landmarks do not tell: both corners of the mouth are one point,
        as BlazeFace has them, or all points lie on one line.
    """
    points = landmarks.astype(np.float64)
    if np.array_equal(points[3], points[4]):
        return None
    rows = (points - points.mean(axis=0)).T @ _FIT
    # The polar factor is (rows rowsᵀ)^(-1/2) rows; the root of a 2 × 2 matrix has a closed form.
    (a, b), (_, c) = (rows @ rows.T).tolist()
    area = math.sqrt(max(a * c - b * b, 0.0))
    if area <= 1e-6 * (a + c):
        return None
    root = np.array([[c + area, -b], [-b, a + area]]) / (area * math.sqrt(a + c + 2 * area))
    (right_x, down_x, away_x), (right_y, down_y, away_y) = (root @ rows).tolist()
    # The third row of the rotation is the cross product of the two.
    right_z = down_x * away_y - away_x * down_y
    down_z = away_x * right_y - right_x * away_y
    away_z = right_x * down_y - down_x * right_y
    return HeadAngles(
        yaw_degrees=math.degrees(math.atan2(right_z, away_z)),
        pitch_degrees=-math.degrees(math.asin(min(max(down_z, -1.0), 1.0))),
        roll_degrees=math.degrees(math.atan2(-down_x, down_y)),
    )
