"""What the page computes, against Python: the same pixels, probabilities and averages."""

import mimetypes
import shutil
import subprocess
from dataclasses import astuple

import cv2
import numpy as np
import pytest

from mien.core.types import Box, Face
from mien.engine.smoothing import SMOOTH_MS, Smoother
from mien.faces.crop import FRAMINGS, crop_faces
from mien.faces.gate import measure_quality
from mien.faces.reduce import reduce_picture
from mien.recognizer import Recognizer

HAS_WEBGPU = """async () =>
    "Suspending" in WebAssembly && Boolean(await navigator.gpu?.requestAdapter())"""
ORIGIN = "http://localhost:1"  # Nothing listens there: the test answers itself.


@pytest.fixture(scope="module")
def parity_page(tmp_path_factory, web_folder, launch_browser, crowd_bgr, recognizer):
    """Build the page that computes for the tests, and open it in a browser."""
    if not (web_folder / "node_modules/.bin/vite").exists() or not shutil.which("node"):
        pytest.skip("the page's tools are not installed: run  make web")
    files = tmp_path_factory.mktemp("parity")
    words = ["node_modules/.bin/vite", "build", "--config", "tests/vite.config.ts"]
    subprocess.run(
        [*words, "--outDir", str(files), "--logLevel", "error"], cwd=web_folder, check=True
    )
    cv2.imwrite(str(files / "picture.png"), crowd_bgr)
    shutil.copy(recognizer.artifact.onnx_path, files / "emotion.onnx")

    def answer(route):
        path = files / route.request.url.removeprefix(f"{ORIGIN}/")
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        kind = "text/javascript" if path.suffix == ".mjs" else kind
        route.fulfill(body=path.read_bytes(), content_type=kind)

    with launch_browser(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]) as page:
        page.context.route(f"{ORIGIN}/**", answer)
        page.goto(f"{ORIGIN}/parity.html")
        page.wait_for_function("window.parity")
        yield page


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(detector="haar", threads=1)


def random_faces(count):
    """Faces of all sizes and tilts, some of them partly or wholly outside the picture."""
    random = np.random.default_rng(5)
    faces = []
    for side in np.geomspace(3, 900, count):
        box = Box(*random.uniform([-60, -60], [1280, 720]), side, side * random.uniform(0.8, 1.3))
        tilt = random.normal(scale=0.5)
        turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        points = side * np.array([[-0.2, -0.2], [0.2, -0.2], [0, 0], [-0.15, 0.2], [0.15, 0.2]])
        centre = [box.x + box.width / 2, box.y + box.height / 2]
        faces.append(Face(box, 1.0, (points @ turn + centre).astype(np.float32)))
    return faces


@pytest.mark.parametrize("backend", ["wasm", "webgpu"])
def test_the_same_picture_and_boxes_give_the_same_probabilities(
    parity_page, recognizer, crowd_bgr, backend
):
    if backend == "webgpu" and not parity_page.evaluate(HAS_WEBGPU):
        pytest.skip("this browser has no WebGPU")
    # Software draws in the place of a graphics card, slowly.
    faces = random_faces(60 if backend == "wasm" else 6)
    framing = recognizer.artifact.crop.get("yunet", FRAMINGS["yunet"])
    question = {
        "backend": backend,
        "picture": "picture.png",
        "network": "emotion.onnx",
        "temperature": recognizer.artifact.temperature,
        "framing": dict(zip(("scale", "offset_x", "offset_y"), astuple(framing), strict=True)),
        "faces": [
            {
                "box": dict(
                    zip(("x", "y", "width", "height"), map(float, astuple(face.box)), strict=True)
                ),
                "landmarks": face.landmarks.ravel().tolist(),
            }
            for face in faces
        ],
    }
    found = parity_page.evaluate("question => parity.judge(question)", question)
    crops = crop_faces(crowd_bgr, faces, framing)
    np.testing.assert_array_equal(np.reshape(found["crops"], (-1, 48, 48)), crops)
    probabilities, likeness = recognizer.classify_with_likeness(crops)
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-3)
    for n, quality in enumerate(found["qualities"]):
        want = measure_quality(crops[n], float(likeness[n]), faces[n], crowd_bgr.shape)
        names = ("sidePx", "inside", "brightness", "contrast", "sharpness", "likeness")
        assert [quality[name] for name in names] == pytest.approx(astuple(want), abs=1e-3)


@pytest.mark.parametrize("longest_side", [1000, 640, 333, 100])
def test_a_picture_is_reduced_to_the_same_pixels(parity_page, crowd_bgr, longest_side):
    found = parity_page.evaluate("side => parity.reduced('picture.png', side)", longest_side)
    picture, scale = reduce_picture(crowd_bgr, longest_side, cv2.INTER_LINEAR)
    assert found["scale"] == pytest.approx(scale)
    rgba = np.reshape(found["data"], (found["height"], found["width"], 4))
    np.testing.assert_array_equal(rgba[..., 2::-1], picture)


def test_a_record_that_is_full_keeps_the_newest_rows(parity_page):
    found = parity_page.evaluate("frames => parity.recorded(frames, 1000)", 450_001)
    assert found == list(range(450_000 - 60, 450_001))


def test_smoothing_gives_the_same_averages_and_labels(parity_page):
    random = np.random.default_rng(6)
    times = np.cumsum(random.uniform(10, 200, 80)).tolist()
    rows = random.dirichlet(np.full(7, 0.4), 80).astype(np.float32)
    course = [
        {"ms": ms, "probabilities": row.tolist()} for ms, row in zip(times, rows, strict=True)
    ]
    found = parity_page.evaluate("([course, ms]) => parity.smooth(course, ms)", [course, SMOOTH_MS])
    smoother = Smoother(SMOOTH_MS)
    for step, ms, row in zip(found, times, rows, strict=True):
        averaged, label = smoother.smooth(1, row, ms)
        assert step["label"] == label
        assert step["probabilities"] == pytest.approx(averaged, abs=1e-5)
