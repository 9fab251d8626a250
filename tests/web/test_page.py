"""The built page in a real browser, with a camera that plays the bundled video."""

import json
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from mien.core.temporal import bundled_temporal, load_temporal
from mien.core.types import Box
from mien.faces.assign import intersection_over_union
from mien.recognizer import Recognizer
from mien.record.read import read_collection, read_record

site = pytest.importorskip("mien.serve.site", reason="needs mien[serve]")

DEMO = Path(__file__).parents[2] / "src/mien/assets/demo.mp4"

# Whether all is kept that the page needs without a connection.
KEPT = (
    "async () => navigator.serviceWorker.controller && "
    "(await (await caches.open('mien-files')).keys()).some(r => r.url.endsWith('.wasm')) && "
    "(await (await caches.open('mien-networks')).keys()).length === 4 && "
    "(await navigator.serviceWorker.getRegistration())?.active?.state === 'activated'"
)

VERDICT = re.compile(r"[A-Z][a-z]+\?? \d+%")


def wait_for_text(page, selector, pattern):
    page.wait_for_function(
        "([selector, pattern]) => "
        "new RegExp(pattern).test(document.querySelector(selector).textContent)",
        arg=[selector, pattern],
    )
    return page.inner_text(selector)


def choose_mode(page, mode):
    # The radio buttons lie invisibly under their labels.
    page.check(f"[value={mode}]", force=True)


def download(page, selector, folder):
    with page.expect_download() as waiting:
        page.click(selector)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def open_photo(page, *paths):
    page.set_input_files("#file", paths)
    wait_for_text(page, "#status", r"Recognised on")


def start_camera(page):
    page.click("#start")
    wait_for_text(page, "#verdict", VERDICT.pattern)
    wait_for_text(page, "#record-size", "[1-9][0-9] rows")


def wait_until(page, holds):
    """Wait until an asynchronous function of JavaScript returns true; Playwright waits for none."""
    page.evaluate(
        f"async () => {{ const holds = {holds};"
        " while (!(await holds())) await new Promise((done) => setTimeout(done, 50)); }"
    )


@pytest.fixture(scope="session")
def recognizer(yunet):
    return Recognizer(detector="yunet", threads=1)


@pytest.mark.parametrize("mode", ["device", "server"])
def test_the_camera_is_recognised(launch, server, mode, tmp_path):
    requests, sockets = [], []
    with launch(service_workers="block") as page:
        page.on("request", lambda request: requests.append(request))
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.reload()
        choose_mode(page, mode)
        start_camera(page)
        wait_for_text(page, "#status", "Running")
        words = {"device": "No picture is uploaded", "server": "are sent to this server"}
        assert words[mode] in page.inner_text("#badge")
        page.click("#pause")
        wait_for_text(page, "#status", "^Paused.$")
        picture = cv2.imread(str(download(page, "#snapshot", tmp_path)))
        table = list(read_record(download(page, "[data-export=csv]", tmp_path)))
        page.click("#stop")
        page.wait_for_selector("#start")
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
    for name, picture in pictures.items():
        cv2.imwrite(str(tmp_path / name), picture)
    with launch() as page:
        open_photo(page, *[tmp_path / name for name in pictures])
        wait_for_text(page, "#status", "3 of 3 photos")
        rows = json.loads(download(page, "[data-export=json]", tmp_path).read_text())
    for name in pictures:
        expected = recognizer.recognize(cv2.imread(str(tmp_path / name)))
        faces = [row for row in rows if row["source"] == name]
        assert len(faces) == len(expected) >= 1
        for face, want in zip(faces, expected, strict=True):
            box = Box(face["x"], face["y"], face["width"], face["height"])
            assert intersection_over_union(box, want.box) >= 0.9
            assert face["emotion"] == want.emotion
            assert face["uncertain"] == want.uncertain
            assert face["confidence"] == pytest.approx(want.confidence, abs=0.02)


def test_small_faces_in_a_large_photograph_are_found_as_python_finds_them(
    launch, recognizer, astronaut_bgr, tmp_path
):
    # Faces of 30 to 60 pixels, of which a picture reduced to 640 shows none; two sizes of tiles.
    picture = np.full((2000, 3200, 3), 150, np.uint8)
    for i in range(15):
        side = 130 + 10 * i
        person = cv2.resize(astronaut_bgr, (side, side), interpolation=cv2.INTER_AREA)
        left, top = 60 + 640 * (i % 5), 40 + 700 * (i // 5)
        picture[top : top + side, left : left + side] = person
    cv2.imwrite(str(tmp_path / "large.png"), picture)
    expected = recognizer.recognize(picture)
    with launch() as page:
        page.set_input_files("#file", tmp_path / "large.png")
        wait_for_text(page, "#count", "of 8 parts")
        wait_for_text(page, "#status", "Recognised on")
        faces = list(read_record(download(page, "[data-export=csv]", tmp_path)))
    assert len(faces) == len(expected) == 15
    for face, want in zip(faces, expected, strict=True):
        assert intersection_over_union(face.box, want.box) >= 0.9
        assert face.emotion == want.emotion
        assert [limit.limit for limit in face.missed_limits] == [
            limit.limit for limit in want.missed_limits
        ]


def test_a_photo_that_is_searched_can_be_closed(launch, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (4200, 6200, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "large.jpg"), noise)
    with launch() as page:
        page.set_input_files("#file", tmp_path / "large.jpg")
        wait_for_text(page, "#count", "[12] of [0-9]+ parts")
        page.click("#stop")
        # What was broken off holds nothing up, and says nothing any more.
        page.click("[data-sample=people]")
        wait_for_text(page, "#people", "Face 3")
        assert page.is_hidden("#message")


def test_the_page_says_why_a_face_is_uncertain(launch, astronaut_bgr, tmp_path):
    dark = cv2.convertScaleAbs(astronaut_bgr, alpha=0.06)
    cv2.imwrite(str(tmp_path / "dark.png"), dark)
    with launch() as page:
        open_photo(page, tmp_path / "dark.png")
        assert "dark" in page.inner_text("#why")
        (face,) = read_record(download(page, "[data-export=csv]", tmp_path))
    assert face.uncertain
    assert "min_brightness" in {limit.limit for limit in face.missed_limits}


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_can_be_dropped_and_pasted(launch, astronaut_bgr, way):
    content = cv2.imencode(".png", astronaut_bgr)[1].tolist()
    with launch() as page:
        page.evaluate(
            """([content, way]) => {
                const transfer = new DataTransfer();
                const bytes = Uint8Array.from(content);
                transfer.items.add(new File([bytes], "a.png", { type: "image/png" }));
                const event = way === "drop"
                    ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true })
                    : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
                document.body.dispatchEvent(event);
            }""",
            [content, way],
        )
        wait_for_text(page, "#status", "Recognised")
        assert VERDICT.fullmatch(page.inner_text("#verdict"))


def test_a_photo_on_the_server_gives_the_same_as_on_the_device(launch, astronaut_bgr, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut_bgr)
    with launch() as page:
        open_photo(page, tmp_path / "photo.png")
        wait_for_text(page, "#verdict", VERDICT.pattern)
        here = page.inner_text("#verdict")
        choose_mode(page, "server")
        wait_for_text(page, "#status", "Recognised on the server")
        wait_for_text(page, "#verdict", VERDICT.pattern)
        assert page.inner_text("#verdict") == here
        # It is the same photo: its row is replaced, not doubled.
        assert page.inner_text("#record-size").startswith("1 row")


def test_the_samples_answer_in_one_click(launch):
    with launch() as page:
        page.click("[data-sample=people]")
        wait_for_text(page, "#people", "Face 3")
        # Samples are nobody's data: leaving asks nothing.
        page.reload(timeout=20_000)
        page.click("[data-sample=clip]")
        wait_for_text(page, "#count", "of 400 frames")
        assert page.evaluate("document.querySelector('#video').readyState") > 0


@pytest.mark.parametrize("mode", ["device", "server"])
def test_a_network_of_any_input_and_labels_is_read_and_its_labels_are_texts(
    launch, serve, mode, foreign_artifact, astronaut_bgr, tmp_path
):
    artifact = foreign_artifact(tmp_path / "foreign.onnx")
    labels = artifact.reading().labels
    photo = {
        "name": "<b>two</b>\nlines.png",
        "mimeType": "image/png",
        "buffer": cv2.imencode(".png", astronaut_bgr)[1].tobytes(),
    }
    alerts = []

    def dismiss(dialog):
        alerts.append(dialog.message)
        dialog.dismiss()

    with launch(address=serve("--model", str(artifact.onnx_path))) as page:
        page.on("dialog", dismiss)
        choose_mode(page, mode)
        open_photo(page, photo)
        shown = page.inner_text("#bars")
        record = download(page, "[data-export=csv]", tmp_path)
        table = list(read_record(record))
        report = download(page, "[data-export=report]", tmp_path)
        assert page.locator("main img[src=x]").count() == 0
    assert "<img src=x onerror=alert(1)>" in shown
    assert alerts == []
    (face,) = table
    assert (face.labels, face.reading) == (labels, "<i>mine</i>")
    assert [name for name, _ in read_collection(record)] == ["<b>two</b> lines.png"]
    assert "&lt;b&gt;two&lt;/b&gt; lines.png" in report.read_text(encoding="utf-8")
    expected = Recognizer(artifact, detector="yunet", threads=1).recognize(astronaut_bgr)
    assert face.probabilities == pytest.approx(expected[0].probabilities, abs=0.02)


def test_another_reading_can_be_chosen(launch, server, astronaut_bgr, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut_bgr)
    with launch() as page:
        open_photo(page, tmp_path / "photo.png")
        (raters,) = read_record(download(page, "[data-export=csv]", tmp_path))
        page.select_option("#readings", "labels")
        open_photo(page, tmp_path / "photo.png")
        rows = list(read_record(download(page, "[data-export=csv]", tmp_path)))
    assert raters.reading == "raters"
    assert rows[-1].reading == "labels"
    assert rows[-1].probabilities != pytest.approx(raters.probabilities, abs=1e-4)


def test_a_server_with_a_network_over_time_says_which_reading_it_knows(launch, serve):
    with launch(address=serve("--temporal", "shipped")) as page:
        choose_mode(page, "server")
        start_camera(page)
        wait_for_text(page, "#status", "Running")
        page.select_option("#readings", "labels")
        said = wait_for_text(page, "#message-text", ".")
        assert "in one way only: “as people would say it”" in said
        page.click("#remedies >> text=Recognise on this device")
        wait_for_text(page, "#badge", "No picture is uploaded")
        wait_for_text(page, "#verdict", VERDICT.pattern)


def rows_come(page):
    """Wait until there are more rows than those that were under way."""
    count = "Number(document.querySelector('#record-size').textContent.match(/[0-9,]+/)[0]" + (
        ".replaceAll(',', ''))"
    )
    page.wait_for_function(f"before => {count} > before + 10", arg=page.evaluate(count))


def test_a_network_over_time_can_calm_labels_on_this_device(launch, tmp_path):
    network = load_temporal(bundled_temporal())
    with launch() as page:
        start_camera(page)
        rows_come(page)
        page.select_option("#steadying", "network")
        rows_come(page)
        assert page.is_hidden("#steadying-note")
        # It belongs to one reading.
        page.select_option("#readings", "labels")
        rows_come(page)
        assert "Labels are smoothed" in page.inner_text("#steadying-note")
        assert page.is_hidden("#message")
        page.click("#pause")
        rows = list(read_record(download(page, "[data-export=csv]", tmp_path)))
        choose_mode(page, "server")
        page.wait_for_selector("#steadying", state="hidden")
    assert (rows[0].reading, rows[0].temporal_sha256) == ("raters", None)
    assert (rows[-1].reading, rows[-1].temporal_sha256) == ("labels", None)
    calmed = [row for row in rows if row.temporal_sha256 == network.sha256]
    assert calmed
    assert {row.reading for row in calmed} == {"raters"}
    assert all(sum(row.whole_probabilities) == pytest.approx(1, abs=1e-4) for row in calmed)


def write_clip(path, frame_count, codec="VP80"):
    """Write a video of 30 frames a second, in each of which the astronaut stands."""
    capture = cv2.VideoCapture(str(DEMO))
    frames = [cv2.resize(capture.read()[1], (320, 180)) for _ in range(60)]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 30, (320, 180))
    for index in range(frame_count):
        # There and back, so that nothing jumps.
        writer.write(frames[abs((index + 59) % 118 - 59)])
    writer.release()


@pytest.mark.parametrize(
    ("way", "frame_count"), [("device", 464), ("device, by seeking", 40), ("server", 464)]
)
def test_every_frame_of_a_video_is_in_the_record(launch, way, frame_count, tmp_path):
    write_clip(tmp_path / "clip.webm", frame_count)
    # Without WebCodecs the player is set to the time of each frame.
    script = "delete globalThis.VideoDecoder" if "seeking" in way else None
    with launch(script=script) as page:
        page.set_default_timeout(180_000)
        choose_mode(page, way.partition(",")[0])
        page.set_input_files("#file", tmp_path / "clip.webm")
        wait_for_text(page, "#status", f"^All {frame_count} frames")
        table = list(read_record(download(page, "[data-export=csv]", tmp_path)))
        page.click("#play")
        page.wait_for_function("() => document.querySelector('#video').currentTime > 0.2")
        assert page.is_visible("#chart")
    assert len(table) == len({face.frame for face in table}) == frame_count
    assert {face.track_id for face in table} == {1}
    times = [face.timestamp_ms for face in table]
    assert times == sorted(times)
    assert times[-1] == pytest.approx((frame_count - 1) / 30 * 1000, abs=35)


def test_a_paused_video_is_followed_to_where_it_is_set(launch, tmp_path):
    write_clip(tmp_path / "clip.webm", 90)
    with launch() as page:
        page.set_input_files("#file", tmp_path / "clip.webm")
        wait_for_text(page, "#status", "^All 90 frames")
        wait_for_text(page, "#clock", "^0:00 /")
        page.fill("#scrubber", "2.2")
        wait_for_text(page, "#clock", "^0:02 /")
        wait_for_text(page, "#verdict", VERDICT.pattern)
        page.click("#chart", position={"x": 5, "y": 20})
        wait_for_text(page, "#clock", "^0:00 /")


def test_a_video_that_cannot_be_read_is_offered_to_the_server(launch):
    with launch() as page:
        page.set_input_files("#file", {"name": "x.mp4", "mimeType": "video/mp4", "buffer": b"no"})
        assert "cannot read" in wait_for_text(page, "#message-text", ".")
        page.click("#remedies >> text=Recognise on the server")
        wait_for_text(page, "#message-text", "no MP4, MOV")


def is_painted(page):
    """Whether there is anything in the canvas of still pictures."""
    return page.evaluate(
        "() => { const canvas = document.querySelector('#photo');"
        " return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
        ".data.some(value => value > 0); }"
    )


@pytest.mark.parametrize("has_sound", [False, True], ids=["silent", "with sound"])
def test_a_video_that_the_browser_cannot_decode_is_offered_to_the_server(
    launch, has_sound, astronaut_bgr, tmp_path
):
    # OpenCV's usual MP4: a browser opens it, and knows how long it is.
    clip = tmp_path / "clip.mp4"
    write_clip(clip, 20, "mp4v")
    if has_sound:
        ffmpeg = shutil.which("ffmpeg") or pytest.skip("needs ffmpeg")
        sound = ("-f", "lavfi", "-i", "sine=duration=1", "-c:v", "copy", "-c:a", "aac")
        heard = tmp_path / "heard.mp4"
        subprocess.run([ffmpeg, "-v", "error", "-i", clip, *sound, heard], check=True)
        clip = heard
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut_bgr)
    with launch() as page:
        open_photo(page, tmp_path / "photo.png")
        page.set_input_files("#file", clip)
        assert "cannot read" in wait_for_text(page, "#message-text", ".")
        page.click("#remedies >> text=Recognise on the server")
        wait_for_text(page, "#status", "^All 20 frames")
        assert page.is_hidden("#player")
        # The photo from before is not taken for the video.
        assert page.is_visible("#unshown")
        assert not is_painted(page)
        assert page.is_hidden("#snapshot")


@pytest.mark.parametrize("way", ["WebCodecs", "seeking"])
def test_a_video_that_is_damaged_is_offered_to_the_server(launch, way, tmp_path):
    write_clip(tmp_path / "clip.webm", 100)
    content = np.fromfile(tmp_path / "clip.webm", np.uint8)
    rng = np.random.default_rng(0)
    places = rng.integers(len(content) // 2, len(content) - 2000, 2000)
    content[places] = rng.integers(0, 256, len(places))
    content.tofile(tmp_path / "damaged.webm")
    script = "delete globalThis.VideoDecoder" if way == "seeking" else None
    with launch(script=script) as page:
        page.set_input_files("#file", tmp_path / "damaged.webm")
        assert "cannot read" in wait_for_text(page, "#message-text", ".")
        assert page.is_visible("#remedies >> text=Recognise on the server")


def test_a_photo_that_the_browser_cannot_show_has_its_boxes_over_no_other(
    launch, astronaut_bgr, crowd_bgr, tmp_path
):
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs mien[heic]")
    cv2.imwrite(str(tmp_path / "crowd.png"), crowd_bgr)
    rgb = cv2.cvtColor(astronaut_bgr, cv2.COLOR_BGR2RGB)
    pillow_heif.from_bytes("RGB", rgb.shape[1::-1], rgb.tobytes()).save(tmp_path / "phone.heic")
    with launch() as page:
        choose_mode(page, "server")
        open_photo(page, tmp_path / "crowd.png")
        page.set_input_files("#file", tmp_path / "phone.heic")
        wait_for_text(page, "#status", "2 of 2 photos")
        page.wait_for_selector("#unshown")
        # Its face is known all the same.
        wait_for_text(page, "#announcement", "^phone.heic")
        assert VERDICT.fullmatch(page.inner_text("#verdict"))
        assert not is_painted(page)
        assert page.is_hidden("#snapshot")
        page.click("#strip button:first-child")
        page.wait_for_selector("#snapshot")
        assert page.is_hidden("#unshown")
        picture = cv2.imread(str(download(page, "#snapshot", tmp_path)))
    assert picture.shape == crowd_bgr.shape


def test_a_report_that_cannot_be_made_is_tried_again_while_the_camera_runs(launch, tmp_path):
    with launch() as page:
        start_camera(page)
        page.route("**/v1/reports", lambda route: route.abort())
        page.click("[data-export=report]")
        wait_for_text(page, "#message-text", "does not answer")
        # Results that come do not take the message away.
        rows_come(page)
        assert "does not answer" in page.inner_text("#message-text")
        page.unroute("**/v1/reports")
        report = download(page, "#remedies >> text=Try again", tmp_path)
        assert "happy" in report.read_text(encoding="utf-8").lower()
        assert page.is_hidden("#message")


def test_the_report_is_a_page_of_its_own(launch, tmp_path):
    with launch() as page:
        start_camera(page)
        page.click("#pause")
        # Said before it is done: the table leaves the page.
        assert "is sent there" in page.inner_text("#report-note")
        report = download(page, "[data-export=report]", tmp_path)
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(report.as_uri())
        assert "happy" in page.inner_text("body").lower()


def test_nothing_is_lost(launch, astronaut_bgr, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut_bgr)
    asked = []

    def dismiss(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    with launch() as page:
        page.on("dialog", dismiss)
        start_camera(page)
        page.click("#pause")
        page.click("#pause")
        wait_for_text(page, "#status", "Running")
        page.click("#stop")
        open_photo(page, tmp_path / "photo.png")
        choose_mode(page, "server")
        wait_for_text(page, "#status", "Recognised on the server")
        page.evaluate("setTimeout(() => location.reload())")
        page.wait_for_function("() => true")
        table = list(read_record(download(page, "[data-export=csv]", tmp_path)))
        assert asked == ["beforeunload"]
        # Saved rows are safe: now nothing asks.
        page.reload()
    assert asked == ["beforeunload"]
    live = [face for face in table if face.track_id > 0]
    assert len(live) >= 10
    assert len(table) == len(live) + 1
    assert {face.track_id for face in live} == {1}


def test_a_new_record_asks_before_rows_are_lost(launch):
    with launch() as page:
        start_camera(page)
        page.click("#pause")
        page.click("#clear")
        page.click("#question >> text=Cancel")
        assert page.is_visible("#record-size")
        page.click("#clear")
        page.click("#question-yes")
        page.wait_for_selector("#record", state="hidden")


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
        assert page.is_visible("#remedies >> text=Open a file")
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
        page.click("#remedies >> text=Recognise on the server")
        wait_for_text(page, "#verdict", VERDICT.pattern)


def test_threads_that_do_not_start_are_done_without(launch):
    hangs = """
        // The patience with threads is over at once; that with downloads stays as it is.
        let patienceEnds;
        const later = setTimeout;
        globalThis.setTimeout = (call, ms) => {
            if (ms >= 10_000) patienceEnds = call;
            return later(call, ms);
        };
        const Real = Worker;
        globalThis.Worker = class extends Real {
            postMessage(request, transfer) {
                // Hangs as a browser does whose threads never start.
                if (request.type === "open" && request.threads > 1) later(patienceEnds);
                else super.postMessage(request, transfer);
            }
        };
        Object.defineProperty(navigator, "hardwareConcurrency", { get: () => 8 });
    """
    with launch(script=hangs) as page:
        page.click("[data-sample=photograph]")
        wait_for_text(page, "#status", "Recognised")
        assert "Threads do not start" in page.text_content("#figures")


BREAKS = """
    // The first worker breaks at its first picture, and stays so.
    let isDead = false;
    let tick;
    const every = setInterval;
    globalThis.setInterval = (call, ms) => {
        tick = call;
        return every(call, ms);
    };
    let made = 0;
    const Real = Worker;
    globalThis.Worker = class extends Real {
        isFirst = made++ === 0;
        postMessage(request, transfer) {
            const isFine = !this.isFirst || (!request.picture && !isDead);
            if (isFine) super.postMessage(request, transfer);
            else if ("HOW" === "fails") super.postMessage({ ...request, picture: null });
            else {
                this.terminate();
                isDead = true;
                // Nothing comes of it any more; the patience with that is over at once.
                for (let i = 0; i < 20; i++) setTimeout(() => tick());
            }
        }
    };
"""


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("[data-sample=photograph]", "fails"),
        ("[data-sample=clip]", "fails"),
        ("#start", "fails"),
        ("[data-sample=photograph]", "dies"),
    ],
    ids=["photo", "video", "camera", "photo, silently"],
)
def test_recognition_that_broke_on_this_device_works_when_tried_again(launch, source, how):
    with launch(script=BREAKS.replace("HOW", how)) as page:
        page.click(source)
        assert "on this device failed" in wait_for_text(page, "#message-text", ".")
        page.click("#remedies >> text=Try again")
        wait_for_text(page, "#verdict", VERDICT.pattern)
        assert page.is_hidden("#message")


def test_a_server_with_a_token_asks_for_it(launch, guarded_server):
    address, token = guarded_server
    attempts = (
        ("shortened-when-copied…", "has one"),
        ("another-token-than-this", "“…”"),
        (f" {token} ", "does not know"),
    )
    with launch(address=address) as page:
        for attempt, hint in attempts:
            page.wait_for_selector(f"#token-hint:has-text('{hint}')")
            page.fill("#token-value", attempt)
            page.keyboard.press("Enter")
        wait_for_text(page, "#model", "Network 0")
        for mode in ("server", "device"):
            choose_mode(page, mode)
            page.click("#start")
            wait_for_text(page, "#verdict", VERDICT.pattern)
            page.click("#stop")
        assert page.is_hidden("#message")


def test_a_reload_while_streaming_leaves_no_stream_behind(launch, server):
    with launch() as page:
        page.on("dialog", lambda dialog: dialog.accept())
        for _ in range(2):
            choose_mode(page, "server")
            page.click("#start")
            wait_for_text(page, "#verdict", VERDICT.pattern)
            page.reload()
            assert page.is_hidden("#face")
        wait_until(
            page, "async () => /^mien_streams 0/m.test(await (await fetch('/metrics')).text())"
        )


def test_modes_can_be_switched_while_the_camera_runs(launch):
    with launch() as page:
        page.click("#start")
        for mode, place in (("device", "device"), ("server", "server"), ("device", "device")):
            choose_mode(page, mode)
            wait_for_text(page, "#status", f"Running.*{place}")
            wait_for_text(page, "#verdict", VERDICT.pattern)
            wait_for_text(page, "#who", "^Person 1$")
        assert page.is_hidden("#message")


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.mark.parametrize("mode", ["device", "server"])
def test_a_hidden_tab_goes_on_when_somebody_looks(launch, mode):
    with launch() as page:
        choose_mode(page, mode)
        start_camera(page)
        page.evaluate(HIDE, True)
        wait_for_text(page, "#status", "Waiting until somebody looks")
        page.evaluate(HIDE, False)
        wait_for_text(page, "#status", "Running.*while this tab was hidden")
        wait_for_text(page, "#record-size", "with 1 gap")
        wait_for_text(page, "#who", "^Person 1$")
        assert page.is_hidden("#message")


def test_a_server_that_comes_back_is_found_again(launch, serve):
    address = serve()
    with launch(address=address) as page:
        choose_mode(page, "server")
        start_camera(page)
        serve.stop(address)
        wait_for_text(page, "#loading-text", "connection to the server is gone")
        assert page.is_hidden("#message")
        serve("--port", str(urlsplit(address).port))
        wait_for_text(page, "#status", "Running.*while the server was gone")
        assert page.is_hidden("#loading")


def test_a_server_that_ends_long_streams_is_asked_for_another_one(launch, serve):
    with launch(address=serve("--limit", "stream_seconds=1")) as page:
        choose_mode(page, "server")
        start_camera(page)
        wait_for_text(page, "#record-size", "with ([3-9]|[1-9][0-9]+) gaps")
        rows_come(page)
        assert page.is_hidden("#message")


MUTE = """muted => {
    const [track] = document.querySelector("#video").srcObject.getVideoTracks();
    Object.defineProperty(track, "muted", { configurable: true, get: () => muted });
    track.dispatchEvent(new Event(muted ? "mute" : "unmute"));
}"""


@pytest.mark.parametrize("mode", ["device", "server"])
def test_a_camera_that_gives_no_picture_is_told_and_goes_on_with_one(launch, mode):
    with launch() as page:
        choose_mode(page, mode)
        start_camera(page)
        page.evaluate(MUTE, True)
        wait_for_text(page, "#status", "The camera gives no picture")
        # A pause and its end change nothing of that.
        page.click("#pause")
        wait_for_text(page, "#status", "^Paused.$")
        page.click("#pause")
        wait_for_text(page, "#status", "The camera gives no picture")
        rows = page.inner_text("#record-size")
        page.evaluate(MUTE, False)
        wait_for_text(page, "#status", "Running.*while the camera gave no picture")
        assert page.inner_text("#record-size") != rows
        # The pause has its own, between two without a picture.
        wait_for_text(page, "#record-size", "with 3 gaps")
        wait_for_text(page, "#who", "^Person 1$")
        assert page.is_hidden("#message")


@pytest.mark.parametrize("mode", ["device", "server"])
def test_a_camera_has_the_limits_of_its_own_size_in_both_places(
    launch, mode, astronaut_bgr, tmp_path
):
    # Its face has 30 pixels, and 15 in a picture reduced to 640: the limit is at 20.
    picture = np.full((720, 1280, 3), 140, np.uint8)
    picture[300:460, 560:720] = cv2.resize(astronaut_bgr, (160, 160), interpolation=cv2.INTER_AREA)
    camera_file = tmp_path / "camera.y4m"
    frame = b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes()
    camera_file.write_bytes(b"YUV4MPEG2 W1280 H720 F20:1 Ip A1:1 C420jpeg\n" + 20 * frame)
    camera = ["--use-fake-device-for-media-stream"]
    camera.append(f"--use-file-for-fake-video-capture={camera_file}")
    with launch(camera=False, arguments=camera) as page:
        choose_mode(page, mode)
        start_camera(page)
        page.click("#pause")
        table = list(read_record(download(page, "[data-export=csv]", tmp_path)))
    for face in table:
        assert 20 < max(face.box.width, face.box.height) < 40
        assert "min_side_px" not in {limit.limit for limit in face.missed_limits}


IN_HASTE = """
    // Where the session is in haste, what takes seconds takes half a second.
    const later = setTimeout;
    globalThis.setTimeout = (call, ms) =>
        later(call, sessionStorage.haste ? Math.min(ms, 500) : ms);
"""


def test_a_server_that_says_nothing_is_told_and_can_be_asked_again(launch):
    silent = []
    with launch(script=IN_HASTE) as page:
        wait_until(
            page, "async () => (await (await caches.open('mien-networks')).keys()).length === 4"
        )
        page.evaluate("caches.delete('mien-networks')")
        page.route("**/v1/model", lambda route: silent.append(route))
        page.evaluate("sessionStorage.haste = 'yes'")
        page.reload()
        wait_for_text(page, "#message-text", "does not answer")
        # Whoever asks again before anything is shown is told again.
        for button in ("#remedies >> text=Try again", "[data-sample=photograph]"):
            # Every message has buttons of its own.
            old = "buttons => buttons.forEach(button => button.dataset.old = 'yes')"
            page.locator("#remedies button").evaluate_all(old)
            page.click(button)
            page.wait_for_selector("#remedies button:not([data-old])")
            wait_for_text(page, "#message-text", "does not answer")
        page.unroute("**/v1/model")
        page.evaluate("delete sessionStorage.haste")
        page.click("#remedies >> text=Try again")
        wait_for_text(page, "#status", "Recognised")
        # What is known of the network only now is shown as well.
        assert page.inner_text("#model").startswith("Network 0")
        assert page.locator("#readings option").count() == 2
    assert silent


@contextmanager
def silence(port):
    """A server that takes every connection, and never says anything."""
    with socket.create_server(("127.0.0.1", port), backlog=50) as listener:
        connections = []

        def take():
            with suppress(OSError):
                while True:
                    connections.append(listener.accept())

        thread = Thread(target=take, daemon=True)
        thread.start()
        yield connections
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection, _ in connections:
            connection.close()


def test_a_page_that_was_visited_works_while_its_server_says_nothing(launch, serve):
    address = serve()
    with launch(address=address) as page:
        page.click("[data-sample=photograph]")
        wait_for_text(page, "#status", "Recognised")
        wait_until(page, KEPT)
        serve.stop(address)
        with silence(urlsplit(address).port) as connections:
            page.reload()
            page.click("[data-sample=people]")
            wait_for_text(page, "#people", "Face 3")
    assert connections


def test_without_a_detector_for_browsers_the_page_says_so_before_the_start(launch, serve, tmp_path):
    address = serve(MIEN_YUNET="", XDG_CACHE_HOME=str(tmp_path))
    with launch(address=address) as page:
        wait_for_text(page, "#promise", "no face detector for browsers")
        assert page.is_disabled("[value=device]")
        assert page.is_checked("[value=server]")
        page.click("#start")
        wait_for_text(page, "#verdict", VERDICT.pattern)


def test_after_one_visit_it_works_without_a_connection(launch, serve):
    address = serve()
    with launch(address=address) as page:
        page.click("[data-sample=photograph]")
        wait_for_text(page, "#status", "Recognised")
        wait_until(page, KEPT)
        serve.stop(address)
        page.reload()
        page.click("[data-sample=people]")
        wait_for_text(page, "#people", "Face 3")
        page.click("#stop")
        start_camera(page)
        page.select_option("#steadying", "network")
        rows_come(page)
        assert page.is_hidden("#message")
        kept = page.evaluate(
            "async () => (await Promise.all((await caches.keys()).map(async name =>"
            " (await (await caches.open(name)).keys()).map(r => r.url)))).flat()"
        )
    # Of pictures, the samples and icons alone.
    pictures = [url for url in kept if re.search(r"\.(jpg|png|mp4)$", url)]
    assert all(re.search("/(icon|assets/(people|photograph|clip|demo))-", url) for url in pictures)


def test_the_keyboard_does_it_all(launch):
    with launch() as page:
        page.focus("#start")
        page.keyboard.press("Enter")
        wait_for_text(page, "#who", "Person 1")
        # The button that was pressed is gone: the keyboard is on another one.
        assert page.evaluate("document.activeElement.id") == "stop"
        wait_for_text(page, "#announcement", "^Person 1: [A-Z][a-z]+(, uncertain)?$")
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.id === 'start'")
        page.keyboard.press("Enter")
        # The panel holds what it last said until there is somebody new.
        wait_for_text(page, "#who", "Person 2")
        page.focus("[value=device]")
        page.keyboard.press("ArrowRight")
        assert page.is_checked("[value=server]")
        page.focus("#pause")
        page.keyboard.press("Enter")
        wait_for_text(page, "#status", "^Paused.$")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "size", [(360, 740), (844, 390), (1280, 800)], ids=["phone", "landscape", "desktop"]
)
def test_axe_finds_nothing_and_what_counts_is_in_sight(launch, axe, scheme, size):
    width, height = size
    with launch(color_scheme=scheme, viewport={"width": width, "height": height}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert faults(page, axe) == []
        start_camera(page)
        wait_for_text(page, "#chart-title", "minute")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for part in ("#screen", "#verdict", ".bars li:not(.lower)"):
            assert bottom(page, part) <= height
        assert page.evaluate("document.querySelector('#screen').offsetHeight") <= 0.8 * height
        assert faults(page, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_photo_a_message_and_a_question(
    launch, axe, guarded_server, scheme, crowd_bgr, tmp_path
):
    for name in ("one.png", "two.png"):
        cv2.imwrite(str(tmp_path / name), crowd_bgr)
    with launch(camera=False, color_scheme=scheme) as page:
        open_photo(page, tmp_path / "one.png", tmp_path / "two.png")
        assert faults(page, axe) == []
        page.click("#stop")
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


def bottom(page, selector):
    """Lower edge of the lowest of some parts of the page, in pixels of the window."""
    return page.evaluate(
        "selector => Math.max(...[...document.querySelectorAll(selector)]"
        ".map(part => part.getBoundingClientRect().bottom))",
        selector,
    )


@pytest.fixture
def exported(tmp_path, yunet):
    """The address of the page as plain files, and the function that stops its web server."""
    page = pytest.importorskip("mien.serve.routes.page")
    if not page.is_built():
        pytest.skip("the page is not built: run  make web")
    site.export_site(tmp_path / "site")
    handler = partial(QuietHandler, directory=tmp_path / "site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()

    def stop():
        server.shutdown()
        server.server_close()

    yield f"http://127.0.0.1:{server.server_port}", stop
    stop()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_the_exported_page_needs_no_server_but_any(launch, exported):
    address, stop = exported
    with launch(address=address) as page:
        assert page.is_hidden("#places")
        page.click("[data-sample=photograph]")
        wait_for_text(page, "#status", "Recognised on this device")
        assert VERDICT.fullmatch(page.inner_text("#verdict"))
        assert page.is_visible("#record-note")
        assert page.is_hidden("#save-report")
        assert page.is_hidden("#report-note")
        wait_until(page, KEPT)
        stop()
        page.reload()
        # Its service worker gives it the memory that threads share.
        assert page.evaluate("crossOriginIsolated")
        page.click("[data-sample=people]")
        wait_for_text(page, "#people", "Face 3")


def test_a_newer_page_is_offered_and_loaded_at_a_click(launch, exported, tmp_path, monkeypatch):
    address, _ = exported
    with launch(address=address) as page:
        wait_until(page, "async () => navigator.serviceWorker.controller")
        assert page.is_hidden("#update")
        # The export of a newer mien is put in the place of what was there.
        built = tmp_path / "built"
        shutil.copytree(site.static_folder(), built)
        index = (built / "index.html").read_text(encoding="utf-8")
        index = index.replace("<h1>mien<", "<h1>newer<")
        (built / "index.html").write_text(index, encoding="utf-8")
        monkeypatch.setattr(site, "static_folder", lambda: built)
        site.export_site(tmp_path / "newer")
        shutil.copytree(tmp_path / "newer", tmp_path / "site", dirs_exist_ok=True)
        page.reload()
        page.wait_for_selector("#update")
        # Until it is wanted, the page that was there stays.
        assert page.inner_text("h1") == "mien"
        with page.expect_navigation():
            page.click("#reload")
        assert page.inner_text("h1") == "newer"
        assert page.is_hidden("#update")
