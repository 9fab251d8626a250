"""AVIF pictures are turned as their boxes say; Pillow writes them, and says what is right."""

import io
import struct

import cv2
import numpy as np
import pytest

from mien.data.picture_folder import read_face
from mien.media.heif import upright
from mien.media.picture_files import decode_by_opencv, read_image

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")
from PIL import ImageOps

Image.init()
pytestmark = pytest.mark.skipif("AVIF" not in Image.SAVE, reason="needs a Pillow with AVIF")

QUARTERS = np.kron(np.array([[20, 90], [160, 240]], np.uint8), np.ones((20, 32), np.uint8))
"""A picture of 40 by 64 pixels whose quarters differ, so that each of the eight ways does."""


def avif(orientation, *, stray_exif=0):
    """Write a picture that is to be turned; what its EXIF says, `stray_exif`, does not count."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    if stray_exif:
        exif[0x0113] = stray_exif
    file = io.BytesIO()
    Image.fromarray(QUARTERS).convert("RGB").save(file, "AVIF", quality=95, exif=exif)
    # Pillow moves the orientation from the EXIF to the boxes.
    return file.getvalue().replace(b"\x01\x13\0\x03", b"\x01\x12\0\x03")


def as_pillow_shows_it(content):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))[..., ::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_as_its_boxes_say(tmp_path, orientation):
    path = tmp_path / "photo.avif"
    path.write_bytes(avif(orientation))
    expected = as_pillow_shows_it(path.read_bytes())
    assert expected.shape == ((64, 40, 3) if orientation > 4 else (40, 64, 3))
    np.testing.assert_allclose(read_image(path), expected, atol=3)


def test_a_face_to_learn_from_is_upright(tmp_path):
    (tmp_path / "face.avif").write_bytes(avif(6))
    (tmp_path / "same.png").write_bytes(
        cv2.imencode(".png", np.rot90(QUARTERS, -1).astype(np.uint8))[1].tobytes()
    )
    upright_face, same = (read_face(tmp_path / name) for name in ("face.avif", "same.png"))
    np.testing.assert_allclose(upright_face.astype(int), same, atol=3)


@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_in_avif_neither_turns_it_nor_turns_it_twice(orientation):
    content = avif(orientation, stray_exif=6)
    assert b"\x01\x12\0\x03\0\0\0\x01\0\x06" in content
    expected = as_pillow_shows_it(avif(orientation))
    np.testing.assert_allclose(decode_by_opencv(content), expected, atol=3)


def test_turning_and_mirroring_are_done_in_the_order_of_the_file():
    content = avif(5)
    assert content.count(b"\x04\x85\x86") == 1  # the numbers of three properties of the picture
    swapped = content.replace(b"\x04\x85\x86", b"\x04\x86\x85")
    mirrored_first = np.rot90(np.flipud(QUARTERS))
    assert np.array_equal(upright(QUARTERS, swapped), mirrored_first)
    assert np.array_equal(upright(QUARTERS, content), np.flipud(np.rot90(QUARTERS)))


def box(kind, *parts):
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.mark.parametrize("wide", [False, True], ids=["short numbers", "long numbers"])
def test_only_the_main_picture_counts_however_long_its_numbers_are(wide):
    version = b"\1\0\0\1" if wide else b"\0\0\0\0"
    item, number = ("I", "H") if wide else ("H", "B")
    essential = 0x8000 if wide else 0x80
    thumbnail = struct.pack(f">{item}B{number}", 1, 1, 2)
    main = struct.pack(f">{item}B3{number}", 7, 3, 0, 99, essential | 1)
    content = box(b"ftyp", b"avif\0\0\0\0") + box(
        b"meta",
        bytes(4),
        box(b"pitm", version, struct.pack(f">{item}", 7)),
        box(
            b"iprp",
            box(b"ipco", box(b"irot", b"\3"), box(b"imir", b"\0"), box(b"irot")),
            box(b"ipma", version, struct.pack(">I", 2), thumbnail, main),
        ),
    )
    assert np.array_equal(upright(QUARTERS, content), np.rot90(QUARTERS, 3))


def test_a_picture_with_damaged_boxes_is_not_turned_and_nothing_breaks():
    content = avif(7)
    end = content.index(b"mdat") - 4  # of the boxes; a length goes before the name
    for length in range(end):
        assert np.array_equal(upright(QUARTERS, content[:length]), QUARTERS)
    random = np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(content)
        for at in random.integers(0, end, 3):
            damaged[at] = random.integers(0, 256)
        assert upright(QUARTERS, bytes(damaged)).size == QUARTERS.size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_other_formats_are_turned_as_their_exif_says(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(QUARTERS).convert("RGB").save(file, kind, quality=95, exif=exif)
    expected = as_pillow_shows_it(file.getvalue())
    np.testing.assert_allclose(decode_by_opencv(file.getvalue()), expected, atol=6)
