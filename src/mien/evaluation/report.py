"""The evaluation of a network on labelled faces: everything that is reported of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier, Outputs
from mien.classifier.reading import read
from mien.core.artifact import Reading
from mien.core.labels import EMOTIONS
from mien.data.ferplus import agreed_labels
from mien.evaluation.calibration import Calibration, measure_calibration
from mien.evaluation.metrics import (
    Accuracy,
    Scores,
    accuracy_with_interval,
    have_exact_copy,
    score,
)
from mien.evaluation.network import fit_faces, short_name
from mien.evaluation.rater_scores import RaterScores, score_against_raters
from mien.evaluation.test_set import ScoredFaces
from mien.training.readings import LABELS, RATERS


@dataclass(frozen=True, slots=True)
class Copies:
    """Scored faces that the network may have been trained on.

    Attributes:
        count: Faces with an exact copy in the training set.
        share: Their share of all scored faces, 0 to 1.
        accuracy_without: Accuracy on the others; None if there are no others.
        near_count: Faces besides that are another crop or a mirror image of a training face; None
            where that is not known.
        accuracy_without_near: Accuracy on the faces that are neither; None likewise.
    """

    count: int
    share: float
    accuracy_without: Accuracy | None
    near_count: int | None
    accuracy_without_near: Accuracy | None


@dataclass(frozen=True, slots=True)
class Parts:
    """Scores of all faces, and of FER2013's two test sets where they can be told apart."""

    whole: Scores
    public_test: Scores | None
    private_test: Scores | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured of a network.

    All but `rater_scores` is of the reading that answers for the labels.

    Attributes:
        data: The file or folder of the faces.
        known_test_faces: How many different ones of FER2013's test faces are among them.
        reading: The reading that answers for the labels of the faces.
        names: What its labels are called.
        network: The file that was scored.
        sha256: SHA-256 of that file.
        experiment: The experiment that trained it.
        plain: Each face seen once, as the recogniser does it.
        flip_averaged: Mean of the probabilities of a face and of its mirror image.
        copies: None where there were no training faces to compare with.
        raters: Agreement with FER+'s raters on the faces on which more than half of the ten say
            the same emotion; None where their votes are not known.
        temperature: That of the reading.
        uncalibrated: Calibration of the probabilities at temperature 1.
        calibrated: Calibration of the probabilities with the temperature applied.
        rater_scores: What the reading for FER+'s raters achieves; None where there is none, or
            where their votes are not known.
    """

    data: str
    known_test_faces: int
    reading: str
    names: tuple[str, ...]
    network: str
    sha256: str
    experiment: str
    plain: Parts
    flip_averaged: Parts
    copies: Copies | None
    raters: Accuracy | None
    temperature: float
    uncalibrated: Calibration
    calibrated: Calibration
    rater_scores: RaterScores | None


def evaluate(
    network: Classifier,
    faces: ScoredFaces,
    *,
    data: str,
    outputs: Outputs,
    training_faces_u8: NDArray[np.uint8] | None,
    votes: NDArray[np.float32] | None,
) -> Report:
    """Score a network.

    Args:
        network: What to score, with the reading `label_reading` names.
        faces: The labelled faces; their names are the labels of that reading.
        data: Where they come from, for the report.
        outputs: What the network answers for them.
        training_faces_u8: (M, 48, 48) uint8, to find copies among `faces`; None to leave that out.
        votes: (N, 10) counts of FER+'s votes on the faces; None to leave the raters out.
    """
    reading, probabilities = network.reading, outputs.probabilities
    # Averaged at temperature 1: what the network itself says of both views.
    own = _uncalibrated(network, outputs, reading)
    faces_u8 = fit_faces(faces.faces_u8, network.artifact.input)
    mirrored = _uncalibrated(
        network, network.classify(np.ascontiguousarray(faces_u8[:, :, ::-1])), reading
    )
    raters = None
    if votes is not None and reading.labels == EMOTIONS:
        labels = agreed_labels(votes)
        raters = accuracy_with_interval((probabilities.argmax(axis=1) == labels)[labels >= 0])
    return Report(
        data=data,
        known_test_faces=faces.known_test_faces,
        reading=network.reading_name,
        names=reading.labels,
        network=short_name(network.artifact.onnx_path),
        sha256=network.artifact.sha256,
        experiment=network.artifact.experiment,
        plain=_score_parts(probabilities, faces),
        flip_averaged=_score_parts((own + mirrored) / np.float32(2), faces),
        copies=_score_copies(probabilities, faces, training_faces_u8),
        raters=raters,
        temperature=reading.temperature,
        uncalibrated=measure_calibration(own, faces.labels),
        calibrated=measure_calibration(probabilities, faces.labels),
        rater_scores=_score_rater_reading(network, outputs, votes, faces.is_public_test),
    )


def label_reading(network: Classifier) -> str:
    """Return the reading that answers for a dataset's labels: `labels`, else the default one."""
    readings = network.artifact.readings
    return LABELS if LABELS in readings else network.artifact.default_reading


def _uncalibrated(network: Classifier, outputs: Outputs, reading: Reading) -> NDArray[np.float32]:
    return read(outputs.heads, replace(reading, temperature=1.0), network.artifact.heads)


def _score_rater_reading(
    network: Classifier,
    outputs: Outputs,
    votes: NDArray[np.float32] | None,
    is_public: NDArray[np.bool_] | None,
) -> RaterScores | None:
    reading = network.artifact.readings.get(RATERS)
    if reading is None or reading.labels != EMOTIONS or votes is None:
        return None
    own = _uncalibrated(network, outputs, reading)
    probabilities = read(outputs.heads, reading, network.artifact.heads)
    return score_against_raters(own, probabilities, votes, is_public)


def format_report(report: Report) -> str:
    """Return the report as text; its first line is `Accuracy on the test set: 65%`."""
    return "\n".join(_lines(report))


def _score_parts(probabilities: NDArray[np.float32], faces: ScoredFaces) -> Parts:
    def part(chosen: NDArray[np.bool_]) -> Scores | None:
        if not chosen.any():
            return None
        return score(
            probabilities[chosen], faces.labels[chosen], faces.names, faces.groups_of(chosen)
        )

    public = faces.is_public_test
    return Parts(
        whole=score(probabilities, faces.labels, faces.names, faces.groups),
        public_test=None if public is None else part(public),
        private_test=None if public is None else part(~public),
    )


def _score_copies(
    probabilities: NDArray[np.float32],
    faces: ScoredFaces,
    training_faces_u8: NDArray[np.uint8] | None,
) -> Copies | None:
    if training_faces_u8 is None:
        return None
    is_copy = have_exact_copy(faces.faces_u8, training_faces_u8)
    is_near = None if faces.is_near_copy is None else faces.is_near_copy & ~is_copy
    is_correct = probabilities.argmax(axis=1) == faces.labels

    def accuracy_of(chosen: NDArray[np.bool_]) -> Accuracy | None:
        if not chosen.any():
            return None
        return accuracy_with_interval(is_correct[chosen], faces.groups_of(chosen))

    return Copies(
        count=int(is_copy.sum()),
        share=float(is_copy.mean()),
        accuracy_without=accuracy_of(~is_copy),
        near_count=None if is_near is None else int(is_near.sum()),
        accuracy_without_near=None if is_near is None else accuracy_of(~is_copy & ~is_near),
    )


def _lines(report: Report) -> Iterator[str]:
    whole = report.plain.whole
    yield f"Accuracy on the test set: {whole.accuracy.value:.0%}"
    yield f"Exactly {_describe(whole.accuracy)} (Wilson's 95% interval)"
    yield from _part_lines(report.plain)
    yield (
        f"Scored {report.network} (experiment {report.experiment}, reading {report.reading}) on "
        f"{report.data}"
    )
    yield f"SHA-256 {report.sha256}"
    yield ""
    width = max(10, *(len(name) + 2 for name in report.names))
    yield f"{'':<{width}}{'precision':>10}{'recall':>10}{'F1':>10}{'faces':>10}"
    rows = [*whole.classes.items(), ("macro", whole.macro), ("weighted", whole.weighted)]
    for name, figures in rows:
        yield (
            f"{name:<{width}}{figures.precision:>10.3f}{figures.recall:>10.3f}"
            f"{figures.f1:>10.3f}{figures.count:>10,}"
        )
    yield ""
    flipped = report.flip_averaged
    yield (
        f"With horizontal-flip test-time augmentation: {_describe(flipped.whole.accuracy)}, "
        f"macro F1 {flipped.whole.macro.f1:.3f}"
    )
    yield from _part_lines(flipped)
    yield from _copies_lines(report.copies)
    if report.raters:
        yield f"Where most of FER+'s raters agree, right by their label: {_describe(report.raters)}"
    yield (
        f"Expected calibration error (15 bins): {report.calibrated.expected_error:.3f} with "
        f"temperature {report.temperature:.3f}, {report.uncalibrated.expected_error:.3f} without"
    )
    yield _sureness_line(report.calibrated)
    if report.rater_scores:
        yield ""
        yield from _rater_lines(report.rater_scores)


def _rater_lines(scores: RaterScores) -> Iterator[str]:
    yield f"Reading {RATERS}, against FER+'s ten raters:"
    yield f"  by their majority (8 classes)  {_describe(scores.majority)}"
    for name, accuracy in (
        ("PublicTest", scores.majority_public),
        ("PrivateTest", scores.majority_private),
    ):
        if accuracy is not None:
            yield f"    {name:<12} {_describe(accuracy)}"
    yield f"  where more than five agree     {_describe(scores.agreed.accuracy)}"
    recall = scores.mean_recall
    interval = f"{recall.low:.2%} to {recall.high:.2%}"
    yield f"  mean recall there              {recall.value:.2%}, {interval}"
    recalls = ", ".join(f"{name} {c.recall:.1%}" for name, c in scores.agreed.classes.items())
    yield f"    {recalls}"
    yield (
        f"  calibration error on their votes {scores.calibrated.expected_error:.3f}, "
        f"{scores.uncalibrated.expected_error:.3f} without temperature"
    )
    yield _sureness_line(scores.calibrated)


def _sureness_line(calibration: Calibration) -> str:
    """Say how often the answers given with about 80 % are right."""
    bins = [
        (count, confidence, accuracy)
        for low, count, confidence, accuracy in zip(
            calibration.edges,
            calibration.counts,
            calibration.confidences,
            calibration.accuracies,
            strict=False,
        )
        if 0.7 < low < 0.85 and confidence is not None and accuracy is not None
    ]
    faces = sum(count for count, _, _ in bins)
    if not faces:
        return "  of the answers given with 73% to 87%: none"
    confidence = sum(count * confidence for count, confidence, _ in bins) / faces
    accuracy = sum(count * accuracy for count, _, accuracy in bins) / faces
    return (
        f"  of the {faces:,} answers given with 73% to 87% ({confidence:.1%} on average), "
        f"{accuracy:.1%} are right"
    )


def _part_lines(parts: Parts) -> Iterator[str]:
    for name, scores in (("PublicTest", parts.public_test), ("PrivateTest", parts.private_test)):
        if scores is not None:
            yield f"  {name:<12} {_describe(scores.accuracy)}"


def _copies_lines(copies: Copies | None) -> Iterator[str]:
    if copies is None:
        yield "Exact copies in the training set: not looked for (it is not there)"
        return
    line = f"Exact copies in the training set: {copies.count:,} ({copies.share:.2%})"
    if copies.accuracy_without is not None:
        line += f"; without them {_describe(copies.accuracy_without)}"
    yield line
    if copies.near_count is not None:
        line = f"Near-copies there, other crops or mirror images: {copies.near_count:,} more"
        if copies.accuracy_without_near is not None:
            line += f"; without either {_describe(copies.accuracy_without_near)}"
        yield line


def _describe(accuracy: Accuracy) -> str:
    return (
        f"{accuracy.value:.2%} ({accuracy.correct:,} of {accuracy.count:,}), "
        f"{accuracy.low:.2%} to {accuracy.high:.2%}"
    )
