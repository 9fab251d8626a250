import itertools
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest

from mien.core.errors import SourceError
from mien.media.picture_files import PICTURE_SUFFIXES, is_picture, natural_order, read_image


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_picture_files_of_any_depth_and_channels_are_read(tmp_path, dtype, channels):
    path = tmp_path / "grüße.png"
    bright = np.full((6, 8, channels), np.iinfo(dtype).max, dtype)
    path.write_bytes(cv2.imencode(".png", bright)[1].tobytes())
    assert np.array_equal(read_image(path), np.full((6, 8, 3), 255, np.uint8))


def test_exif_orientation_turns_a_photo(tmp_path):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 24:] = 255
    jpeg = cv2.imencode(".jpg", wide)[1].tobytes()
    # Orientation 6: the camera was held so that the picture must be turned by 90° clockwise.
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0" + b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    turned = read_image(path)
    assert turned.shape == (48, 16, 3)
    assert turned[4].max() < 40
    assert turned[-4].min() > 215


@pytest.mark.parametrize(
    "names",
    [
        ["frame0.png", "frame1.png", "frame2.png", "frame9.png", "frame10.png", "frame11.png"],
        ["0.png", "7.png", "a.png"],
        ["a01.png", "a1.png", "a02.png", "a2.png"],
        ["a01b2.png", "a1b3.png", "a01b10.png"],
        ["2024-9-30.jpg", "2024-10-1.jpg", "2025-1-1.jpg"],
        ["day1/10.png", "day2/9.png", "day10/1.png"],
        ["²1.png", "٣.png"],
    ],
)
def test_names_with_numbers_are_in_the_order_of_these(names):
    for order in itertools.permutations(names):
        assert sorted(order, key=natural_order) == sorted(names, key=natural_order)
    assert sorted(names, key=natural_order) == names


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_picture_file_is_named(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.png"):
        read_image(path)
    with pytest.raises(SourceError, match=r"absent\.png"):
        read_image(tmp_path / "absent.png")


def test_a_video_is_not_called_a_broken_picture(tmp_path, write_video):
    path = write_video(tmp_path / "clip.mp4", [np.zeros((60, 60, 3), np.uint8)])
    with pytest.raises(SourceError, match=r"clip\.mp4 is a video by its name.*`mien video`"):
        read_image(path)


@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]], ids=["", "scans"])
@pytest.mark.parametrize("missing", [2, 500, 20_000])
def test_a_jpeg_that_is_cut_off_is_called_so(tmp_path, astronaut_bgr, options, missing):
    content = cv2.imencode(".jpg", astronaut_bgr, options)[1].tobytes()
    path = tmp_path / "photo.jpg"
    path.write_bytes(content[:-missing])
    with pytest.raises(SourceError, match=r"photo\.jpg is a JPEG that is cut off or damaged"):
        read_image(path)


def test_a_picture_whose_header_tells_an_impossible_size_is_named(tmp_path):
    content = bytearray(cv2.imencode(".png", np.zeros((4, 5, 3), np.uint8))[1].tobytes())
    header = content.index(b"IHDR")
    struct.pack_into(">II", content, header + 4, 60_000, 60_000)
    # Kind and 13 bytes of content are what the checksum is of.
    struct.pack_into(">I", content, header + 17, zlib.crc32(content[header : header + 17]))
    path = tmp_path / "huge.png"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"huge\.png cannot be decoded"):
        read_image(path)


def test_only_the_error_speaks_of_a_tiff_that_opencv_refuses(tmp_path, capfd):
    path = tmp_path / "cut.tif"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(".tif", noise)[1].tobytes()[:200])
    with pytest.raises(SourceError, match=r"cut\.tif"):
        read_image(path)
    assert capfd.readouterr().err == ""


HALVES = np.repeat(np.array([[30], [220]], np.uint8), 64, axis=1).repeat(24, axis=0)
"""A picture whose upper half is dark and whose lower half is bright, (48, 64) uint8."""


def shows_halves(image_bgr):
    upper, lower = image_bgr[:20].mean(), image_bgr[-20:].mean()
    return upper == pytest.approx(30, abs=4) and lower == pytest.approx(220, abs=4)


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES - {".heic", ".heif", ".hif"}))
def test_every_suffix_of_a_picture_is_read(tmp_path, suffix):
    same = {**dict.fromkeys((".jfif", ".pjp", ".pjpeg", ".mpo"), ".jpg")}
    image = cv2.merge([HALVES] * 3)
    if suffix in (".hdr", ".pfm"):
        image = image.astype(np.float32) / 255
    if suffix == ".pgm":
        image = HALVES
    if suffix == ".pbm":
        image = np.where(HALVES > 100, 255, 0).astype(np.uint8)
    path = tmp_path / f"picture{suffix.upper()}"
    path.write_bytes(cv2.imencode(same.get(suffix, suffix), image)[1].tobytes())
    assert is_picture(path)
    found = read_image(path)
    assert found.shape == (48, 64, 3)
    assert (found[0].max() == 0 and found[-1].min() == 255) or shows_halves(found)


def test_a_file_of_16_bits_that_holds_12_is_seen(tmp_path):
    path = tmp_path / "camera.png"
    cv2.imwrite(str(path), HALVES.astype(np.uint16) * 16)
    assert shows_halves(read_image(path))


def tiff(bgra):
    """Write a TIFF whose fourth sample is alpha that the colours are not multiplied with."""
    height, width = bgra.shape[:2]
    pixels = cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA).tobytes()
    entries = [
        *((256, 3, 1, width), (257, 3, 1, height), (258, 3, 4, 134), (259, 3, 1, 1)),
        *((262, 3, 1, 2), (273, 4, 1, 142), (277, 3, 1, 4), (278, 3, 1, height)),
        *((279, 4, 1, len(pixels)), (338, 3, 1, 2)),
    ]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    start = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return start + directory + bytes(4) + struct.pack("<4H", 8, 8, 8, 8) + pixels


def test_transparent_parts_look_the_same_in_tiff_and_png(tmp_path):
    picture = cv2.merge([HALVES, HALVES, HALVES, np.full_like(HALVES, 255)])
    picture[:, :20, 3] = 0
    picture[:, 20:40, 3] = 128
    (tmp_path / "cut.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    (tmp_path / "cut.tif").write_bytes(tiff(picture))
    for name in ("cut.png", "cut.tif"):
        assert np.array_equal(read_image(tmp_path / name), picture[..., :3]), name


def test_fractions_are_seen_and_other_numbers_refused(tmp_path):
    path = tmp_path / "float.tif"
    cv2.imwrite(str(path), HALVES.astype(np.float32) / 255)
    assert shows_halves(read_image(path))
    cv2.imwrite(str(path), HALVES.astype(np.float32))
    with pytest.raises(SourceError, match=r"numbers up to 220; expected 0 \(black\) to 1"):
        read_image(path)
    cv2.imwrite(str(path), HALVES.astype(np.int16))
    with pytest.raises(SourceError, match=r"values of type int16; expected 8 or 16 bits"):
        read_image(path)


def write_heic(path, image, orientation=1):
    """Write a HEIC picture, as a phone that was held so does."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs mien[heic]")
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = pillow_heif.from_pillow(Image.fromarray(image))
    picture.save(path, quality=95, exif=exif.tobytes())


@pytest.mark.parametrize("name", ["photo.heic", "photo.HEIF", "renamed.jpg"])
def test_heic_is_read(tmp_path, name):
    path = tmp_path / name
    write_heic(path, cv2.merge([HALVES] * 3))
    assert shows_halves(read_image(path))


def test_heic_is_turned_as_its_metadata_says(tmp_path):
    write_heic(tmp_path / "photo.heic", cv2.merge([HALVES[::-1]] * 3), orientation=3)
    assert shows_halves(read_image(tmp_path / "photo.heic"))


def test_colours_of_heic_keep_their_order(tmp_path):
    write_heic(tmp_path / "red.heic", np.full((48, 64, 3), (200, 0, 0), np.uint8))
    blue, _, red = read_image(tmp_path / "red.heic").mean((0, 1))
    assert red > 180 > 20 > blue


def test_without_the_extra_heic_is_told_by_its_name(tmp_path, monkeypatch):
    write_heic(tmp_path / "photo.heic", cv2.merge([HALVES] * 3))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(SourceError, match=r"photo\.heic is a HEIC picture.*'mien\[heic\]'"):
        read_image(tmp_path / "photo.heic")


def test_damaged_heic_is_told(tmp_path):
    path = tmp_path / "photo.heic"
    write_heic(path, cv2.merge([HALVES] * 3))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"HEIC picture .*photo\.heic cannot be decoded"):
        read_image(path)
