import struct
import zlib

import cv2
import numpy as np
import pytest

from mien.core.errors import SourceError
from mien.media.image import read_image, to_bgr_u8


@pytest.mark.parametrize(
    ("image", "pixel"),
    [
        pytest.param(np.full((4, 5), 7, np.uint8), (7, 7, 7), id="grey"),
        pytest.param(np.full((4, 5, 1), 7, np.uint8), (7, 7, 7), id="grey with a channel axis"),
        pytest.param(np.full((4, 5), 0x8012, np.uint16), (0x80,) * 3, id="16 bits"),
        pytest.param(np.full((4, 5, 4), (1, 2, 3, 0), np.uint8), (1, 2, 3), id="transparent"),
        pytest.param(np.full((1, 1), 65535, np.uint16), (255, 255, 255), id="one pixel"),
    ],
)
def test_any_picture_becomes_bgr_of_8_bits(image, pixel):
    found = to_bgr_u8(image)
    assert found.shape == (*image.shape[:2], 3)
    assert found.dtype == np.uint8
    assert tuple(found[0, 0]) == pixel


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((0, 5, 3), np.uint8), id="no rows"),
        pytest.param(np.zeros((4, 5, 2), np.uint8), id="two channels"),
        pytest.param(np.zeros((2, 4, 5, 3), np.uint8), id="four axes"),
        pytest.param(np.zeros((4, 5, 3), np.float64), id="float"),
        pytest.param(np.zeros((4, 5), np.bool_), id="bool"),
    ],
)
def test_what_is_no_picture_is_named(image):
    with pytest.raises(SourceError, match=r"Found a picture of (shape|type)"):
        to_bgr_u8(image)


def test_what_imread_returns_for_a_wrong_path_is_explained(tmp_path):
    with pytest.raises(SourceError, match=r"did cv2\.imread find the file"):
        to_bgr_u8(cv2.imread(str(tmp_path / "absent.png")))


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


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_picture_file_is_named(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.png"):
        read_image(path)
    with pytest.raises(SourceError, match=r"absent\.png"):
        read_image(tmp_path / "absent.png")


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
    path = tmp_path / "float.tif"
    cv2.imwrite(str(path), np.zeros((16, 16, 3), np.float32))
    with pytest.raises(SourceError, match=r"float\.tif"):
        read_image(path)
    assert capfd.readouterr().err == ""
