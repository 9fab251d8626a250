"""What the page computes, against Python: the same pixels, probabilities and averages."""

import mimetypes
import re
import shutil
import subprocess
from dataclasses import asdict, astuple

import cv2
import numpy as np
import pytest

from mien.batch.folder import sources_schema, summary_schema
from mien.batch.worker import part_schema
from mien.classifier.classifier import Classifier
from mien.core.temporal import bundled_temporal
from mien.core.types import Box, Face
from mien.engine.smoothing import SMOOTH_MS, Smoother
from mien.engine.temporal import TemporalMemory
from mien.engine.tracks import Observation
from mien.faces.crop import crop_faces
from mien.faces.detect import FRAMINGS
from mien.faces.gate import Quality, measure_quality
from mien.faces.reduce import reduce_picture
from mien.media.source import VIDEO_SUFFIXES
from mien.record.table import label_columns

HAS_WEBGPU = """async () =>
    "Suspending" in WebAssembly && Boolean(await navigator.gpu?.requestAdapter())"""
ORIGIN = "http://localhost:1"  # Nothing listens there: the test answers itself.


@pytest.fixture(scope="module")
def parity_page(tmp_path_factory, web_folder, launch_browser, crowd_bgr, foreign_artifact):
    """Build the page that computes for the tests, and open it in a browser."""
    if not (web_folder / "node_modules/.bin/vite").exists() or not shutil.which("node"):
        pytest.skip("the page's tools are not installed: run  make web")
    files = tmp_path_factory.mktemp("parity")
    words = ["node_modules/.bin/vite", "build", "--config", "tests/vite.config.ts"]
    subprocess.run(
        [*words, "--outDir", str(files), "--logLevel", "error"], cwd=web_folder, check=True
    )
    cv2.imwrite(str(files / "picture.png"), crowd_bgr)
    shutil.copy(Classifier().artifact.onnx_path, files / "shipped.onnx")
    shutil.copy(bundled_temporal(), files / "temporal.onnx")
    foreign_artifact(files / "foreign.onnx")

    def answer(route):
        path = files / route.request.url.removeprefix(f"{ORIGIN}/")
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        kind = "text/javascript" if path.suffix == ".mjs" else kind
        route.fulfill(body=path.read_bytes(), content_type=kind)

    with launch_browser(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]) as page:
        page.context.route(f"{ORIGIN}/**", answer)
        page.goto(f"{ORIGIN}/parity.html")
        page.wait_for_function("window.parity")
        page.folder = files
        yield page


def test_the_page_knows_a_video_by_the_same_names(web_folder):
    code = (web_folder / "src" / "machine.ts").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"^const VIDEO_NAME = /(.+)/i;$", code, re.M)
    (names,) = re.findall(r"\((.+)\)", pattern)
    for suffix in VIDEO_SUFFIXES:
        assert re.search(pattern, f"clip{suffix}"), suffix
    for name in names.split("|"):
        assert any(re.fullmatch(name, suffix[1:]) for suffix in VIDEO_SUFFIXES), name


def test_the_page_gives_labels_the_columns_that_python_gives_them(web_folder):
    code = (web_folder / "src" / "record" / "table.ts").read_text(encoding="utf-8")
    names = {
        *summary_schema(()).names,
        *sources_schema(()).names,
        *part_schema((), temporal=True).names,
    }
    for name in names | {"kind", "path"}:
        assert label_columns((name,)) == (f"label_{name}",)
        assert f'"{name}"' in code, name


def settings_of(classifier):
    """Return what the page makes of `/v1/model`."""
    artifact = classifier.artifact
    return {
        "input": asdict(artifact.input),
        "heads": artifact.heads,
        "faceLikeness": artifact.face_likeness,
        "features": artifact.features,
        "readingName": classifier.reading_name,
        "reading": asdict(classifier.reading),
    }


def random_faces(count):
    """Faces of all sizes and tilts, some of them partly or wholly outside the picture."""
    random = np.random.default_rng(5)
    faces = []
    for side in np.geomspace(3, 900, count):
        x, y = random.uniform([-60, -60], [1280, 720])
        box = Box(x, y, side, side * random.uniform(0.8, 1.3))
        tilt = random.normal(scale=0.5)
        turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        nose = random.normal(scale=0.1, size=2)
        points = side * np.array([[-0.2, -0.2], [0.2, -0.2], nose, [-0.15, 0.2], [0.15, 0.2]])
        centre = [box.x + box.width / 2, box.y + box.height / 2]
        faces.append(Face(box, 1.0, (points @ turn + centre).astype(np.float32)))
    return faces


@pytest.mark.parametrize(
    ("backend", "network", "reading"),
    [
        ("wasm", "shipped", "raters"),
        ("wasm", "shipped", "labels"),
        ("webgpu", "shipped", "raters"),
        ("wasm", "foreign", None),
    ],
)
def test_the_same_picture_and_boxes_give_the_same_probabilities(
    parity_page, crowd_bgr, backend, network, reading
):
    if backend == "webgpu" and not parity_page.evaluate(HAS_WEBGPU):
        pytest.skip("this browser has no WebGPU")
    # Software draws instead of a graphics card, slowly.
    faces = random_faces(60 if backend == "wasm" else 6)
    path = None if network == "shipped" else parity_page.folder / "foreign.onnx"
    classifier = Classifier(path, reading=reading, threads=1)
    framing = classifier.artifact.crop.get("yunet", FRAMINGS["yunet"])
    question = {
        "backend": backend,
        "picture": "picture.png",
        "network": f"{network}.onnx",
        "settings": settings_of(classifier),
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
    crops = crop_faces(crowd_bgr, faces, framing, classifier.artifact.input)
    np.testing.assert_array_equal(np.reshape(found["crops"], crops.shape), crops)
    outputs = classifier.classify(crops)
    np.testing.assert_allclose(found["probabilities"], outputs.probabilities, atol=1e-3)
    for n, quality in enumerate(found["qualities"]):
        want = measure_quality(crops[n], float(outputs.likeness[n]), faces[n], crowd_bgr.shape)
        names = ("sidePx", "inside", "brightness", "contrast", "sharpness", "likeness")
        # JSON has no infinity.
        found_values = [np.inf if quality[name] is None else quality[name] for name in names]
        angles = astuple(want)[len(names) :]
        assert found_values == pytest.approx(astuple(want)[: len(names)], abs=1e-3)
        assert tuple(quality["angles"].values()) == pytest.approx(angles, abs=1e-2)


@pytest.mark.parametrize("longest_side", [1000, 640, 333, 100])
def test_a_picture_is_reduced_to_the_same_pixels(parity_page, crowd_bgr, longest_side):
    found = parity_page.evaluate("side => parity.reduced('picture.png', side)", longest_side)
    picture, scale = reduce_picture(crowd_bgr, longest_side, cv2.INTER_LINEAR)
    assert found["scale"] == pytest.approx(scale)
    rgba = np.reshape(found["data"], (found["height"], found["width"], 4))
    np.testing.assert_array_equal(rgba[..., 2::-1], picture)


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
        averaged, label = smoother.observe(1, Observation(ms, row))
        assert step["label"] == label
        assert step["probabilities"] == pytest.approx(averaged, abs=1e-5)


@pytest.mark.parametrize("backend", ["wasm", "webgpu"])
def test_a_network_over_time_gives_the_same_probabilities_and_labels(parity_page, backend):
    if backend == "webgpu" and not parity_page.evaluate(HAS_WEBGPU):
        pytest.skip("this browser has no WebGPU")
    memory = TemporalMemory(bundled_temporal(), Classifier(threads=1))
    random = np.random.default_rng(7)
    moments, expected = [], []
    for ms in np.cumsum(random.uniform(10, 1500, 60)).tolist():
        # Sometimes one face, sometimes several: the page asks for all of them at once.
        ids = np.flatnonzero(random.random(3) < 0.7).tolist()
        faces = []
        for track_id in ids:
            row = random.dirichlet(np.full(7, 0.4)).astype(np.float32)
            features = random.normal(size=memory.artifact.features).astype(np.float32)
            measured = random.uniform([40, 6, 0.2, -2], [200, 60, 2, 30]).tolist()
            quality = Quality(50, 1, *measured)
            seen = Observation(ms, row, features, quality)
            expected.append((*memory.observe(track_id, seen), memory.whole(track_id)))
            faces.append(
                {
                    "trackId": track_id,
                    "probabilities": row.tolist(),
                    "features": features.tolist(),
                    "quality": asdict(quality),
                }
            )
        moments.append({"ms": ms, "faces": faces})
    info = {
        "sha256": memory.artifact.sha256,
        "state": memory.artifact.state,
        "longest_elapsed_ms": memory.artifact.longest_elapsed_ms,
    }
    found = parity_page.evaluate(
        "([backend, info, moments]) => parity.follow(backend, 'temporal.onnx', info, moments)",
        [backend, info, moments],
    )
    shown = [face for faces in found for face in faces]
    for face, (probabilities, label, whole) in zip(shown, expected, strict=True):
        assert face["label"] == label
        assert face["probabilities"] == pytest.approx(probabilities, abs=1e-4)
        assert face["whole"] == pytest.approx(whole, abs=1e-4)
