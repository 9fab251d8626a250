"""The shares of the heads follow from what each is right about, and from whose truth it is."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs mien[train]")

from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.models.heads import HEADS, LABEL_HEAD, VOTE_HEAD
from mien.training.faces import LabelledFaces
from mien.training.readings import (
    LABELS,
    RATERS,
    choose_label_share,
    choose_rater_share,
    fit_readings,
    uncalibrated_readings,
)

FEAR, HAPPY, SAD = (EMOTIONS.index(emotion) for emotion in ("fear", "happy", "sad"))


def heads_of(label_head: list[int], vote_head: list[int]) -> dict[str, np.ndarray]:
    """Heads that are nine tenths sure of these labels."""
    heads = {}
    for name, labels in ((LABEL_HEAD, label_head), (VOTE_HEAD, vote_head)):
        rows = np.full((len(labels), len(HEADS[name])), 0.1 / (len(HEADS[name]) - 1), np.float32)
        for row, label in zip(rows, labels, strict=True):
            row[HEADS[name].index(EMOTIONS[label])] = 0.9
        heads[name] = rows
    return heads


def votes_for(labels: list[int]) -> np.ndarray:
    """(N, 10) votes: all ten for these labels."""
    votes = np.zeros((len(labels), len(VOTE_CLASSES)), np.float32)
    for row, label in enumerate(labels):
        votes[row, VOTE_CLASSES.index(EMOTIONS[label])] = 10
    return votes


def faces_of(labels: list[int], votes: np.ndarray) -> LabelledFaces:
    pictures = np.zeros((len(labels), 48, 48), np.uint8)
    return LabelledFaces(pictures, np.array(labels), votes)


def test_a_vote_head_that_is_always_wrong_counts_nothing_against_a_right_one() -> None:
    truth = [HAPPY, SAD, HAPPY]
    heads = heads_of(label_head=truth, vote_head=[SAD, HAPPY, SAD])
    share, figures = choose_label_share(heads, HEADS, faces_of(truth, votes_for(truth)))
    assert share == 0
    assert figures["validation_accuracy_blend"] == 1
    assert figures["validation_accuracy_vote_head"] == 0


def test_a_label_head_that_is_always_wrong_gives_way() -> None:
    truth = [HAPPY, SAD, HAPPY]
    heads = heads_of(label_head=[SAD, HAPPY, SAD], vote_head=truth)
    share, figures = choose_label_share(heads, HEADS, faces_of(truth, votes_for(truth)))
    assert share > 0
    assert figures["validation_accuracy_agreed_blend"] == 1


def test_the_raters_share_gives_the_votes_head_what_it_knows_better() -> None:
    truth = [HAPPY, SAD] * 20
    heads = heads_of(label_head=[SAD, HAPPY] * 20, vote_head=truth)
    share, figures = choose_rater_share(heads, HEADS, votes_for(truth))
    assert share > 0.5
    assert figures == {"validation_accuracy_agreed": 1, "validation_mean_recall_agreed": 1}


def test_the_raters_share_counts_faces_and_emotions() -> None:
    # The vote head misses the one face with fear; the label head calls many happy faces sad.
    truth = [HAPPY] * 50 + [FEAR]
    own = [HAPPY] * 50 + [SAD]

    def share_where(missed_by_the_label_head: int) -> float:
        labels = [SAD] * missed_by_the_label_head + truth[missed_by_the_label_head:]
        return choose_rater_share(heads_of(labels, own), HEADS, votes_for(truth))[0]

    assert share_where(missed_by_the_label_head=10) < 0.5
    assert share_where(missed_by_the_label_head=45) > 0.5


def test_the_raters_temperature_says_how_many_raters_would_agree() -> None:
    # The head is 90 % sure of faces on which six of ten raters agree.
    truth = [HAPPY, SAD] * 50
    votes = 0.6 * votes_for(truth) + 0.4 * votes_for([SAD, HAPPY] * 50)
    readings = fit_readings(heads_of(truth, truth), HEADS, faces_of(truth, votes))
    assert list(readings) == [RATERS, LABELS]
    assert readings[RATERS].temperature > 1.2 > 1 > readings[LABELS].temperature


def test_a_network_without_votes_has_the_labels_only() -> None:
    assert list(uncalibrated_readings({LABEL_HEAD: EMOTIONS}, {})) == [LABELS]
    both = uncalibrated_readings(HEADS, {"vote_share": 0.05, "rater_vote_share": 0.6})
    assert both[RATERS].shares == {LABEL_HEAD: 0.4, VOTE_HEAD: 0.6}
    assert both[LABELS].shares == {LABEL_HEAD: 0.95, VOTE_HEAD: 0.05}
