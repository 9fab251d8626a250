"""`mien evaluate` and `mien predict`: from files to files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.artifact import ARTIFACT_NAME
from mien.core.errors import DataError, ModelError
from mien.core.files import refuse_overwriting
from mien.core.labels import EMOTIONS
from mien.data.classes import FER2013_CLASSES, ClassTable
from mien.data.dataset import Dataset
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import load_votes
from mien.data.infer_classes import load_any_faces
from mien.data.usage import TRAINING
from mien.evaluation.figures import draw_confusion_matrix, draw_reliability_diagram
from mien.evaluation.ledger import answers_of, append_entry, describe_look, find_entry
from mien.evaluation.network import fit_faces, open_network, short_name
from mien.evaluation.predictions import WRONG_FACES, Predictions, write_predictions
from mien.evaluation.rater_scores import RaterScores
from mien.evaluation.report import Report, evaluate, format_report, label_reading
from mien.evaluation.test_set import (
    LOOK_FACES,
    ScoredFaces,
    count_test_faces,
    data_to_score,
    faces_to_score,
    is_trained_on,
    told_of_training_faces,
    votes_for_test,
)
from mien.training.config import load_experiment
from mien.training.final_figures import refresh_final_figures
from mien.training.provenance import data_of_run
from mien.training.readings import RATERS
from mien.training.run_folder import RunFolder

SHIPPED_RESULTS = Path("results/model")
OTHER_RESULTS = Path("results/evaluation")

TEST_FACES_OF_ITS_OWN_FIGURES = 6500
"""The figures that a network's folder shows are of nearly all of FER2013's test faces: see
`mien.data.test_faces.DIFFERENT_TEST_FACES`."""


def score_network(
    network_path: Path | None,
    data: Path | None,
    *,
    groups: str,
    out: Path | None,
    ledger: Path,
    say: Callable[[str], None],
    remark: Callable[[str], None],
) -> Report:
    """Score a network on labelled faces, keep the figures, and say them.

    Training faces (the file's own rows of that Usage, those that the network's run names, or
    `train.csv` beside the data), and FER+'s votes (`fer2013new.csv`) beside the data, are used
    where they are there.

    Writes `metrics.json` (the key "test"), `final_test_confusion_matrix.png` and
    `reliability_diagram.png`; where FER+'s votes are known, the same of the reading `raters`
    (`raters_confusion_matrix.png`, `raters_reliability_diagram.png`); and what is not to be
    published: `predictions.csv`, a row for every face, and `wrong_faces.png`. If FER2013's test
    faces are among them (`ScoredFaces.is_look`), the look is counted in the ledger, but for one at
    no more of them than the ledger has of this network: that tells nothing new.

    Args:
        network_path: An `.onnx` or `.keras` file; None for the shipped network.
        data: Labelled faces, in any format of `mien.data.fer2013.load_dataset`; None for
            FER2013's test faces.
        groups: See `mien.data.fer2013.load_dataset`; if empty, that of the network's recipe where
            the data have such a column, or all pictures such a group.
        out: Folder to write to; None for the network's own (`results/model` for the shipped
            artifact) if the faces are FER2013's test faces and that folder's `emotion.json` is of
            no other network, else `results/evaluation`. `results/model` takes only the figures of
            the network that its `emotion.json` names.
        ledger: The ledger of looks, `experiments/test_scores.jsonl`.
        say: Called with each line of the report.
        remark: Called with each line about what is going on.

    Raises:
        SettingError: if no data are named for a network that is not about FER2013's faces.
        OutputError: if a file to write is one that is read.
        ModelError: if the network is not usable, or `out` shows another one's figures.
        DataError: if the faces are not usable, or have no labels.
    """
    network = open_network(network_path)
    run = RunFolder(network.artifact.onnx_path.parent)
    classes = classes_of(network)
    data = data_to_score(run, classes.names, data)
    dataset = _load(data, classes, groups, run, remark)
    faces = faces_to_score(dataset)
    _remark_on_faces(dataset, faces, data, run, remark)
    # A folder or ledger that cannot be used is found before the long part.
    folder = _folder_to_write(network, network_path, out, faces, remark)
    _check_outputs(data, dataset, network_path, folder, ledger)
    answers, look, earlier = [], {}, None
    if faces.is_look:
        answers = answers_of(network)
        look = describe_look(faces.test_rows)
        earlier = find_entry(ledger, network.artifact.sha256, answers, look)
    remark(f"Scoring {len(faces.labels):,} faces, each twice …")
    network = network.with_reading(label_reading(network))
    outputs = network.classify(fit_faces(faces.faces_u8, network.artifact.input))
    report = evaluate(
        network,
        faces,
        outputs=outputs,
        data=short_name(data),
        training_faces_u8=_training_faces(dataset, data, run),
        votes=_votes(faces, data),
    )
    if faces.is_look and not earlier:
        append_entry(ledger, _ledger_entry(report) | {**look, "answers": answers})
    write_report(report, folder)
    write_predictions(
        folder.predictions,
        Predictions(
            outputs.probabilities, network.labels, faces.faces_u8, faces.labels, faces.files
        ),
    )
    say(format_report(report))
    if faces.is_look:
        say(
            f"Already in {ledger} since {earlier['date']}: the same network, so no new evaluation"
            if earlier
            else f"Evaluated on {faces.known_test_faces:,} of FER2013's test faces: "
            f"logged in {ledger}"
        )
    figures = "four figures" if report.rater_scores else "two figures"
    say(
        f"Wrote metrics.json, {figures}, a row for every face (predictions.csv) and the wrong ones "
        f"to look at (wrong_faces.png) to {folder.path}"
    )
    return report


def _check_outputs(
    data: Path, dataset: Dataset, network_path: Path | None, folder: RunFolder, ledger: Path
) -> None:
    refuse_overwriting(
        [
            *(data, data.parent / "train.csv", data.parent / "fer2013new.csv"),
            *dataset.pictures,
            *_files_of(network_path),
        ],
        [
            *(folder.metrics, *folder.test_pictures),
            *(folder.predictions, folder.path / WRONG_FACES, ledger),
        ],
    )


def classes_of(network: Classifier) -> ClassTable:
    """Return the classes that a network's labels are about."""
    labels = network.artifact.readings[label_reading(network)].labels
    recipe = RunFolder(network.artifact.onnx_path.parent).recipe
    if recipe.is_file():
        table = load_experiment(recipe).class_table
        # It knows by what other names the data call them.
        if table.names == labels:
            return table
    return FER2013_CLASSES if labels == EMOTIONS else ClassTable(labels)


def _load(
    data: Path, classes: ClassTable, groups: str, run: RunFolder, remark: Callable[[str], None]
) -> Dataset:
    """Read faces with the groups that are named, else with those of the recipe if they have such.

    Raises:
        DataError: see `mien.data.fer2013.load_dataset`.
    """
    of_recipe = load_experiment(run.recipe).data.groups if run.recipe.is_file() else ""
    if groups or not of_recipe:
        return load_dataset(data, classes, groups=groups)
    try:
        return load_dataset(data, classes, groups=of_recipe)
    except DataError as error:
        dataset = load_dataset(data, classes)  # Something else may be wrong with it.
        remark(
            f"The groups of the network's recipe ({of_recipe}) are not used: {error} If faces are "
            "of the same persons, name these with --groups"
        )
        return dataset


def write_report(report: Report, folder: RunFolder) -> None:
    """Write a report's figures, and its numbers under the key "test" of `metrics.json`.

    The architecture report in that folder, if there is one, gets them as well. Whatever else
    `metrics.json` says of the same experiment stays; figures of another one go.
    """
    metrics = folder.read_metrics()
    if metrics.get("experiment") != report.experiment:
        metrics = {"experiment": report.experiment}
    metrics["test"] = asdict(report)
    whole, asked = report.plain.whole, f"{report.experiment}, reading {report.reading}"
    draw_confusion_matrix(
        whole.confusion,
        report.names,
        folder.confusion_matrix,
        title=(
            f"{asked}, on {Path(report.data).name}: accuracy {whole.accuracy.value:.1%}, "
            f"macro F1 {whole.macro.f1:.3f}"
        ),
    )
    draw_reliability_diagram(
        report.uncalibrated,
        report.calibrated,
        folder.reliability_diagram,
        title=f"{asked}, on {Path(report.data).name}",
    )
    if report.rater_scores is None:
        # Those of other data must not stay beside these figures.
        folder.raters_confusion_matrix.unlink(missing_ok=True)
        folder.raters_reliability_diagram.unlink(missing_ok=True)
    else:
        _draw_rater_scores(report.rater_scores, report.experiment, folder)
    folder.write_metrics(metrics)
    refresh_final_figures(folder)


def _draw_rater_scores(scores: RaterScores, experiment: str, folder: RunFolder) -> None:
    agreed, asked = scores.agreed, f"{experiment}, reading {RATERS}"
    draw_confusion_matrix(
        agreed.confusion,
        EMOTIONS,
        folder.raters_confusion_matrix,
        title=(
            f"{asked}, where more than five of ten raters agree:\n"
            f"accuracy {agreed.accuracy.value:.1%}, mean recall {agreed.macro.recall:.1%}"
        ),
    )
    draw_reliability_diagram(
        scores.uncalibrated,
        scores.calibrated,
        folder.raters_reliability_diagram,
        title=f"{asked}: right is the share of the raters who say the same",
    )


def predict(
    network_path: Path | None,
    data: Path,
    out: Path,
    remark: Callable[[str], None],
    *,
    reading: str | None = None,
) -> int:
    """Write a row for every face as CSV (`mien.evaluation.predictions`).

    Where the data have labels that the network knows, the rows name them too, and the faces that
    were called otherwise are shown beside the table. Not so if FER2013's test faces are among them:
    that is a look, which `mien evaluate` counts.

    Args:
        network_path: An `.onnx` or `.keras` file; None for the shipped network.
        data: Faces, with or without labels, in any format of `load_dataset`.
        out: The CSV file to write.
        remark: Called with each line about what is going on.
        reading: Its name; None for the one that `mien evaluate` scores, the labels'.

    Returns:
        The number of faces.

    Raises:
        OutputError: if a file to write is one that is read.
        ModelError: if the network is not usable.
        SettingError: if it has no such reading.
        DataError: if the faces are not usable.
    """
    outputs = [out, out.parent / WRONG_FACES]
    refuse_overwriting([data, *_files_of(network_path)], outputs)
    network = open_network(network_path)
    network = network.with_reading(reading or label_reading(network))
    dataset = load_any_faces(data, classes_of(network))
    refuse_overwriting(dataset.pictures, outputs)
    if (skipped := dataset.told_of_skipped()) is not None:
        remark(skipped)
    if len(network.artifact.readings) > 1:
        remark(f"Reading {network.reading_name}; --reading names another")
    probabilities = network.classify(
        fit_faces(dataset.faces_u8, network.artifact.input)
    ).probabilities
    truth = dataset.labels
    if truth is not None and count_test_faces(dataset.faces_u8) >= LOOK_FACES:
        remark(
            "FER2013's test faces are among them: no truth is written, for that would be an "
            "evaluation, which mien evaluate makes and logs"
        )
        truth = None
    if truth is not None and network.labels != dataset.classes.names:
        remark(
            f"The data speak of {', '.join(dataset.classes.names)}, the network of "
            f"{', '.join(network.labels)}: no truth is written"
        )
        truth = None
    write_predictions(
        out, Predictions(probabilities, network.labels, dataset.faces_u8, truth, dataset.files)
    )
    return len(probabilities)


def _files_of(network_path: Path | None) -> list[Path]:
    """Return the files of a network that was named: its own and its sidecar."""
    return [] if network_path is None else [network_path, network_path.with_suffix(".json")]


def _remark_on_faces(
    dataset: Dataset,
    faces: ScoredFaces,
    data: Path,
    run: RunFolder,
    remark: Callable[[str], None],
) -> None:
    """Say what of the faces a reader of the figures should know."""
    if (skipped := dataset.told_of_skipped()) is not None:
        remark(skipped)
    if (shared := dataset.told_of_shared_groups()) is not None:
        remark(shared)
    if is_trained_on(dataset, data, run):
        remark(
            f"The network learnt from {data}: these are no figures of a test. Before the training, "
            "put some faces aside as test/ (or as usage test)"
        )
    elif (told := told_of_training_faces(faces, run)) is not None:
        remark(told)
    if faces.groups is not None and (count := len(np.unique(faces.groups))) < len(faces.labels):
        remark(
            f"The {len(faces.labels):,} faces are of {count:,} groups. Faces of a group are alike: "
            "the intervals take them for fewer than they are"
        )


def _folder_to_write(
    network: Classifier,
    network_path: Path | None,
    out: Path | None,
    faces: ScoredFaces,
    remark: Callable[[str], None],
) -> RunFolder:
    """Return where the figures go.

    Without `out` that is the network's own folder for FER2013's test faces, unless it shows another
    network.

    Raises:
        ModelError: if `out` shows another network's figures.
    """
    sha256 = network.artifact.sha256
    if out is not None:
        folder = RunFolder(out)
        if folder.shown_sha256 not in (None, sha256):
            raise ModelError(
                f"{out} shows the figures of its {ARTIFACT_NAME} (SHA-256 {folder.shown_sha256}); "
                f"the file to score, {network.artifact.onnx_path}, is another one ({sha256}): name "
                "another folder with --out."
            )
        return folder
    if faces.known_test_faces < TEST_FACES_OF_ITS_OWN_FIGURES:
        return RunFolder(OTHER_RESULTS)
    own = RunFolder(SHIPPED_RESULTS if network_path is None else network_path.parent)
    shown = own.shown_sha256
    if shown == sha256 or (shown is None and own.path != SHIPPED_RESULTS):
        return own
    if shown is not None:
        remark(
            f"{own.path} shows the figures of another network than the one that is scored, "
            f"{network.artifact.onnx_path}: these go to {OTHER_RESULTS}"
        )
    return RunFolder(OTHER_RESULTS)


def _training_faces(dataset: Dataset, data: Path, run: RunFolder) -> NDArray[np.uint8] | None:
    """Return the training faces of the data, else those that the run names, else `train.csv`."""
    if dataset.usage is not None and (dataset.usage == TRAINING).any():
        return dataset.faces_u8[dataset.usage == TRAINING]
    named = [data_of_run(run)] if run.data.is_file() else []
    for path in (*named, data.parent / "train.csv"):
        if not path.exists() or path.resolve() == data.resolve():
            continue
        # Somebody else's file of that name may be there.
        with contextlib.suppress(DataError):
            learnt = load_dataset(path, dataset.classes)
            if learnt.usage is None:
                return learnt.faces_u8
            return learnt.faces_u8[learnt.usage == TRAINING]
    return None


def _votes(faces: ScoredFaces, data: Path) -> NDArray[np.float32] | None:
    beside = data.parent / "fer2013new.csv"
    return votes_for_test(faces, load_votes(beside)) if beside.is_file() else None


def _ledger_entry(report: Report) -> dict[str, Any]:
    plain, flipped, raters = report.plain, report.flip_averaged, report.rater_scores
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
        "raters_majority": raters and raters.majority.value,
        "raters_majority_private": (
            raters and raters.majority_private and raters.majority_private.value
        ),
        "raters_mean_recall": raters and raters.mean_recall.value,
    }
