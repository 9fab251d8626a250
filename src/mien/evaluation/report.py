"""The evaluation of a network on labelled faces: everything that is reported of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import apply_temperature
from mien.evaluation.calibration import Calibration, measure_calibration
from mien.evaluation.metrics import (
    Accuracy,
    Scores,
    accuracy_with_interval,
    have_exact_copy,
    score,
)
from mien.evaluation.network import Network, short_name
from mien.evaluation.test_set import ScoredFaces


@dataclass(frozen=True, slots=True)
class Copies:
    """Scored faces that the network may have been trained on.

    Attributes:
        count: Faces with an exact copy in the training set.
        share: Their share of all scored faces, 0 to 1.
        accuracy_without: Accuracy on the others; None if there are no others.
    """

    count: int
    share: float
    accuracy_without: Accuracy | None


@dataclass(frozen=True, slots=True)
class Parts:
    """Scores of all faces, and of FER2013's two test sets where they can be told apart."""

    whole: Scores
    public_test: Scores | None
    private_test: Scores | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured of a network.

    Attributes:
        data: The file or folder of the faces.
        is_fer2013_test: Whether they are FER2013's test faces.
        network: The file that was scored.
        sha256: SHA-256 of that file.
        experiment: The experiment that trained it.
        plain: Each face seen once, as the recogniser does it.
        flip_averaged: Mean of the probabilities of a face and of its mirror image.
        copies: None where there were no training faces to compare with.
        raters: Agreement with FER+'s raters on the faces on which more than half of the ten say
            the same emotion; None where their votes are not known.
        temperature: What the artifact divides the logits by.
        uncalibrated: Calibration of the network's own probabilities.
        calibrated: Calibration of the probabilities with the temperature applied.
    """

    data: str
    is_fer2013_test: bool
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


def evaluate(
    network: Network,
    faces: ScoredFaces,
    *,
    data: str,
    training_faces_u8: NDArray[np.uint8] | None = None,
    raters_labels: NDArray[np.integer] | None = None,
) -> Report:
    """Score a network.

    Args:
        network: What to score.
        faces: The labelled faces.
        data: Where they come from, for the report.
        training_faces_u8: (M, 48, 48) uint8, to find copies among `faces`; None to leave that out.
        raters_labels: (N,) labels by FER+'s raters, -1 for none; None to leave that out.
    """
    probabilities = network.classify(faces.faces_u8)
    # Averaged at temperature 1: what the network itself says of both views.
    own = apply_temperature(probabilities, 1 / network.temperature)
    mirrored = apply_temperature(
        network.classify(np.ascontiguousarray(faces.faces_u8[:, :, ::-1])),
        1 / network.temperature,
    )
    plain = _score_parts(probabilities, faces)
    return Report(
        data=data,
        is_fer2013_test=faces.is_fer2013_test,
        network=short_name(network.path),
        sha256=network.sha256,
        experiment=network.experiment,
        plain=plain,
        flip_averaged=_score_parts((own + mirrored) / np.float32(2), faces),
        copies=_score_copies(probabilities, faces, training_faces_u8),
        raters=None if raters_labels is None else _score_raters(probabilities, raters_labels),
        temperature=network.temperature,
        uncalibrated=measure_calibration(own, faces.labels),
        calibrated=measure_calibration(probabilities, faces.labels),
    )


def format_report(report: Report) -> str:
    """Return the report as text; its first line is `Accuracy on the test set: 65%`."""
    return "\n".join(_lines(report))


def _score_parts(probabilities: NDArray[np.float32], faces: ScoredFaces) -> Parts:
    def part(chosen: NDArray[np.bool_]) -> Scores | None:
        return score(probabilities[chosen], faces.labels[chosen]) if chosen.any() else None

    public = faces.is_public_test
    return Parts(
        whole=score(probabilities, faces.labels),
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
    correct = (probabilities.argmax(axis=1) == faces.labels)[~is_copy]
    return Copies(
        count=int(is_copy.sum()),
        share=float(is_copy.mean()),
        accuracy_without=(
            accuracy_with_interval(int(correct.sum()), len(correct)) if len(correct) else None
        ),
    )


def _score_raters(
    probabilities: NDArray[np.float32], raters_labels: NDArray[np.integer]
) -> Accuracy:
    agreed = raters_labels >= 0
    correct = (probabilities.argmax(axis=1) == raters_labels)[agreed]
    return accuracy_with_interval(int(correct.sum()), len(correct))


def _lines(report: Report) -> Iterator[str]:
    whole = report.plain.whole
    yield f"Accuracy on the test set: {whole.accuracy.value:.0%}"
    yield f"Exactly {_describe(whole.accuracy)} (Wilson's 95 % interval)"
    yield from _part_lines(report.plain)
    yield f"Scored {report.network} (experiment {report.experiment}) on {report.data}"
    yield f"SHA-256 {report.sha256}"
    yield ""
    yield f"{'':<10}{'precision':>10}{'recall':>10}{'F1':>10}{'faces':>10}"
    rows = [*whole.classes.items(), ("macro", whole.macro), ("weighted", whole.weighted)]
    for name, figures in rows:
        yield (
            f"{name:<10}{figures.precision:>10.3f}{figures.recall:>10.3f}"
            f"{figures.f1:>10.3f}{figures.count:>10,}"
        )
    yield ""
    flipped = report.flip_averaged
    yield (
        f"Averaged with the mirror image: {_describe(flipped.whole.accuracy)}, "
        f"macro F1 {flipped.whole.macro.f1:.3f}"
    )
    yield from _part_lines(flipped)
    yield _copies_line(report.copies)
    if report.raters:
        yield f"Where most of FER+'s raters agree, right by their label: {_describe(report.raters)}"
    yield (
        f"Expected calibration error (15 bins): {report.calibrated.expected_error:.3f} with "
        f"temperature {report.temperature:.3f}, {report.uncalibrated.expected_error:.3f} without"
    )


def _part_lines(parts: Parts) -> Iterator[str]:
    for name, scores in (("PublicTest", parts.public_test), ("PrivateTest", parts.private_test)):
        if scores is not None:
            yield f"  {name:<12} {_describe(scores.accuracy)}"


def _copies_line(copies: Copies | None) -> str:
    if copies is None:
        return "Exact copies in the training set: not looked for (no train.csv beside the data)"
    line = f"Exact copies in the training set: {copies.count:,} ({copies.share:.2%})"
    if copies.accuracy_without is None:
        return line
    return f"{line}; without them {_describe(copies.accuracy_without)}"


def _describe(accuracy: Accuracy) -> str:
    return (
        f"{accuracy.value:.2%} ({accuracy.correct:,} of {accuracy.count:,}), "
        f"{accuracy.low:.2%} to {accuracy.high:.2%}"
    )
