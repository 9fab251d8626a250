"""Show the same faces to the networks of mien, `fer` and human; print how often each is right.

    python benchmarks/accuracy_against_peers.py data/test_with_emotions.csv data/fer2013new.csv
        [--peers-python ENV/bin/python] [--node-modules /tmp/human/node_modules]

The faces are FER2013's 7,178 test faces as they are, 48 × 48 pixels, with no detector before them.
Each network gets them as its own library would hand them over: resized to its input, grey, between
-1 and 1. `fer` runs in the environment of `--peers-python`, human in Chromium, from the folder that
`benchmarks/page_against_human.py` says how to make; one that is not named is left out.

Two columns, two truths: FER2013's label, and the majority of FER+'s ten raters (Barsoum et al.
2016, section 4: eight classes; none of the three networks knows contempt). Only published networks
are shown the test faces here: nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import base64
import mimetypes
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from inputs import existing, find_chromium
from numpy.typing import NDArray
from playwright.sync_api import Route, sync_playwright

from mien.classifier.classifier import Classifier
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import load_votes, majority_votes
from mien.evaluation.metrics import Accuracy, accuracy_with_interval
from mien.evaluation.test_set import faces_to_score, votes_for_test

FER = """
import sys
import cv2, numpy as np
from fer.fer import FER
faces = np.load(sys.argv[1])
network = FER()
grey = np.stack([cv2.resize(face, (64, 64)) for face in faces]).astype(np.float32)
np.save(sys.argv[2], np.asarray(network._classify_emotions((grey / 255.0 - 0.5) * 2.0)))
"""

ORIGIN = "http://localhost:1"  # Nothing listens there: the benchmark answers itself.
HUMAN_BATCH = 256
HUMAN_PAGE = """<!doctype html><script type="module">
import { Human } from "./@vladmandic/human/dist/human.esm.js";
const human = new Human({
    backend: "wasm", wasmPath: "./@tensorflow/tfjs-backend-wasm/dist/", debug: false,
});
await human.init();
const tf = human.tf;
const network = await tf.loadGraphModel("./@vladmandic/human/models/emotion.json");
const side = network.inputs[0].shape[2];
window.classify = async encoded => {
    const pixels = Uint8Array.from(atob(encoded), letter => letter.charCodeAt(0));
    const answer = tf.tidy(() => {
        const faces = tf.tensor4d(Float32Array.from(pixels), [pixels.length / 2304, 48, 48, 1]);
        const resized = tf.image.resizeBilinear(tf.div(faces, 255), [side, side], false);
        return network.execute(tf.mul(tf.sub(resized, 0.5), 2));
    });
    return Array.from(await answer.data());
};
window.ready = true;
</script>"""


def main() -> None:
    """Ask all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=existing)
    parser.add_argument("votes", type=existing)
    parser.add_argument("--peers-python", type=existing)
    parser.add_argument("--node-modules", type=existing)
    options = parser.parse_args()
    chromium = find_chromium() if options.node_modules else ""
    scored = faces_to_score(load_dataset(options.faces))
    votes = votes_for_test(scored, load_votes(options.votes))
    if votes is None:
        sys.exit(f"{options.faces} does not hold FER2013's 7,178 test faces in their order.")
    print(f"{'':<22} {'of the labels':>34} {'of the raters’ majority':>34}")
    for reading in ("labels", "raters"):
        found = Classifier(reading=reading).classify(scored.faces_u8).probabilities
        tell(f"mien, reading {reading}", found, scored.labels, votes)
    if options.peers_python:
        tell("fer", ask_fer(options.peers_python, scored.faces_u8), scored.labels, votes)
    if options.node_modules:
        tell(
            "human",
            ask_human(options.node_modules, chromium, scored.faces_u8),
            scored.labels,
            votes,
        )


def tell(
    name: str,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.integer],
    votes: NDArray[np.float32],
) -> None:
    """Print a network's row of the table."""
    said = probabilities.argmax(axis=1)
    of_labels = accuracy_with_interval(said == labels)
    print(
        f"{name:<22} {percent(of_labels):>34} {percent(by_majority(said, votes)):>34}", flush=True
    )


def by_majority(said: NDArray[np.int64], votes: NDArray[np.float32]) -> Accuracy:
    """How often an answer is what most raters say, on the faces on which they have a majority."""
    majority = majority_votes(votes)
    clear = majority >= 0
    classes = np.array([VOTE_CLASSES.index(emotion) for emotion in EMOTIONS])[said]
    return accuracy_with_interval((classes == majority)[clear])


def percent(accuracy: Accuracy) -> str:
    """The accuracy, its 95 % interval, and of how many faces it is."""
    interval = f"{accuracy.low * 100:.1f} to {accuracy.high * 100:.1f}"
    return f"{accuracy.value:.2%} ({interval}) of {accuracy.count:,}"


def ask_fer(python: Path, faces_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what `fer`'s network says, (N, 7) in the order of `EMOTIONS`."""
    with tempfile.TemporaryDirectory() as name:
        faces, answers = Path(name) / "faces.npy", Path(name) / "answers.npy"
        np.save(faces, faces_u8)
        words = [str(python), "-c", FER, str(faces), str(answers)]
        subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
        return np.asarray(np.load(answers), np.float32)


def ask_human(
    node_modules: Path, chromium: str, faces_u8: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return what human's network says, (N, 7) in the order of `EMOTIONS`."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(f"{ORIGIN}/")
        file = node_modules / path
        if path == "index.html":
            route.fulfill(body=HUMAN_PAGE, content_type="text/html")
        elif file.is_file():
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            script = path.endswith((".js", ".mjs"))
            route.fulfill(
                body=file.read_bytes(), content_type="text/javascript" if script else kind
            )
        else:
            route.fulfill(status=404)

    rows: list[Any] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.route(f"{ORIGIN}/**", answer)
        page.goto(f"{ORIGIN}/index.html")
        page.wait_for_function("() => window.ready", timeout=120_000)
        for start in range(0, len(faces_u8), HUMAN_BATCH):
            encoded = base64.b64encode(faces_u8[start : start + HUMAN_BATCH].tobytes()).decode()
            rows += page.evaluate("encoded => window.classify(encoded)", encoded)
        browser.close()
    return np.array(rows, np.float32).reshape(len(faces_u8), len(EMOTIONS))


if __name__ == "__main__":
    main()
