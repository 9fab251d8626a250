import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs mien[train]")

from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.evaluation.rater_scores import score_against_raters


def votes_of(**counts):
    row = np.zeros(10, np.float32)
    for name, count in counts.items():
        row[VOTE_CLASSES.index(name.replace("_", " "))] = count
    return row


def says(*emotions):
    return np.eye(7, dtype=np.float32)[[EMOTIONS.index(emotion) for emotion in emotions]]


def test_the_majority_is_that_of_the_published_protocol():
    votes = np.stack(
        [
            votes_of(happy=6, neutral=4),
            votes_of(sad=4, neutral=3, angry=1, fear=1, unknown=1),  # 4 of the 7 that are left
            votes_of(sad=4, neutral=4, angry=2),  # nobody has more than half
            votes_of(contempt=7, neutral=3),  # clear, and never said
            votes_of(not_a_face=10),  # no expression
            votes_of(fear=9, surprise=1),
        ]
    )
    said = says("happy", "sad", "sad", "neutral", "neutral", "surprise")
    is_public = np.array([True, True, True, False, False, False])
    scores = score_against_raters(said, said, votes, is_public)
    assert (scores.majority.correct, scores.majority.count) == (2, 4)
    assert (scores.majority_public.correct, scores.majority_public.count) == (2, 2)
    assert (scores.majority_private.correct, scores.majority_private.count) == (0, 2)
    # More than five of ten say one of the seven.
    assert (scores.agreed.accuracy.correct, scores.agreed.accuracy.count) == (1, 2)
    assert scores.mean_recall.value == 0.5
    assert scores.mean_recall.low <= 0.5 <= scores.mean_recall.high


def test_calibration_is_on_the_shares_of_votes():
    votes = np.stack([votes_of(happy=8, neutral=2)] * 20)
    probabilities = np.zeros((20, 7), np.float32)
    probabilities[:, EMOTIONS.index("happy")] = 0.8
    probabilities[:, EMOTIONS.index("neutral")] = 0.2
    certain = says(*["happy"] * 20)
    scores = score_against_raters(certain, probabilities, votes, None)
    assert scores.calibrated.expected_error == pytest.approx(0, abs=1e-6)
    assert scores.uncalibrated.expected_error == pytest.approx(0.2, abs=1e-6)
    assert scores.majority_public is None
