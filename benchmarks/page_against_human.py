"""Run the same clip through mien's page and `@vladmandic/human` in one Chromium; print the ratios.

    npm install --prefix /tmp/human @vladmandic/human@3.3.6 @tensorflow/tfjs-backend-wasm@4.22.0
    python benchmarks/scenes.py "one person" clip.mp4 --size 596x336
    python benchmarks/page_against_human.py clip.mp4 /tmp/human/node_modules [--rounds 3]

Both run in WebAssembly, in turn, so many rounds; the medians count. human does what it needs for
emotions (face detector and emotion) on every frame, which lies decoded in memory; mien's page opens
the clip as its users do, so its time holds decoding and drawing too. Results a second are frames
through the time from the first to the last; CPU time is that of all of Chromium's processes.

For mien's page, the time of a first visit is taken too, from its load to a recognised sample
picture. Then it watches a camera of 60 frames a second that shows the clip: how many results and
how many drawn frames a second its own display says. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import cv2
from inputs import existing, find_chromium
from playwright.sync_api import Browser, Page, Route, sync_playwright

ORIGIN = "http://localhost:1"  # Nothing listens there: the benchmark answers itself.
CAMERA_FRAMES = 240
FIRST_RESULT = "seconds from the load of the page, nothing kept, to the first recognised sample"

HUMAN_PAGE = """<!doctype html><script type="module">
import { Human } from "./@vladmandic/human/dist/human.esm.js";
const off = { enabled: false };
const human = new Human({
    backend: "wasm", wasmPath: "./@tensorflow/tfjs-backend-wasm/dist/",
    modelBasePath: "./@vladmandic/human/models/", cacheSensitivity: 0, debug: false,
    filter: off, gesture: off, body: off, hand: off, object: off, segmentation: off,
    face: { enabled: true, detector: { rotation: false }, mesh: off, iris: off, description: off,
        antispoof: off, liveness: off, attention: off, emotion: { enabled: true } },
});
const frames = [];
for (let n = 0; n < FRAMES; n++) {
    frames.push(await createImageBitmap(await (await fetch(`./frames/${n}.jpg`)).blob()));
}
const canvas = document.createElement("canvas");
canvas.width = frames[0].width;
canvas.height = frames[0].height;
const context = canvas.getContext("2d");
window.run = async () => {
    let faces = 0;
    const started = performance.now();
    for (const frame of frames) {
        context.drawImage(frame, 0, 0);
        const found = await human.detect(canvas);
        faces += found.face.length > 0 && found.face[0].emotion?.length > 0;
    }
    return { ms: performance.now() - started, frames: frames.length, faces };
};
await human.load();
await human.warmup();
context.drawImage(frames[0], 0, 0);
await human.detect(canvas);
window.ready = human.tf.getBackend();
</script>"""


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=existing)
    parser.add_argument("node_modules", type=existing)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=240)
    options = parser.parse_args()
    existing(str(options.node_modules / "@vladmandic/human/dist/human.esm.js"))
    chromium = find_chromium()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        short, camera = cut(options.clip, folder, options.frames)
        with serve(folder) as address:
            browser = playwright.chromium.launch(
                executable_path=chromium,
                args=[
                    *(["--no-sandbox"] if os.geteuid() == 0 else []),
                    "--use-fake-device-for-media-stream",
                    "--use-fake-ui-for-media-stream",
                    f"--use-file-for-fake-video-capture={camera}",
                ],
            )
            runs: dict[str, list[dict[str, float]]] = {"human": [], "mien": []}
            for _ in range(options.rounds):
                runs["human"].append(run_human(browser, options.node_modules, folder))
                runs["mien"].append(run_mien(browser, address, short, folder))
            print_table(runs)
            first_s = median(run[FIRST_RESULT] for run in runs["mien"])
            print(f"{FIRST_RESULT}: {first_s:.2f}")
            print(f"Camera at 60 frames a second: {watch_camera(browser, address)}")
            browser.close()


def cut(clip: Path, folder: Path, frames: int) -> tuple[Path, Path]:
    """Write the first frames as pictures, as a WebM video, and as the fake camera reads them."""
    (folder / "frames").mkdir()
    capture = cv2.VideoCapture(str(clip))
    fps = capture.get(cv2.CAP_PROP_FPS)
    size = (
        int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
    )
    video = cv2.VideoWriter(str(folder / "clip.webm"), cv2.VideoWriter.fourcc(*"VP80"), fps, size)
    with (folder / "camera.y4m").open("wb") as camera:
        camera.write(f"YUV4MPEG2 W{size[0]} H{size[1]} F60:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(frames):
            read, image_bgr = capture.read()
            if not read:
                sys.exit(f"{clip} has {index} frames; {frames} are needed.")
            picture = str(folder / f"frames/{index}.jpg")
            cv2.imwrite(picture, image_bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
            video.write(image_bgr)
            if index < CAMERA_FRAMES:
                camera.write(b"FRAME\n" + cv2.cvtColor(image_bgr, cv2.COLOR_BGR2YUV_I420).tobytes())
    video.release()
    return folder / "clip.webm", folder / "camera.y4m"


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Run `mien serve` for a while; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["serve", "--port", str(port), "--offline", "--state", str(folder / "state.db")]
    process = subprocess.Popen([sys.executable, "-m", "mien", *words], stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/readyz").close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


@contextmanager
def opened(browser: Browser) -> Iterator[tuple[Page, list[int]]]:
    """Open an empty page that counts the bytes it loads."""
    context = browser.new_context()
    page = context.new_page()
    loaded: list[int] = []

    def count(response: Any) -> None:
        sizes = response.request.sizes()
        loaded.append(sizes["responseBodySize"])

    page.on("requestfinished", lambda request: count(request.response()))
    yield page, loaded
    context.close()


def run_human(browser: Browser, node_modules: Path, folder: Path) -> dict[str, float]:
    """Run human over the frames."""
    frames = len(list((folder / "frames").iterdir()))
    sent: list[int] = []

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(f"{ORIGIN}/")
        if path == "index.html":
            body = HUMAN_PAGE.replace("FRAMES", str(frames)).encode()
        else:
            file = (folder if path.startswith("frames/") else node_modules) / path
            if not file.is_file():
                route.fulfill(status=404)
                return
            body = file.read_bytes()
            sent.append(0 if path.startswith("frames/") else len(body))
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        route.fulfill(
            body=body,
            content_type="text/javascript" if path.endswith((".js", ".mjs")) else kind,
            headers={
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Embedder-Policy": "require-corp",
            },
        )

    with opened(browser) as (page, _):
        page.context.route(f"{ORIGIN}/**", answer)
        page.goto(f"{ORIGIN}/index.html")
        page.wait_for_function("() => window.ready", timeout=300_000)
        backend = page.evaluate("window.ready")
        if backend != "wasm":
            sys.exit(f"human runs on {backend}; expected wasm.")
        before_s = cpu_seconds(browser)
        found = page.evaluate("window.run()")
        cpu_s = cpu_seconds(browser) - before_s
    return figures(found["frames"], found["ms"] / 1000, found["faces"], cpu_s, sum(sent))


def run_mien(browser: Browser, address: str, clip: Path, folder: Path) -> dict[str, float]:
    """Let mien's page read the clip."""
    with opened(browser) as (page, loaded):
        page.goto(address)
        loaded_s = time.perf_counter()
        # The networks are opened, as human's are, before time is taken.
        page.click("[data-sample=photograph]")
        wait_for_status(page, "Recognised")
        first_s = time.perf_counter() - loaded_s
        page.click("#stop")
        before_s, started_s = cpu_seconds(browser), time.perf_counter()
        page.set_input_files("#file", clip)
        wait_for_status(page, "^All .* frames recognised")
        seconds, cpu_s = time.perf_counter() - started_s, cpu_seconds(browser) - before_s
        with page.expect_download() as waiting:
            page.click("[data-export=json]")
        table = folder / "mien.json"
        waiting.value.save_as(table)
        rows = [row for row in json.loads(table.read_text()) if row["source"] == clip.name]
    frames = len(list((folder / "frames").iterdir()))
    found = figures(frames, seconds, len({row["frame"] for row in rows}), cpu_s, sum(loaded))
    return found | {FIRST_RESULT: first_s}


def watch_camera(browser: Browser, address: str) -> str:
    """Say how fast mien's page is with a camera, in its own words."""
    with opened(browser) as (page, _):
        page.goto(address)
        page.click("#start")
        wait_for_status(page, "Running")
        time.sleep(8)
        return str(page.text_content("#figures"))


def wait_for_status(page: Page, pattern: str) -> None:
    """Wait until the page's status line matches."""
    page.wait_for_function(
        "pattern => new RegExp(pattern).test(document.querySelector('#status').textContent)",
        arg=pattern,
        timeout=300_000,
    )


def cpu_seconds(browser: Browser) -> float:
    """The CPU time that Chromium's processes have taken."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return float(sum(process["cpuTime"] for process in processes))


def figures(frames: int, seconds: float, faces: int, cpu_s: float, loaded: int) -> dict[str, float]:
    """What is compared."""
    return {
        "results a second": frames / seconds,
        "CPU ms a frame": cpu_s / frames * 1000,
        "frames with a face": faces / frames,
        "megabytes loaded": loaded / 1e6,
    }


def print_table(runs: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians and their ratio."""
    print(f"{'':20}{'human':>10}{'mien':>10}{'mien / human':>15}")
    for name in runs["human"][0]:
        human, mien = (median(run[name] for run in runs[who]) for who in ("human", "mien"))
        print(f"{name:20}{human:10.2f}{mien:10.2f}{mien / max(human, 1e-9):15.2f}")
    each = [
        mien["results a second"] / human["results a second"]
        for human, mien in zip(runs["human"], runs["mien"], strict=True)
    ]
    rounds = ", ".join(f"{ratio:.2f}" for ratio in each)
    print(re.sub(r"\s+", " ", f"Results a second, mien through human, round by round: {rounds}"))


if __name__ == "__main__":
    main()
