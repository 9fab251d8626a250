import base64
import io
import struct
import zlib

import cv2
import numpy as np
import pytest

from mien.media.picture_files import read_image
from mien.recognizer import Recognizer
from mien.serve.http.problems import Problem
from mien.serve.pictures.decode import decode_picture
from mien.serve.pictures.header import read_header
from mien.serve.routes.uploads import check_name


def post(client, content, name="photo", media_type="application/octet-stream"):
    return client.post("/v1/images", files={"files": (name, content, media_type)})


def test_a_form_with_another_field_is_told_which_one_is_expected(client, astronaut_png):
    answer = client.post("/v1/images", files={"image": ("a.png", astronaut_png)})
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "Found a form with 'image'; expected 'files', with a file and no text."
    )


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


def chunk(kind, content):
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


TEXT_CHUNK = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1000)))
PROFILE_CHUNK = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1000)))
ANIMATION_CHUNK = chunk(b"fdAT", bytes(10))


def png_of(width, height):
    """A small file that decodes to `width` by `height` black pixels."""
    packer = zlib.compressobj(9)
    row = b"\0" * (width // 8 + 1 + (width % 8 > 0))
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png_file(width, height, rows)


def png_file(width, height, packed, depth=1, colours=0, interlaced=False):
    """A PNG of these packed pixels; where they need a palette, it is black."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(3 << depth)) if colours == 3 else b""
    start, pixels = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header), chunk(b"IDAT", packed)
    return start + palette + pixels + chunk(b"IEND", b"")


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
        "two frames.jpg": (jpeg[:-2] + progressive[2:], "unreadable"),
        "two starts.jpg": (jpeg[:2] + jpeg, "unreadable"),
        "segments.jpg": (jpeg[:2] + b"\xff\xe1\0\2" * 100_000 + jpeg[2:], "unreadable"),
        "rows without end.png": (png_file(64, 64, zlib.compress(bytes(3_000_000))), "unreadable"),
        "empty blocks.png": (
            png_file(
                64, 64, b"\x78\x9c" + b"\0\0\0\xff\xff" * 300_000 + zlib.compress(bytes(576))[2:]
            ),
            "unreadable",
        ),
        "chunks.png": (png[:33] + TEXT_CHUNK * 20_000 + png[33:], "unreadable"),
        "cut.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unreadable"),
        "boxes without end.avif": (
            b"\0\0\0\x0cftypavif" + b"\0\0\0\x08free" * 20_000,
            "unreadable",
        ),
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


def test_a_bad_picture_among_good_ones_is_its_own_problem(client, astronaut_png):
    contents = {"good.png": astronaut_png, "bad.png": b"nonsense", "cut.png": astronaut_png[:999]}
    files = [("files", item) for item in contents.items()]
    answer = client.post("/v1/images", files=files)
    assert answer.status_code == 200
    good, bad, cut = answer.json()["images"]
    assert good["problem"] is None
    assert good["faces"]
    assert (bad["problem"]["status"], bad["problem"]["file"], bad["faces"]) == (415, 1, [])
    assert (cut["problem"]["status"], cut["name"]) == (422, "cut.png")


def test_if_all_pictures_are_bad_the_first_problem_is_the_answer(client):
    files = [("files", ("a", b"nonsense")), ("files", ("b", b""))]
    answer = client.post("/v1/images", files=files)
    assert (answer.status_code, answer.json()["file"]) == (415, 0)


def mp4_box():
    return b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08free\0\0\0\x08mdat"


@pytest.mark.parametrize(
    "tail",
    [
        b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1695371562357SEFHj\0\0\0SEFT",
        mp4_box(),
        b"\r\n",
        bytes(64),
        b"<script>alert(1)</script>",
    ],
    ids=["metadata", "a motion photograph", "a line break", "zeros", "anything else"],
)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_what_follows_the_end_of_a_picture_is_ignored(client, astronaut_bgr, encode, suffix, tail):
    plain = encode(astronaut_bgr, suffix)
    answers = [post(client, content).json()["images"] for content in (plain, plain + tail)]
    assert answers[0][0]["faces"]
    assert answers[0] == answers[1]


def test_a_decoder_is_not_given_texts_to_unpack_nor_frames_that_are_not_shown(astronaut_png):
    # 9,000 compressed texts of 7 MB each keep OpenCV busy for most of a minute.
    for chunk in (TEXT_CHUNK, PROFILE_CHUNK, ANIMATION_CHUNK):
        header = read_header(astronaut_png[:33] + 9000 * chunk + astronaut_png[33:])
        assert header.picture == astronaut_png


def test_no_marker_of_a_jpeg_hides_a_larger_picture(astronaut_bgr, encode):
    small, large = (encode(astronaut_bgr[:side, :side], ".jpg") for side in (16, 48))
    hidden = large[2:-2]
    refused = []
    for marker in range(1, 256):
        segment = struct.pack(">BBH", 255, marker, 2 + len(hidden)) + hidden
        try:
            header = read_header(small[:2] + segment + small[2:])
        except Problem:
            refused.append(marker)
            continue
        decoded = cv2.imdecode(np.frombuffer(header.picture, np.uint8), cv2.IMREAD_COLOR)
        # Such a segment may spoil the picture, but make no other one of it.
        assert decoded is None or decoded.shape == (16, 16, 3), f"{marker:02X}"
    assert 0xE1 not in refused


PNG_FORMS = {
    "grey": (0, 1, (1, 2, 4, 8, 16)),
    "colours": (2, 3, (8, 16)),
    "palette": (3, 1, (1, 2, 4, 8)),
    "grey and transparency": (4, 2, (8, 16)),
    "colours and transparency": (6, 4, (8, 16)),
}


@pytest.mark.parametrize("form", PNG_FORMS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_pngs_of_every_form_are_read(form, interlaced):
    colours, channels, depths = PNG_FORMS[form]
    for depth in depths:
        check_is_read(depth, colours, channels, interlaced)


def check_is_read(depth, colours, channels, interlaced):
    side, bits = 1600, depth * channels
    # The passes of an interlaced picture, as rows and pixels in each.
    eighths = [(8, 8), (8, 8), (8, 4), (4, 4), (4, 2), (2, 2), (2, 1)] if interlaced else [(1, 1)]
    rows = [(side // down, side // across * bits // 8) for down, across in eighths]
    packed = zlib.compress(bytes(sum(count * (1 + length) for count, length in rows)))
    content = png_file(side, side, packed, depth, colours, interlaced)
    image_bgr = decode_picture(content, most_pixels=side * side, longest_side=side)
    assert image_bgr.shape == (side, side, 3)


def test_a_large_picture_may_not_have_many_scans(client_of, astronaut_bgr, encode):
    progressive = encode(astronaut_bgr, ".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    start = progressive.rindex(b"\xff\xda")
    repeated = progressive[:start] + progressive[start:-2] * 30 + progressive[-2:]
    assert post(client_of(), repeated).status_code == 200
    answer = post(client_of({"image_pixels": 512 * 512}), repeated)
    assert answer.json()["type"] == "urn:mien:problem:too-many-pixels"
    assert post(client_of({"image_pixels": 512 * 512}), progressive).status_code == 200


def test_a_picture_may_be_the_body_itself(client, astronaut_jpeg, astronaut_png):
    expected = post(client, astronaut_jpeg).json()["images"][0]["faces"]
    for media_type in ("image/jpeg", "image/png", "application/octet-stream"):
        answer = client.post(
            "/v1/images", content=astronaut_jpeg, headers={"Content-Type": media_type}
        )
        assert answer.json()["images"][0]["faces"] == expected
    answer = client.post("/v1/images", content=b"", headers={"Content-Type": "image/jpeg"})
    assert answer.json()["type"] == "urn:mien:problem:unreadable"


def test_a_picture_may_be_base64_in_json(client, astronaut_jpeg):
    expected = post(client, astronaut_jpeg).json()["images"][0]["faces"]
    plain = base64.b64encode(astronaut_jpeg).decode()
    broken = base64.encodebytes(astronaut_jpeg).decode()
    texts = [plain, broken, f"data:image/jpeg;base64,{plain}", "no Base64!", plain + "é"]
    images = [{"name": f"{n}.jpg", "base64": text} for n, text in enumerate(texts)]
    first, second, third, *bad = client.post("/v1/images", json={"images": images}).json()["images"]
    assert [first["name"], second["name"], third["name"]] == ["0.jpg", "1.jpg", "2.jpg"]
    for image in (first, second, third):
        assert len(image["faces"]) == len(expected)
        assert image["faces"][0]["confidence"] == expected[0]["confidence"]
    assert [image["problem"]["status"] for image in bad] == [422, 422]


@pytest.mark.parametrize(
    "document",
    ["", "[]", "{}", '{"images": []}', '{"images": ["a"]}', '{"images": [{"data": ""}]}'],
)
def test_json_of_another_shape_is_told(client, document):
    answer = client.post(
        "/v1/images", content=document, headers={"Content-Type": "application/json"}
    )
    assert answer.json()["type"] == "urn:mien:problem:invalid"


def test_json_may_hold_more_pictures_than_are_taken(client_of):
    images = {"images": [{"base64": ""}, {"base64": ""}]}
    answer = client_of({"images_per_request": 1}).post("/v1/images", json=images)
    assert answer.json()["type"] == "urn:mien:problem:too-large"


def test_the_annotated_picture_is_the_picture_with_its_faces(client, astronaut_bgr, astronaut_png):
    answer = client.post("/v1/images/annotated", files={"files": astronaut_png})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    annotated = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    difference = np.abs(annotated.astype(int) - astronaut_bgr).max(axis=2) > 100
    face = post(client, astronaut_png).json()["images"][0]["faces"][0]
    left, top = round(face["x"]), round(face["y"])
    edge = difference[top - 3 : top + 4, left + 20 : left + round(face["width"]) - 20]
    assert edge.any(axis=0).mean() > 0.9
    assert not difference[-50:, -50:].any()
    files = [("files", astronaut_png), ("files", astronaut_png)]
    assert client.post("/v1/images/annotated", files=files).status_code == 413
    assert client.post("/v1/images/annotated", files={"files": b"x"}).status_code == 415


def post_form(client, name, content, path="/v1/images", field="files", charset=""):
    """Post a form whose file has this name as it stands, which no library would send."""
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return client.post(
        path,
        content=head.encode() + content + b"\r\n--x--\r\n",
        headers={"Content-Type": f"multipart/form-data; boundary=x{charset}"},
    )


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b.png", "a\nb.png", "a" * 300])
def test_a_name_with_a_folder_or_control_character_is_refused(client, astronaut_png, name):
    assert post_form(client, name, astronaut_png).status_code == 400


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("unicode_escape", "\\ud800.png"),
        ("utf-7", "a+2AA-.png"),
        ("idna", "xn--a"),
        ("zlib", "a.png"),
        ("utf-16", "a.png"),
        ("a\0", "a.png"),
    ],
)
@pytest.mark.parametrize(("path", "field"), [("/v1/images", "files"), ("/v1/videos", "file")])
def test_a_form_in_another_charset_is_refused(client, astronaut_png, charset, name, path, field):
    answer = post_form(client, name, astronaut_png, path, field, f"; charset={charset}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:mien:problem:bad-request")


@pytest.mark.parametrize("charset", ["; charset=UTF-8", '; charset="utf8"'])
def test_a_form_may_say_that_it_is_utf_8(client, astronaut_png, charset):
    answer = post_form(client, "Zoë.png", astronaut_png, charset=charset)
    assert answer.json()["images"][0]["name"] == "Zoë.png"


def test_half_a_surrogate_pair_is_no_name():
    with pytest.raises(Problem, match="control character"):
        check_name("a\ud800.png")


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


def heic(image_bgr):
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs mien[heic]")
    buffer = io.BytesIO()
    height, width = image_bgr.shape[:2]
    rgb = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
    pillow_heif.from_bytes("RGB", (width, height), rgb.tobytes()).save(buffer, quality=90)
    return buffer.getvalue()


def test_heic_is_read(client, astronaut_bgr, astronaut_png):
    answer = post(client, heic(astronaut_bgr), "IMG_0001.HEIC", "image/heic").json()["images"][0]
    expected = post(client, astronaut_png).json()["images"][0]
    assert (answer["width"], answer["height"]) == (512, 512)
    assert len(answer["faces"]) == len(expected["faces"])
    assert answer["faces"][0]["x"] == pytest.approx(expected["faces"][0]["x"], abs=5)


@pytest.mark.parametrize("brand", [b"hevx", b"mif2"])
def test_heic_of_a_rare_brand_is_read(client, astronaut_bgr, brand):
    content = heic(astronaut_bgr)
    assert content[8:12] == b"heic"
    answer = post(client, content[:8] + brand + content[12:], "IMG_0001.HEIC", "image/heic")
    assert answer.json()["images"][0]["faces"]


def test_a_hostile_heic_is_refused(client, astronaut_bgr):
    whole = heic(astronaut_bgr[:128, :128])
    start = whole.index(b"mdat") + 4
    broken = whole[:start] + bytes(len(whole) - start)
    huge = whole.replace(struct.pack(">II", 128, 128), struct.pack(">II", 30_000, 30_000))
    for content, problem in ((broken, "unreadable"), (huge, "too-many-pixels")):
        assert post(client, content).json()["type"] == f"urn:mien:problem:{problem}"


def test_without_the_extra_heic_is_refused_by_name(client, astronaut_bgr, monkeypatch):
    content = heic(astronaut_bgr[:64, :64])
    monkeypatch.setattr("mien.serve.pictures.decode.find_spec", lambda _: None)
    answer = post(client, content)
    assert answer.status_code == 415
    assert "mien[heic]" in answer.json()["detail"]


def test_avif_is_read(client, astronaut_bgr, encode):
    content = encode(astronaut_bgr, ".avif")
    assert post(client, content, "a.avif", "image/avif").json()["images"][0]["faces"]


def test_an_avif_photo_is_turned_as_its_boxes_say(client, astronaut_bgr):
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    upright = astronaut_bgr[:400, :, ::-1]
    exif = pillow.Exif()
    exif[0x0112] = 6
    answers = []
    for kind in ("JPEG", "AVIF"):
        if kind not in pillow.registered_extensions().values():
            pytest.skip("needs a Pillow with AVIF")
        file = io.BytesIO()
        pillow.fromarray(np.rot90(upright).copy()).save(file, kind, quality=95, exif=exif)
        answers.append(post(client, file.getvalue()).json()["images"][0])
    of_jpeg, of_avif = answers
    assert (of_avif["width"], of_avif["height"]) == (512, 400)
    assert len(of_avif["faces"]) == len(of_jpeg["faces"]) >= 1
    assert of_avif["faces"][0]["emotion"] == of_jpeg["faces"][0]["emotion"]
    assert of_avif["faces"][0]["x"] == pytest.approx(of_jpeg["faces"][0]["x"], abs=5)


def test_12_bits_in_a_file_of_16_are_seen_as_mien_image_sees_them(
    client, astronaut_bgr, encode, tmp_path
):
    camera = encode(astronaut_bgr.astype(np.uint16) * 16)
    (tmp_path / "camera.png").write_bytes(camera)
    assert np.array_equal(read_image(tmp_path / "camera.png"), astronaut_bgr)
    answer = post(client, camera).json()["images"][0]
    assert answer["faces"]
    assert answer["faces"] == post(client, encode(astronaut_bgr)).json()["images"][0]["faces"]


@pytest.mark.usefixtures("yunet_file")
@pytest.mark.parametrize(("search_side", "count"), [(4096, 1), (640, 0)])
def test_small_faces_of_a_photograph_are_sought_up_to_a_size(
    client_of, astronaut_bgr, encode, search_side, count
):
    person = cv2.resize(astronaut_bgr, (150, 150), interpolation=cv2.INTER_AREA)
    photograph = np.full((1800, 2700, 3), 120, np.uint8)
    photograph[800:950, 1200:1350] = person
    client = client_of({"search_side": search_side}, detector="yunet")
    answer = post(client, encode(photograph, ".jpg"))
    assert len(answer.json()["images"][0]["faces"]) == count
