import cv2
import numpy as np
import pytest

from mien.data import test_faces
from mien.data.test_faces import find_test_faces, fingerprint


def drawn_faces(count, seed):
    """Draw blurred noise, which has frequencies as photographs have."""
    random = np.random.default_rng(seed)
    noise = random.normal(128, 90, (count, 48, 48)).astype(np.float32)
    blurred = np.stack([cv2.GaussianBlur(face, (0, 0), 2.5) for face in noise])
    return (128 + 6 * (blurred - 128)).clip(0, 255).astype(np.uint8)


def through_jpeg(face_u8, quality):
    coded = cv2.imencode(".jpg", face_u8, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


@pytest.fixture
def known_faces(monkeypatch):
    """Let drawn faces stand for FER2013's test faces."""
    faces = drawn_faces(40, seed=1)
    signs = test_faces._signs(fingerprint(faces))
    monkeypatch.setattr(test_faces, "_known_signs", lambda _table: signs)
    return faces


def test_faces_are_found_in_any_order_and_after_jpeg(known_faces):
    order = np.random.default_rng(0).permutation(len(known_faces))[:25]
    assert find_test_faces(known_faces[order]).tolist() == order.tolist()
    for quality in (95, 75):
        coded = np.stack([through_jpeg(face, quality) for face in known_faces[order]])
        assert find_test_faces(coded).tolist() == order.tolist()


@pytest.mark.usefixtures("known_faces")
def test_other_faces_are_not_taken_for_them():
    assert (find_test_faces(drawn_faces(2500, seed=2)) == -1).all()


def test_the_shipped_fingerprints_are_of_faces_not_of_flat_or_drawn_pictures():
    flat = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 48, 48))
    assert (find_test_faces(flat) == -1).all()
    assert (find_test_faces(drawn_faces(500, seed=3)) == -1).all()
    assert len(test_faces._known_signs(test_faces._TEST_TABLE)) == 7178


def test_no_faces_are_none(known_faces):
    assert find_test_faces(known_faces[:0]).shape == (0,)
