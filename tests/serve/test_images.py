import struct
import zipfile
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest

from mien.recognizer import Recognizer


def post(client, content, name="photo", media_type="application/octet-stream"):
    return client.post("/v1/images", files={"files": (name, content, media_type)})


def test_answers_what_the_recogniser_says(client, astronaut_png, astronaut_bgr, encode):
    empty = encode(np.full((90, 120, 3), 200, np.uint8), ".jpg")
    files = [("files", ("a.png", astronaut_png, "image/png")), ("files", ("b.jpg", empty))]
    answer = client.post("/v1/images", files=files)
    assert answer.status_code == 200
    first, second = answer.json()["images"]
    assert (first["name"], first["width"], first["height"]) == ("a.png", 512, 512)
    assert (second["width"], second["height"], second["faces"]) == (120, 90, [])
    recognizer = Recognizer(detector="haar", threads=1)
    expected = recognizer.recognize(astronaut_bgr)
    assert len(first["faces"]) == len(expected) >= 1
    for face, want in zip(first["faces"], expected, strict=True):
        assert face["emotion"] == want.emotion
        assert face["x"] == pytest.approx(want.box.x, abs=0.01)
        assert face["confidence"] == pytest.approx(want.confidence, abs=1e-5)
        assert face["uncertain"] == want.uncertain


def test_turns_a_photo_as_its_exif_orientation_says(client, astronaut_bgr, encode):
    sideways = encode(cv2.rotate(astronaut_bgr, cv2.ROTATE_90_COUNTERCLOCKWISE), ".jpg")
    turned = sideways[:2] + EXIF_ROTATE_90 + sideways[2:]
    assert len(post(client, turned).json()["images"][0]["faces"]) >= 1


EXIF_ROTATE_90 = (
    b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
)


def png_of(width, height):
    """A small file that decodes to `width` by `height` black pixels."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    packer = zlib.compressobj(9)
    row = b"\0" * (width // 8 + 1 + (width % 8 > 0))
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def zip_file():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evil.html", "<script>alert(1)</script>")
    return buffer.getvalue()


def scans_without_end(jpeg):
    """A progressive JPEG whose last scan is repeated 5,000 times."""
    start = jpeg.rindex(b"\xff\xda")
    return jpeg[:start] + jpeg[start:-2] * 5000 + jpeg[-2:]


@pytest.fixture(scope="module")
def hostile(astronaut_bgr, encode):
    small = astronaut_bgr[:128, :128]
    jpeg, png = encode(small, ".jpg"), encode(small)
    progressive = encode(small[:32, :32], ".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + b"\0" * 6 + b"\x3b"
    return {
        "bomb.png": (png_of(40_000, 40_000), "too-many-pixels"),
        "bomb.gif": (gif, "wrong-type"),
        "100,000 × 1.png": (png_of(100_000, 1), "too-many-pixels"),
        "1 × 100,000.png": (png_of(1, 100_000), "too-many-pixels"),
        "0 pixels.png": (png_of(0, 0), "unreadable"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "unreadable"),
        "truncated.png": (png[: len(png) // 2], "unreadable"),
        "4 GB declared.png": (png[:33] + b"\xff\xff\xff\xffIDAT" + png[41:], "unreadable"),
        "4 GB declared.webp": (b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(100), "unreadable"),
        "without pixels.png": (png.replace(b"IDAT", b"IDAX"), "unreadable"),
        "scans.jpg": (scans_without_end(progressive), "unreadable"),
        "polyglot.png": (png + zip_file(), "wrong-type"),
        "polyglot.jpg": (jpeg + b"<script>alert(1)</script>", "wrong-type"),
        "vector.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "wrong-type"),
        "empty.jpg": (b"", "unreadable"),
        "text.jpg": (b"this is no picture" * 100, "wrong-type"),
        "start only.jpg": (b"\xff\xd8\xff", "unreadable"),
        "signature only.png": (b"\x89PNG\r\n\x1a\n", "unreadable"),
        "header only.webp": (b"RIFF\x04\0\0\0WEBP", "unreadable"),
        "random.jpg": (b"\xff\xd8\xff" + bytes(range(256)) * 200, "unreadable"),
    }


def test_hostile_files_are_refused_one_by_one(client, hostile, astronaut_png):
    for name, (content, problem) in hostile.items():
        answer = post(client, content, name)
        assert answer.headers["content-type"] == "application/problem+json", name
        document = answer.json()
        assert document["type"] == f"urn:mien:problem:{problem}", (name, document)
        assert answer.status_code == document["status"] < 500
        assert document["file"] == 0
    assert post(client, astronaut_png).status_code == 200


def test_the_problem_names_the_file(client, astronaut_png):
    files = [("files", ("good.png", astronaut_png)), ("files", ("bad.png", b"nonsense"))]
    assert client.post("/v1/images", files=files).json()["file"] == 1


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b.png", "a\nb.png", "a" * 300])
def test_a_name_with_a_folder_or_control_character_is_refused(client, astronaut_png, name):
    boundary = "x"
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        + astronaut_png
        + f"\r\n--{boundary}--\r\n".encode()
    )
    answer = client.post(
        "/v1/images",
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert answer.status_code == 400


def test_another_declared_type_is_refused(client, astronaut_png):
    answer = post(client, astronaut_png, media_type="text/html")
    assert answer.json()["type"] == "urn:mien:problem:wrong-type"


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"image_bytes": 1000}, "too-large"),
        ({"image_pixels": 1000}, "too-many-pixels"),
        ({"image_side": 500}, "too-many-pixels"),
        ({"images_per_request": 1}, "too-large"),
    ],
)
def test_limits_can_be_set(client_of, astronaut_png, limits, problem):
    client = client_of(limits)
    files = [("files", ("a", astronaut_png)), ("files", ("b", astronaut_png))]
    assert client.post("/v1/images", files=files).json()["type"].endswith(problem)


def test_nothing_is_left_in_the_temporary_folder(
    client, astronaut_bgr, encode, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    picture = encode(noise)
    assert len(picture) > 1_500_000  # More than is held in memory.
    assert post(client, picture).status_code == 200
    assert [path for path in tmp_path.iterdir() if not path.name.startswith("state")] == []
