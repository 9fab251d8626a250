"""`mien evaluate` and `mien predict`: from files to files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import ARTIFACT_NAME
from mien.core.errors import ModelError
from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.data.fer2013 import Dataset, load_dataset
from mien.data.ferplus import load_votes
from mien.evaluation.figures import draw_confusion_matrix, draw_reliability_diagram
from mien.evaluation.ledger import append_entry, find_entry
from mien.evaluation.network import Network, open_network, short_name
from mien.evaluation.report import Report, evaluate, format_report
from mien.evaluation.test_set import ScoredFaces, agreed_test_labels, faces_to_score
from mien.training.publish import CONFUSION_MATRIX, RELIABILITY_DIAGRAM

SHIPPED_RESULTS = Path("results/model")
OTHER_RESULTS = Path("results/evaluation")


def score_network(
    network_path: Path | None, data: Path, *, out: Path | None, ledger: Path
) -> Report:
    """Score a network on labelled faces, keep the figures, and print them.

    Training faces (`train.csv`, or the file's own rows of that Usage) and FER+'s votes
    (`fer2013new.csv`) are used where they lie beside the data.

    Writes `metrics.json` (the key "test"), `final_test_confusion_matrix.png` and
    `reliability_diagram.png`. If the faces are FER2013's test faces, the look is counted in the
    ledger first; a file that is already there is not counted again, for scoring it once more
    tells nothing new.

    Args:
        network_path: An `.onnx` or `.keras` file; None for the shipped artifact.
        data: Labelled faces, in any format of `mien.data.fer2013.load_dataset`.
        out: Folder to write to; None for the network's own (`results/model` for the shipped
            artifact) if the faces are FER2013's test faces and no other network lies there as
            `emotion.onnx`, else `results/evaluation`. `results/model` takes only the figures of
            the `emotion.onnx` that lies there.
        ledger: The ledger of looks, `experiments/test_scores.jsonl`.

    Raises:
        ModelError: if the network is not usable, or another one lies in `out` as `emotion.onnx`.
        DataError: if the faces are not usable, or have no labels.
    """
    network = open_network(network_path)
    dataset = load_dataset(data)
    faces = faces_to_score(dataset)
    # A folder or ledger that cannot be used is found before the long part.
    if out is None:
        own_folder = SHIPPED_RESULTS if network_path is None else network_path.parent
        out = _folder_of_figures(network, own_folder, faces)
    elif _shown_network(out) not in (None, network.sha256):
        raise ModelError(
            f"{out} shows the figures of its {ARTIFACT_NAME} (SHA-256 {_shown_network(out)}); the "
            f"file to score, {network.path}, is another one ({network.sha256}): name another "
            "folder with --out."
        )
    earlier = find_entry(ledger, network.sha256) if faces.is_fer2013_test else None
    print(f"Scoring {len(faces.labels):,} faces, each twice …", file=sys.stderr)
    report = evaluate(
        network,
        faces,
        data=short_name(data),
        training_faces_u8=_training_faces(dataset, data),
        raters_labels=_raters_labels(faces, data),
    )
    if faces.is_fer2013_test and not earlier:
        append_entry(ledger, _ledger_entry(report))
    write_report(report, out)
    print(format_report(report))
    if faces.is_fer2013_test:
        print(
            f"Already in {ledger} since {earlier['date']}: the same file, so no new look"
            if earlier
            else f"A look at FER2013's test faces: counted in {ledger}"
        )
    print(f"Wrote metrics.json and two figures to {out}")
    return report


def write_report(report: Report, folder: Path) -> None:
    """Write a report's figures, and its numbers under the key "test" of `metrics.json`.

    Whatever else `metrics.json` says of the same experiment stays; figures of another one go.
    """
    metrics_path = folder / "metrics.json"
    metrics: dict[str, Any] = {}
    if metrics_path.exists():
        metrics = json.loads(metrics_path.read_text(encoding="utf-8"))
    if metrics.get("experiment") != report.experiment:
        metrics = {"experiment": report.experiment}
    metrics["test"] = asdict(report)
    whole = report.plain.whole
    draw_confusion_matrix(
        whole.confusion,
        folder / CONFUSION_MATRIX,
        title=(
            f"{report.experiment} on {Path(report.data).name}: accuracy "
            f"{whole.accuracy.value:.1%}, macro F1 {whole.macro.f1:.3f}"
        ),
    )
    draw_reliability_diagram(report.uncalibrated, report.calibrated, folder / RELIABILITY_DIAGRAM)
    write_atomically(metrics_path, json.dumps(metrics, indent=1) + "\n")


def predict(network_path: Path | None, data: Path, out: Path) -> int:
    """Write the label and the probabilities of every face as CSV.

    The columns are `face` (the row, from 0), `label` (0 to 6), `emotion`, `confidence` and one
    per emotion.

    Args:
        network_path: An `.onnx` or `.keras` file; None for the shipped artifact.
        data: Faces, with or without labels, in any format of `load_dataset`.
        out: The CSV file to write.

    Returns:
        The number of faces.

    Raises:
        ModelError: if the network is not usable.
        DataError: if the faces are not usable.
    """
    network = open_network(network_path)
    probabilities = network.classify(load_dataset(data).faces_u8)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["face", "label", "emotion", "confidence", *EMOTIONS])
    for face, row in enumerate(probabilities):
        label = int(row.argmax())
        shares = [f"{share:.6f}" for share in row]
        writer.writerow([face, label, EMOTIONS[label], shares[label], *shares])
    write_atomically(out, table.getvalue())
    return len(probabilities)


def _folder_of_figures(network: Network, own_folder: Path, faces: ScoredFaces) -> Path:
    """Return the network's own folder for FER2013's test faces, unless it shows another network."""
    if not faces.is_fer2013_test:
        return OTHER_RESULTS
    shown = _shown_network(own_folder)
    if shown == network.sha256 or (shown is None and own_folder != SHIPPED_RESULTS):
        return own_folder
    if shown is not None:
        print(
            f"{own_folder / ARTIFACT_NAME} is not the file that is scored, {network.path}: the "
            f"figures go to {OTHER_RESULTS}",
            file=sys.stderr,
        )
    return OTHER_RESULTS


def _shown_network(folder: Path) -> str | None:
    """Return the SHA-256 of the network whose figures a folder shows; None if it holds none."""
    path = folder / ARTIFACT_NAME
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _training_faces(dataset: Dataset, data: Path) -> NDArray[np.uint8] | None:
    if dataset.usage is not None and (dataset.usage == "Training").any():
        return dataset.faces_u8[dataset.usage == "Training"]
    beside = data.with_name("train.csv")
    if beside.is_file() and beside != data:
        return load_dataset(beside).faces_u8
    return None


def _raters_labels(faces: ScoredFaces, data: Path) -> NDArray[np.integer] | None:
    beside = data.with_name("fer2013new.csv")
    return agreed_test_labels(faces, load_votes(beside)) if beside.is_file() else None


def _ledger_entry(report: Report) -> dict[str, Any]:
    plain, flipped = report.plain, report.flip_averaged
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "experiment": report.experiment,
        "file": report.network,
        "sha256": report.sha256,
        "faces": plain.whole.accuracy.count,
        "accuracy": plain.whole.accuracy.value,
        "accuracy_95": [plain.whole.accuracy.low, plain.whole.accuracy.high],
        "public_test": plain.public_test and plain.public_test.accuracy.value,
        "private_test": plain.private_test and plain.private_test.accuracy.value,
        "macro_f1": plain.whole.macro.f1,
        "f1": {emotion: figures.f1 for emotion, figures in plain.whole.classes.items()},
        "raters_accuracy": report.raters and report.raters.value,
        "accuracy_flip_averaged": flipped.whole.accuracy.value,
        "private_test_flip_averaged": (
            flipped.private_test and flipped.private_test.accuracy.value
        ),
    }
