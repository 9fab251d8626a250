"""Pictures that are no faces, or none to judge: drawings, clouds, faces lying or out of frame.

They are made of nothing but chance and the faces given, so that whatever learns from them can be
tested on every photograph there is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE

_DRAWING_PART, _CLOUD_PART = 0.2, 0.1


def make_non_faces(
    faces_u8: NDArray[np.uint8], count: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Make pictures without a face to judge.

    Seven in ten are faces that lie, stand on their head, are half out of the picture, too near or
    too far; two are drawings of circles, lines, polygons and letters; one is a cloud of noise.

    Args:
        faces_u8: (N, 48, 48) uint8, at least one.
        count: How many to make.
        random: Source of every choice.

    Returns:
        (count, 48, 48) uint8.
    """
    pictures = []
    for index, kind in enumerate(random.random(count)):
        if kind < _CLOUD_PART:
            picture = _cloud(random)
        elif kind < _CLOUD_PART + _DRAWING_PART:
            picture = _drawing(random)
        else:
            picture = _badly_framed(faces_u8[index % len(faces_u8)], random)
        pictures.append(_varied(picture, random))
    return np.stack(pictures)


def vary_faces(faces_u8: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Move, tilt, blur and light faces as another camera and another detector might.

    Args:
        faces_u8: (N, 48, 48) uint8, at least one.
        random: Source of every choice.

    Returns:
        (N, 48, 48) uint8.
    """
    return np.stack([_varied(_slightly_moved(face, random), random) for face in faces_u8])


def _badly_framed(face: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    middle = FACE_SIZE / 2
    kind = random.choice(["turned", "shifted", "too near", "too far"])
    # What lies beside half a face may be its mirror image, or something else with edges of its own.
    border = random.choice([cv2.BORDER_REFLECT, cv2.BORDER_WRAP])
    if kind == "too far":
        border = cv2.BORDER_REPLICATE
    if kind == "turned":
        zoom, angle = random.uniform(0.8, 1.2), random.uniform(50, 310)
        affine = np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, zoom), np.float64)
    elif kind == "shifted":
        angle, shift = random.uniform(0, 2 * np.pi), random.uniform(18, 30)
        affine = np.array([[1, 0, shift * np.cos(angle)], [0, 1, shift * np.sin(angle)]])
    else:
        zoom = random.uniform(0.3, 0.5) if kind == "too far" else random.uniform(1.9, 3)
        point = random.uniform(10, 38, 2)
        # Far: the face's middle comes to this point. Near: this point comes to the middle.
        offset = point - zoom * middle if kind == "too far" else middle - zoom * point
        affine = np.array([[zoom, 0, offset[0]], [0, zoom, offset[1]]])
    return _warp(face, affine, int(border))


def _slightly_moved(face: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    middle = FACE_SIZE / 2
    angle, zoom = random.uniform(-20, 20), random.uniform(0.85, 1.2)
    affine = np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, zoom), np.float64)
    affine[:, 2] += random.uniform(-4, 4, 2)
    return _warp(face, affine, cv2.BORDER_REPLICATE)


def _warp(
    picture: NDArray[np.uint8], affine: NDArray[np.float64], border: int
) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(picture, affine, (FACE_SIZE, FACE_SIZE), borderMode=border)
    return np.asarray(warped, np.uint8)


def _varied(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Mirrored, blurred, lighter or darker, noisy: a little of each, by chance."""
    if random.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if random.random() < 0.4:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.5)), np.uint8)
    lit = 255 * (picture / 255.0) ** random.uniform(0.6, 1.5)
    noise = random.normal(0, random.uniform(0, 6), picture.shape)
    return np.clip(lit + noise, 0, 255).astype(np.uint8)


def _drawing(random: np.random.Generator) -> NDArray[np.uint8]:
    picture = np.full((FACE_SIZE, FACE_SIZE), random.integers(0, 256), np.uint8)
    for _ in range(random.integers(1, 9)):
        grey = int(random.integers(0, 256))
        points = random.integers(-8, 56, (4, 2)).tolist()
        thickness = int(random.choice([-1, 1, 2, 3]))
        kind = random.choice(["circle", "line", "rectangle", "polygon", "letters"])
        if kind == "circle":
            cv2.circle(picture, points[0], int(random.integers(2, 24)), grey, thickness)
        elif kind == "line":
            cv2.line(picture, points[0], points[1], grey, abs(thickness) + 1)
        elif kind == "rectangle":
            cv2.rectangle(picture, points[0], points[1], grey, thickness)
        elif kind == "polygon":
            cv2.fillPoly(picture, [np.array(points)], grey)
        else:
            text = "".join(random.choice(list("abcxyzQRS?!18%"), 4))
            size = float(random.uniform(0.3, 1.2))
            cv2.putText(picture, text, points[0], cv2.FONT_HERSHEY_SIMPLEX, size, grey, 2)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.3, 2)), np.uint8)


def _cloud(random: np.random.Generator) -> NDArray[np.uint8]:
    side = int(random.integers(2, FACE_SIZE + 1))
    noise = cv2.resize(random.normal(size=(side, side)), (FACE_SIZE, FACE_SIZE))
    grey = random.uniform(0, 255) + random.choice([20, 90]) * random.uniform() * noise
    return np.asarray(np.clip(grey, 0, 255), np.uint8)
