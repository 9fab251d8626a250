"""The built page in a real browser, with a camera that plays the bundled video."""

import json
import re
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from mien.core.types import Box
from mien.faces.track import intersection_over_union
from mien.recognizer import Recognizer
from mien.record.read import read_record

VERDICT = re.compile(r"[A-Z][a-z]+\?? \d+%")


def wait_for_text(page, selector, pattern):
    page.wait_for_function(
        "([selector, pattern]) => "
        "new RegExp(pattern).test(document.querySelector(selector).textContent)",
        arg=[selector, pattern],
    )
    return page.inner_text(selector)


def download(page, selector, folder):
    with page.expect_download() as waiting:
        page.click(selector)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def open_photo(page, path):
    page.set_input_files("#file", path)
    wait_for_text(page, "#status", r"faces?, \d+ ms on")


@pytest.fixture(scope="session")
def recognizer(yunet):
    return Recognizer(detector="yunet", threads=1)


@pytest.mark.parametrize("mode", ["device", "server"])
def test_the_camera_is_recognised(launch, server, mode, tmp_path):
    requests, sockets = [], []
    with launch() as page:
        page.on("request", lambda request: requests.append(request))
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.reload()
        page.check(f"[value={mode}]")
        page.click("#start")
        wait_for_text(page, "#people", "Person 1")
        wait_for_text(page, f"#speed-{mode}", r"\d FPS, \d+ ms")
        wait_for_text(page, "#verdict", VERDICT.pattern)
        wait_for_text(page, "#record-size", "[1-9][0-9] rows")
        page.click("#pause")
        assert page.inner_text("#status") == "Paused."
        picture = cv2.imread(str(download(page, "#snapshot", tmp_path)))
        table = list(read_record(download(page, "[data-export=csv]", tmp_path)))
        page.click("#start")
        assert page.inner_text("#start") == "Start camera"
    assert picture.shape == (360, 640, 3)
    # The astronaut smiles all the time.
    happy = [face for face in table if face.emotion == "happy"]
    assert len(happy) > 0.8 * len(table)
    assert {face.track_id for face in table} <= {1, 2}
    assert all(0 <= face.box.x < 640 and 0 <= face.box.y < 360 for face in table)
    assert table[-1].timestamp_ms > table[0].timestamp_ms
    fetched = [request for request in requests if not request.url.startswith("blob:")]
    assert {urlsplit(request.url).netloc for request in fetched} == {urlsplit(server).netloc}
    if mode == "device":
        assert any(".wasm" in request.url for request in fetched)  # The worker's count as well.
        assert not sockets
        assert {request.method for request in fetched} == {"GET"}
        assert not any(request.post_data_buffer for request in fetched)


def test_a_photo_gives_the_same_faces_as_python(
    launch, recognizer, astronaut_bgr, crowd_bgr, tmp_path
):
    pictures = {"one.png": astronaut_bgr, "crowd.png": crowd_bgr, "crowd.jpg": crowd_bgr}
    with launch() as page:
        for name, picture in pictures.items():
            cv2.imwrite(str(tmp_path / name), picture)
            expected = recognizer.recognize(cv2.imread(str(tmp_path / name)))
            open_photo(page, tmp_path / name)
            faces = json.loads(download(page, "[data-export=json]", tmp_path).read_text())
            assert len(faces) == len(expected) >= 1
            for face, want in zip(faces, expected, strict=True):
                box = Box(face["x"], face["y"], face["width"], face["height"])
                assert intersection_over_union(box, want.box) >= 0.9
                assert face["emotion"] == want.emotion
                assert face["uncertain"] == want.uncertain
                assert face["confidence"] == pytest.approx(want.confidence, abs=0.02)


def test_a_photo_can_be_dropped_on_the_page(launch, astronaut_bgr):
    content = cv2.imencode(".png", astronaut_bgr)[1].tolist()
    with launch() as page:
        dropped = page.evaluate_handle(
            """content => {
                const transfer = new DataTransfer();
                const bytes = Uint8Array.from(content);
                transfer.items.add(new File([bytes], "a.png", { type: "image/png" }));
                return transfer;
            }""",
            content,
        )
        page.dispatch_event("#screen", "drop", {"dataTransfer": dropped})
        wait_for_text(page, "#status", "faces?, ")
        assert VERDICT.fullmatch(page.inner_text("#verdict"))


def test_a_photo_on_the_server_gives_the_same_as_on_the_device(launch, astronaut_bgr, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut_bgr)
    with launch() as page:
        open_photo(page, tmp_path / "photo.png")
        here = page.inner_text("#verdict")
        page.check("[value=server]")
        wait_for_text(page, "#status", "on server")
        assert page.inner_text("#verdict") == here


def test_a_video_file_is_played_and_recognised(launch, tmp_path):
    clip = tmp_path / "clip.webm"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"VP80"), 10, (320, 240))
    for value in range(20):
        writer.write(np.full((240, 320, 3), 100 + value, np.uint8))
    writer.release()
    with launch() as page:
        page.set_input_files("#file", clip)
        wait_for_text(page, "#status", "The video is over")
        page.set_input_files("#file", {"name": "x.mp4", "mimeType": "video/mp4", "buffer": b"no"})
        assert "cannot be played" in wait_for_text(page, "#message-text", ".")


def test_the_report_is_a_page_of_its_own(launch, astronaut_bgr, tmp_path):
    with launch() as page:
        page.click("#start")
        wait_for_text(page, "#record-size", "[1-9][0-9] rows")
        page.click("#pause")
        report = download(page, "[data-export=report]", tmp_path)
        page.goto(report.as_uri())
        assert "happy" in page.inner_text("body").lower()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allowed": False}, "camera was refused"),
        ({"camera": False}, "no camera"),
    ],
    ids=["refused", "none"],
)
def test_without_a_camera_it_says_why_and_photos_still_work(
    launch, options, words, astronaut_bgr, tmp_path
):
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut_bgr)
    with launch(**options) as page:
        page.click("#start")
        assert words in wait_for_text(page, "#message-text", ".")
        assert page.is_enabled("#start")
        open_photo(page, tmp_path / "photo.png")
        assert page.is_hidden("#message")


def test_an_insecure_origin_is_explained(launch, server):
    port = urlsplit(server).port
    with launch(
        address=f"http://mien.example:{port}",
        arguments=["--host-resolver-rules=MAP mien.example 127.0.0.1"],
    ) as page:
        page.click("#start")
        assert "https" in wait_for_text(page, "#message-text", ".")


def test_without_webassembly_the_server_recognises(launch):
    with launch(script="delete globalThis.WebAssembly") as page:
        page.click("#start")
        assert "no WebAssembly" in wait_for_text(page, "#message-text", ".")
        page.check("[value=server]")
        page.click("#start")
        wait_for_text(page, "#verdict", VERDICT.pattern)


def test_a_server_with_a_token_asks_for_it(launch, guarded_server):
    address, token = guarded_server
    with launch(address=address) as page:
        for attempt, hint in (("another-token-than-this", "has one"), (token, "does not know")):
            page.wait_for_selector(f"#token-hint:has-text('{hint}')")
            page.fill("#token-value", attempt)
            page.keyboard.press("Enter")
        wait_for_text(page, "#model", "Network")
        for mode in ("server", "device"):
            page.check(f"[value={mode}]")
            page.click("#start")
            wait_for_text(page, "#verdict", VERDICT.pattern)
            page.click("#start")
        assert page.is_hidden("#message")


def test_a_reload_while_streaming_leaves_no_stream_behind(launch, server):
    with launch() as page:
        for _ in range(3):
            page.check("[value=server]")
            page.click("#start")
            wait_for_text(page, "#verdict", VERDICT.pattern)
            page.reload()
            assert page.inner_text("#verdict") == "No face"
        page.wait_for_function(
            "async () => /^mien_streams 0/m.test(await (await fetch('/metrics')).text())"
        )


def test_modes_can_be_switched_while_the_camera_runs(launch):
    with launch() as page:
        page.click("#start")
        for mode in ("device", "server", "device"):
            page.check(f"[value={mode}]")
            wait_for_text(page, f"#speed-{mode}", r"\d FPS")
            wait_for_text(page, "#verdict", VERDICT.pattern)
        assert page.is_hidden("#message")


def test_the_keyboard_does_it_all(launch):
    with launch() as page:
        page.focus("#start")
        page.keyboard.press("Enter")
        wait_for_text(page, "#people", "Person 1")
        page.focus("[value=device]")
        page.keyboard.press("ArrowDown")
        assert page.is_checked("[value=server]")
        page.focus("#people button")
        page.keyboard.press("Enter")
        assert page.get_attribute("#people button", "aria-pressed") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_and_nothing_jumps(launch, axe, scheme, width):
    with launch(color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        before = layout(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.click("#start")
        wait_for_text(page, "#verdict", VERDICT.pattern)
        assert layout(page) == before
        assert faults(page, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_photo_a_message_and_a_question(
    launch, axe, guarded_server, scheme, crowd_bgr, tmp_path
):
    cv2.imwrite(str(tmp_path / "crowd.png"), crowd_bgr)
    with launch(camera=False, color_scheme=scheme) as page:
        open_photo(page, tmp_path / "crowd.png")
        assert faults(page, axe) == []
        page.click("#start")
        wait_for_text(page, "#message-text", ".")
        assert faults(page, axe) == []
    with launch(address=guarded_server[0], color_scheme=scheme) as page:
        page.wait_for_selector("#token")
        assert faults(page, axe) == []


def faults(page, axe):
    """What axe finds of any severity: its rules, and where they are broken."""
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


def layout(page):
    """Top and height of the page's parts, in pixels."""
    return page.evaluate(
        "[...document.querySelectorAll('.screen, .panel, .controls, footer')].map(e => "
        "[e.id || e.className, e.getBoundingClientRect().top + scrollY, e.offsetHeight])"
    )
