"""`mien evaluate` of a temporal network: against the mean, the best frame and the smoother.

All answer for the same sequences, so that what is resampled is the difference of a sequence (paired
bootstrap, percentile interval, Efron and Tibshirani 1993); the moments of one sequence stay
together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, ModelError
from mien.core.files import hash_file, refuse_overwriting
from mien.core.labels import EMOTIONS
from mien.data.array_cache import SEQUENCES_CACHE
from mien.data.clip_split import clips_for_test
from mien.data.clips import holds_clips, load_clips
from mien.data.face_sequences import FaceSequence
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import load_votes
from mien.engine.smoothing import Smoother
from mien.engine.tracks import Observation
from mien.evaluation.ledger import append_entry, describe_look, find_entry
from mien.evaluation.metrics import widening_of_few
from mien.evaluation.network import short_name
from mien.evaluation.test_set import (
    data_to_score,
    faces_to_score,
    is_trained_on,
    told_of_training_faces,
    votes_for_test,
)
from mien.models.keras_file import open_keras_file
from mien.recognizer import Recognizer
from mien.training.config import Experiment, load_experiment
from mien.training.face_sequences import (
    clip_sequences,
    emotion_of,
    held_out_sequences,
    load_faces_or_clips,
)
from mien.training.faces import LabelledFaces, held_out_faces, split_faces
from mien.training.provenance import LARGEST_TEST_PART, choosing_clips, known_clips
from mien.training.run_folder import RunFolder, write_json
from mien.training.sequence_batches import observed_of

SMOOTHINGS_MS = (0.0, 33.0, 65.0, 130.0, 260.0, 520.0)
"""Time constants of which the smoother's best one is taken, on the very sequences that are scored:
an advantage over the network."""

RESAMPLES = 1_000

NETWORK = "temporal network"

Said = list[NDArray[np.int64]]  # of each sequence the labels of its moments


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of one way to answer, and how far the network lies above it.

    Attributes:
        value: The way's own figure.
        gain: The network's figure less it.
        low: Lower end of the gain's 95 % interval; -inf where the sequences are of one subject.
        high: Upper end of it; inf there.
    """

    value: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OverTimeReport:
    """How well a temporal network, and the ways that need none, answer.

    Attributes:
        experiment: The network's experiment.
        data: What the sequences are of.
        sequences: How many there are.
        subjects: How many persons they show; where that is not known, as many as sequences.
        moments: How many moments with a known truth.
        of_moments: By way and then by figure (`accuracy`, `macro_f1`).
        of_clips: The same for the one answer for each sequence.
    """

    experiment: str
    data: str
    sequences: int
    subjects: int
    moments: int
    of_moments: Mapping[str, Mapping[str, Measured]]
    of_clips: Mapping[str, Mapping[str, Measured]]

    def lines(self) -> list[str]:
        """The report as lines of text."""
        of_subjects = f" of {self.subjects:,} subjects" if self.subjects < self.sequences else ""
        lines = [
            f"{self.sequences:,} sequences{of_subjects}, {self.moments:,} time steps of {self.data}"
        ]
        if self.subjects == 1:
            lines.append("They are of one subject: how well others fare, nothing tells")
        for name, table in (("time steps", self.of_moments), ("whole sequences", self.of_clips)):
            lines.append(
                f"{name:26} {'accuracy':>8}  the network's gain (95%)     macro F1  gain (95%)"
            )
            for way, figures in table.items():
                cells = [f"{way:26}"]
                for figure in figures.values():
                    gain = (
                        ""
                        if way == NETWORK
                        else (f"{figure.gain:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})")
                    )
                    cells.append(f"{figure.value:8.3f}  {gain:28}")
                lines.append(" ".join(cells).rstrip())
        return lines


def is_network_over_time(path: Path) -> bool:
    """Whether a `.keras` file is a temporal network in its run's folder."""
    recipe = RunFolder(path.parent).recipe
    return recipe.is_file() and load_experiment(recipe).is_temporal


def score_over_time(
    network_path: Path,
    data: Path | None,
    *,
    out: Path | None,
    ledger: Path,
    say: Callable[[str], None],
    remark: Callable[[str], None],
) -> OverTimeReport:
    """Score a temporal network, keep the figures, and say them.

    Args:
        network_path: The `.keras` file in its run's folder.
        data: Clips (see `mien.data.clips`): those that the folds keep for a test, or all where none
            are, but for those that it has learnt; FER2013's test faces, of which sequences are
            made, and the look is counted; or the faces that it was trained on, of which those are
            taken that chose its epoch, or the fold that was held out. FER+'s votes
            (`fer2013new.csv`) are used where they lie beside FER2013's test faces, or beside the
            training faces that it was trained on. Of other faces those for a test, else all that
            are not for training, by their labels. None for FER2013's test faces.
        out: Folder for `over_time.json`; None for the run's.
        ledger: The ledger of looks at FER2013's test faces.
        say: Called with each line of the report.
        remark: Called with each line about what is going on.

    Raises:
        SettingError: if no data are named for a network that learnt from clips.
        OutputError: if a file to write is one that is read.
        ModelError: if it belongs to another face artifact than the one that ships, or does not say
            to which; or if its file is missing or damaged.
        DataError: if the data are not usable.
    """
    run = RunFolder(network_path.parent)
    experiment, metrics = load_experiment(run.recipe), run.read_metrics_over_time()
    data = data_to_score(run, EMOTIONS, data)
    target = (out or run.path) / "over_time.json"
    refuse_overwriting([data, network_path], [target, ledger])
    recognizer = Recognizer(reading=metrics["reading"], threads=1)
    found = recognizer.classifier.artifact
    if found.sha256 != metrics["face_artifact_sha256"]:
        raise ModelError(
            f"{network_path} was trained on what {metrics['face_artifact']} (SHA-256 "
            f"{metrics['face_artifact_sha256']}) says of faces; the artifact that ships is "
            f"{found.experiment} ({found.sha256}): train it again with  mien train {run.recipe} "
            "--restart"
        )
    network = open_keras_file(network_path)
    sequences, look = _sequences(data, recognizer, run, experiment, remark)
    report = compare_ways(network, sequences, metrics["experiment"], short_name(data))
    if look is not None:
        _count_look(report, network, network_path, look, ledger, say)
    for line in report.lines():
        say(line)
    write_json(target, asdict(report, dict_factory=_json_object))
    say(f"Wrote {target}")
    return report


def _json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a dataclass; JSON has no infinite numbers, there it is null."""
    return {
        name: None if isinstance(value, float) and math.isinf(value) else value
        for name, value in pairs
    }


def compare_ways(
    network: keras.Model, sequences: Sequence[FaceSequence], experiment: str, data: str
) -> OverTimeReport:
    """Compare a temporal network with the ways that need none.

    Args:
        network: See `mien.models.temporal.build_temporal`.
        sequences: What to answer for.
        experiment: The network's experiment.
        data: What the sequences are of.
    """
    labels = sequences[0].truth.shape[1]
    truth = [emotion_of(sequence) for sequence in sequences]
    _, subjects = np.unique([each.subject or each.name for each in sequences], return_inverse=True)
    clip_truth = [np.array([sequence.clip_truth.argmax()]) for sequence in sequences]
    # It is causal: what the shorter ones are padded with does not matter.
    answers = network.predict(observed_of(sequences), batch_size=256, verbose=0)
    logits = [row[: len(known)] for row, known in zip(answers, truth, strict=True)]
    moments = {NETWORK: [row[:, :labels].argmax(axis=1) for row in logits]}
    clips = {NETWORK: [row[-1:, labels:].argmax(axis=1) for row in logits]}
    clips["mean of frames"] = [
        s.probabilities.mean(axis=0, keepdims=True).argmax(axis=1) for s in sequences
    ]
    clips["most confident frame"] = [
        s.probabilities[[s.probabilities.max(axis=1).argmax()]].argmax(axis=1) for s in sequences
    ]
    moments["each frame by itself"] = [s.probabilities.argmax(axis=1) for s in sequences]
    smoothed = {each: [_smooth(s, each) for s in sequences] for each in SMOOTHINGS_MS}
    for table, column, known in ((moments, 0, truth), (clips, 1, clip_truth)):
        said = {each: [pair[column] for pair in pairs] for each, pairs in smoothed.items()}
        best = max(said, key=lambda each: _figures(_confusions(said[each], known, labels))[0])
        table[f"smoother, best at {best:g} ms"] = said[best]
    return OverTimeReport(
        experiment=experiment,
        data=data,
        sequences=len(sequences),
        subjects=int(subjects.max()) + 1,
        moments=sum(int((each >= 0).sum()) for each in truth),
        of_moments=_measure(moments, truth, labels, subjects),
        of_clips=_measure(clips, clip_truth, labels, subjects),
    )


def _smooth(
    sequence: FaceSequence, smooth_ms: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The labels that the smoother shows, and that of the mean of what it makes."""
    smoother = Smoother(smooth_ms)
    shown = [
        smoother.observe(1, Observation(float(time_ms), row))
        for time_ms, row in zip(sequence.timestamps_ms, sequence.probabilities, strict=True)
    ]
    mean = np.mean([probabilities for probabilities, _ in shown], axis=0)
    return np.array([label for _, label in shown]), np.array([mean.argmax()])


def _confusions(said: Said, truth: Said, labels: int) -> NDArray[np.float64]:
    """(S, C, C) how often each label (column) was said of each truth (row), by sequence."""
    counts = np.zeros((len(said), labels, labels))
    for count, says, is_true in zip(counts, said, truth, strict=True):
        known = is_true >= 0
        np.add.at(count, (is_true[known], says[known]), 1)
    return counts


def _figures(confusions: NDArray[np.float64]) -> tuple[float, float]:
    """The accuracy and macro F1 of all confusions together; the latter of labels with a truth."""
    total = confusions.sum(axis=0)
    right = np.diagonal(total)
    f1 = 2 * right / np.maximum(total.sum(axis=0) + total.sum(axis=1), 1)
    return float(right.sum() / total.sum()), float(f1[total.sum(axis=1) > 0].mean())


def _measure(
    ways: Mapping[str, Said], truth: Said, labels: int, subjects: NDArray[np.int64]
) -> dict[str, dict[str, Measured]]:
    """Measure each way; what is drawn again for the intervals is subjects, not their sequences.

    Sequences of one person are alike: taken for independent ones, they would make the intervals
    too narrow. So would the percentiles of few subjects: where one has several sequences, their
    distances from the gain are widened by sqrt(G / (G - 1)) and Student's t of G - 1 degrees of
    freedom over the normal quantile, within -1 and 1. (Hesterberg 2015, "What teachers should know
    about the bootstrap", takes other percentiles for this reason; of two or three subjects the
    outermost would still be too near.) Of a single subject there are no ends.
    """
    count = int(subjects.max()) + 1
    confusions = {}
    for way, said in ways.items():
        confusions[way] = np.zeros((count, labels, labels))
        np.add.at(confusions[way], subjects, _confusions(said, truth, labels))
    random = np.random.default_rng(0)
    resamples = [random.integers(count, size=count) for _ in range(RESAMPLES)]
    drawn = {
        way: np.array([_figures(each[chosen]) for chosen in resamples])
        for way, each in confusions.items()
    }
    table = {}
    for way, each in confusions.items():
        own, best = _figures(each), _figures(confusions[NETWORK])
        gain = np.subtract(best, own)
        ends = np.percentile(drawn[NETWORK] - drawn[way], [2.5, 97.5], axis=0)
        if count == 1:
            ends[:] = [[-np.inf], [np.inf]]
        elif count < len(subjects):
            widening = (count / (count - 1)) ** 0.5 * widening_of_few(count)
            ends = np.clip(gain + widening * (ends - gain), -1, 1)
        table[way] = {
            name: Measured(own[i], float(gain[i]), float(ends[0, i]), float(ends[1, i]))
            for i, name in enumerate(("accuracy", "macro_f1"))
        }
    return table


def _sequences(
    data: Path,
    recognizer: Recognizer,
    run: RunFolder,
    experiment: Experiment,
    remark: Callable[[str], None],
) -> tuple[Sequence[FaceSequence], dict[str, Any] | None]:
    """Return the sequences to score, and the look that this is at FER2013's test faces, if any.

    They are made of some of these only: the look says of how many at most, and of which.
    """
    if holds_clips(data):
        return _sequences_of_clips(data, recognizer, run, remark), None
    faces, test_rows = _faces(data, run, experiment, remark)
    wanted = experiment.sequences
    assert wanted is not None
    made = held_out_sequences(
        faces,
        recognizer.classifier,
        count=wanted.held_out_faces,
        sequences=wanted.held_out,
        steps=wanted.steps,
        cache_folder=data.parent / SEQUENCES_CACHE,
        say=remark,
    )
    if test_rows is None:
        return made, None
    look = describe_look(test_rows)
    return made, {**look, "test_faces": min(len(test_rows), wanted.held_out_faces)}


def _sequences_of_clips(
    data: Path,
    recognizer: Recognizer,
    run: RunFolder,
    remark: Callable[[str], None],
) -> Sequence[FaceSequence]:
    clips = load_clips(data)
    candidates = clips_for_test(clips) or clips.clips
    if len(candidates) < len(clips.clips):
        remark(
            f"{len(candidates):,} of the {len(clips.clips):,} clips are for a test, by the folds"
        )
    known, choosing = known_clips(run), choosing_clips(run)
    scored = [clip for clip in candidates if clip.key not in known]
    if learnt := len(candidates) - len(scored):
        remark(f"{learnt:,} of the clips are left out, as it has learnt them; {len(scored):,} left")
    if chose := sum(clip.key in choosing for clip in scored):
        remark(
            f"{chose:,} of the {len(scored):,} clips chose its epoch: the figures are too good. "
            "Before the training, put clips of others aside (a column fold: train, validation, "
            "test)"
        )
    (sequences,) = clip_sequences(clips, [scored], recognizer, remark)
    if not sequences:
        raise DataError(
            f"{data} has no clip that can be scored: of {len(candidates) + len(clips.skipped):,} "
            f"it has learnt {learnt:,}, and the others were left out."
        )
    return sequences


def _faces(
    data: Path, run: RunFolder, experiment: Experiment, remark: Callable[[str], None]
) -> tuple[LabelledFaces, NDArray[np.intp] | None]:
    """Return faces to make sequences of, and their rows where they are FER2013's test faces.

    Of the faces that it was trained on, those that chose its epoch or were held out.
    """
    dataset = load_dataset(data)
    scored = faces_to_score(dataset)
    labels = np.asarray(scored.labels, np.int64)
    beside = data.parent / "fer2013new.csv"
    # A few hundred of FER2013's training faces are copies of test faces.
    if scored.known_test_faces <= LARGEST_TEST_PART * len(scored.labels):
        if not is_trained_on(dataset, data, run):
            if (told := told_of_training_faces(scored, run)) is not None:
                remark(told)
            return LabelledFaces(scored.faces_u8, labels, votes=None, source=data), None
        faces = load_faces_or_clips(data, beside)
        assert isinstance(faces, LabelledFaces)
        _, validation = split_faces(faces, experiment.split)
        return held_out_faces(faces, experiment.split) or validation, None
    of_test = votes_for_test(scored, load_votes(beside)) if beside.is_file() else None
    return LabelledFaces(scored.faces_u8, labels, of_test), scored.test_rows


def _count_look(
    report: OverTimeReport,
    network: keras.Model,
    path: Path,
    look: Mapping[str, Any],
    ledger: Path,
    say: Callable[[str], None],
) -> None:
    """Add the look to the ledger, unless the same network is there already."""
    shape = (2, 20, network.input_shape[-1])
    drawn = np.random.default_rng(2013).random(shape, dtype=np.float32)
    answers = [round(float(each), 4) for each in network.predict(drawn, verbose=0)[:, -1].ravel()]
    sha256 = hash_file(path)
    if find_entry(ledger, sha256, answers, look) is not None:
        say(f"Already in {ledger}: the same network, so no new evaluation")
        return
    moments, clips = report.of_moments[NETWORK], report.of_clips[NETWORK]
    append_entry(
        ledger,
        {
            "date": datetime.now(UTC).date().isoformat(),
            "experiment": report.experiment,
            "file": short_name(path),
            "sha256": sha256,
            "faces": report.moments,
            **look,
            "accuracy": moments["accuracy"].value,
            "macro_f1": moments["macro_f1"].value,
            "clip_accuracy": clips["accuracy"].value,
            "clip_macro_f1": clips["macro_f1"].value,
            "answers": answers,
        },
    )
    say(f"Evaluated on up to {look['test_faces']:,} of FER2013's test faces: logged in {ledger}")
