import base64
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.core.errors import SourceError
from mien.media.frames import open_frames
from mien.media.pictures import load_picture

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

RED_OVER_BLUE = np.zeros((40, 60, 3), np.uint8)
"""RGB; red above, blue below."""
RED_OVER_BLUE[:20, :, 0] = RED_OVER_BLUE[20:, :, 2] = 250


def is_red_over_blue(image_bgr):
    return (
        image_bgr.dtype == np.uint8
        and image_bgr[:18, :, 2].min() > 200 > 60 > image_bgr[:18, :, 0].max()
        and image_bgr[22:, :, 0].min() > 200 > 60 > image_bgr[22:, :, 2].max()
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_pictures_of_pillow_keep_their_colours(mode):
    found = load_picture(Image.fromarray(RED_OVER_BLUE).convert(mode))
    assert found.shape == (40, 60, 3)
    assert is_red_over_blue(found)


@pytest.mark.parametrize(("mode", "white"), [("1", 1), ("L", 255), ("LA", 255), ("I;16", 65535)])
def test_grey_pictures_of_pillow_of_any_depth_are_seen(mode, white):
    picture = Image.new(mode, (60, 40), (white, 255) if mode == "LA" else white)
    assert load_picture(picture).min() == 255


def test_a_photo_that_pillow_opened_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 3
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(RED_OVER_BLUE[::-1])).save(
        file, "JPEG", exif=exif, quality=95, subsampling=0
    )
    assert is_red_over_blue(load_picture(Image.open(file)))


@pytest.mark.parametrize("kind", [str, Path, os.fspath])
def test_a_path_is_read(tmp_path, kind):
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), RED_OVER_BLUE[..., ::-1])
    assert is_red_over_blue(load_picture(kind(path)))


@pytest.mark.parametrize("source", ["~/a picture.png", "URL"])
def test_a_picture_is_found_as_a_source_of_frames_is(tmp_path, monkeypatch, source):
    for variable in ("HOME", "USERPROFILE"):  # the latter is Windows' own
        monkeypatch.setenv(variable, str(tmp_path))
    path = tmp_path / "a picture.png"
    cv2.imwrite(str(path), RED_OVER_BLUE[..., ::-1])
    source = path.as_uri() if source == "URL" else source
    assert is_red_over_blue(load_picture(source))
    with open_frames(source) as frames:
        assert is_red_over_blue(next(iter(frames)).image_bgr)


class Tensor:
    def __array__(self, dtype=None, copy=None):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param([RED_OVER_BLUE], "Found list.*one by one", id="list"),
        pytest.param((RED_OVER_BLUE,), "Found tuple.*one by one", id="tuple"),
        pytest.param(b"jpeg", "Found bytes.*imdecode", id="bytes"),
        pytest.param(3, "Found int; expected a picture's path", id="number"),
        pytest.param(Tensor(), "Found Tensor.*numpy.asarray", id="tensor"),
        pytest.param(io.BytesIO(b""), "Found BytesIO; expected.*file.read", id="open file"),
        pytest.param(None, "Found None", id="none"),
        pytest.param(
            "https://me:secret@host/a.png", "address https://host/a.png; expected", id="address"
        ),
        pytest.param("", "Found an empty text", id="empty text"),
        pytest.param("absent.png", "absent.png cannot be read", id="absent"),
        pytest.param("a\0b.jpg", r"'a\\x00b.jpg' cannot be read: no file can", id="zero byte"),
        pytest.param("\ud800.jpg", r"'\\ud800.jpg' cannot be read: no file can", id="surrogate"),
        pytest.param(Image.new("F", (4, 4)), "of the mode 'F'", id="fractions of Pillow"),
        pytest.param(Image.new("RGB", (0, 4)), "0 by 4 pixels", id="no columns"),
    ],
)
def test_what_is_no_picture_is_refused(value, message):
    with pytest.raises(SourceError, match=message):
        load_picture(value)


@pytest.mark.parametrize("read", [load_picture, open_frames])
@pytest.mark.parametrize("begin", ["data:image/jpeg;base64,", "DATA:image/png;base64,", ""])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes])
def test_base64_is_told_with_its_cure_and_not_repeated(read, begin, encode):
    noise = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    text = begin + encode(cv2.imencode(".jpg", noise)[1].tobytes()).decode()
    with pytest.raises(SourceError, match=r"Found Base64 text of .* expected a path") as told:
        read(text)
    assert len(str(told.value)) < 400
    cure = str(told.value).partition("  ")[2]
    names = {"Image": Image, "io": io, "base64": base64, "text": text}
    assert load_picture(eval(cure, names)).shape == (48, 48, 3)


@pytest.mark.parametrize("read", [load_picture, open_frames])
def test_a_text_that_is_too_long_for_a_path_is_not_repeated(read):
    with pytest.raises(
        SourceError, match=r"Found a text of 20,000 characters.*'<svg <svg "
    ) as told:
        read("<svg " * 4000)
    assert len(str(told.value)) < 400


def test_a_photo_that_breaks_off_in_pillow_is_told():
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    with pytest.raises(SourceError, match="PIL picture cannot be decoded"):
        load_picture(Image.open(io.BytesIO(file.getvalue()[:3000])))


def test_a_photo_whose_exif_block_is_none_is_read_as_it_lies():
    file = io.BytesIO()
    Image.fromarray(RED_OVER_BLUE).save(file, "PNG", exif=b"garbage! and more")
    file.seek(0)
    assert is_red_over_blue(load_picture(Image.open(file)))


@pytest.mark.skipif(
    ".avif" not in Image.registered_extensions(), reason="this Pillow reads no AVIF"
)
def test_an_avif_file_that_is_damaged_is_told_wherever_it_is():
    file = io.BytesIO()
    Image.fromarray(RED_OVER_BLUE).save(file, "AVIF")
    content = file.getvalue()
    causes = set()
    for place in range(content.index(b"mdat")):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            picture = Image.open(io.BytesIO(damaged))
        except (OSError, RuntimeError):
            continue
        try:
            load_picture(picture)
        except SourceError as error:
            causes.add(type(error.__context__))
    assert {RuntimeError, SyntaxError} <= causes


def test_one_picture_is_a_source_of_one_frame():
    for picture in (Image.fromarray(RED_OVER_BLUE), RED_OVER_BLUE[..., ::-1].copy()):
        with open_frames(picture) as frames:
            assert frames.frame_count == 1
            (frame,) = frames
        assert is_red_over_blue(frame.image_bgr)


def test_an_empty_text_is_not_the_folder_that_one_is_in(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "picture.png"), RED_OVER_BLUE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="Found an empty text"):
        open_frames("")


@pytest.mark.parametrize("source", [{"a": 1}, b"a.mp4", 1.5, True, io.BytesIO(), object()])
def test_what_is_no_source_is_refused(source):
    name = type(source).__name__
    with pytest.raises(SourceError, match=f"Found {name} as a source.*expected a camera's index"):
        open_frames(source)


def test_an_entry_of_a_folder_is_a_path(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), RED_OVER_BLUE[..., ::-1])
    (entry,) = os.scandir(tmp_path)
    assert is_red_over_blue(load_picture(entry))
