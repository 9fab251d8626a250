"""The share of the vote head follows from what it is right about."""

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.training.blend import choose_vote_share

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def outputs_of(label_head: list[int], vote_head: list[int]) -> np.ndarray:
    """(N, 17) outputs whose heads are 90 % sure of these labels."""
    outputs = np.full((len(label_head), len(EMOTIONS) + len(VOTE_CLASSES)), 0.01, np.float32)
    for row, (label, voted) in enumerate(zip(label_head, vote_head, strict=True)):
        outputs[row, label] = 0.9
        outputs[row, len(EMOTIONS) + VOTE_CLASSES.index(EMOTIONS[voted])] = 0.9
    return outputs


def votes_for(labels: list[int]) -> np.ndarray:
    """(N, 10) votes: all ten for these labels."""
    votes = np.zeros((len(labels), len(VOTE_CLASSES)), np.float32)
    for row, label in enumerate(labels):
        votes[row, VOTE_CLASSES.index(EMOTIONS[label])] = 10
    return votes


def test_a_vote_head_that_is_always_wrong_counts_nothing_against_a_right_one() -> None:
    truth = [HAPPY, SAD, HAPPY]
    outputs = outputs_of(label_head=truth, vote_head=[SAD, HAPPY, SAD])
    share, figures = choose_vote_share(outputs, np.array(truth), votes_for(truth))
    assert share == 0
    assert figures["validation_accuracy_blend"] == 1
    assert figures["validation_accuracy_vote_head"] == 0


def test_a_label_head_that_is_always_wrong_gives_way() -> None:
    truth = [HAPPY, SAD, HAPPY]
    outputs = outputs_of(label_head=[SAD, HAPPY, SAD], vote_head=truth)
    share, figures = choose_vote_share(outputs, np.array(truth), votes_for(truth))
    assert share > 0
    assert figures["validation_accuracy_agreed_blend"] == 1


def test_faces_without_agreement_count_for_the_labels_only() -> None:
    votes = votes_for([HAPPY, HAPPY])
    votes[1] = 0
    votes[1, :2] = 5
    outputs = outputs_of(label_head=[HAPPY, SAD], vote_head=[HAPPY, SAD])
    _, figures = choose_vote_share(outputs, np.array([HAPPY, SAD]), votes)
    assert figures["validation_accuracy_agreed_blend"] == 1


def test_votes_against_what_the_label_head_is_sure_of_do_not_win_by_an_equal_accuracy() -> None:
    # On the third face the label head is unsure, and wrong; on the fourth the raters say sad, the
    # label and its head happy. Either head alone is right about three labels of four.
    labels = np.array([HAPPY, SAD, SAD, HAPPY] * 50)
    seen = [HAPPY, SAD, SAD, SAD] * 50
    outputs = outputs_of(label_head=[HAPPY, SAD, HAPPY, HAPPY] * 50, vote_head=seen)
    outputs[2::4, [HAPPY, SAD]] = [0.5, 0.45]
    share, figures = choose_vote_share(outputs, labels, votes_for(seen))
    assert figures["validation_accuracy_vote_head"] == figures["validation_accuracy_label_head"]
    assert 0 < share < 0.5
    assert figures["validation_accuracy_blend"] == 1
