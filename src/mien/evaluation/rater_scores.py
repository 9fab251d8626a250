"""How far a network's reading agrees with FER+'s ten raters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.data.ferplus import agreed_labels, emotion_shares, majority_votes
from mien.evaluation.calibration import Calibration, measure_calibration
from mien.evaluation.metrics import Accuracy, Scores, accuracy_with_interval, score
from mien.training.recall import resample_mean_recall


@dataclass(frozen=True, slots=True)
class MeanRecall:
    """The mean recall of the emotions, 0 to 1, and its 95 % interval by a bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RaterScores:
    """What a reading achieves against the raters.

    Attributes:
        majority: Right by FER+'s published protocol (Barsoum et al. 2016, section 4): votes of 1
            are dropped, one class must have more than half of those left. Contempt is among the
            eight classes, and as mien never says it, always counted as wrong.
        majority_public: The same on PublicTest; None where the two cannot be told apart.
        majority_private: The same on PrivateTest, on which figures are published.
        agreed: Scores on the faces on which more than five of the ten raters say the same.
        mean_recall: The mean recall of the seven emotions on those.
        uncalibrated: Calibration at temperature 1 on the shares of votes.
        calibrated: Calibration with the temperature: a face called with 80 % is right if 8 of 10
            raters say so.
    """

    majority: Accuracy
    majority_public: Accuracy | None
    majority_private: Accuracy | None
    agreed: Scores
    mean_recall: MeanRecall
    uncalibrated: Calibration
    calibrated: Calibration


def score_against_raters(
    own: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    votes: NDArray[np.float32],
    is_public: NDArray[np.bool_] | None,
) -> RaterScores:
    """Score a reading of the seven emotions.

    Args:
        own: (N, 7) float32 at temperature 1, in the order of `EMOTIONS`.
        probabilities: (N, 7) float32, with the temperature.
        votes: (N, 10) counts of FER+'s votes.
        is_public: (N,) True for PublicTest, False for PrivateTest; None if unknown.

    Raises:
        DataError: if no face is clear to the raters.
    """
    said = probabilities.argmax(axis=1)
    majority = majority_votes(votes)
    column = np.array([VOTE_CLASSES.index(emotion) for emotion in EMOTIONS])[said]
    clear = majority >= 0

    def right(chosen: NDArray[np.bool_]) -> Accuracy:
        return accuracy_with_interval((column == majority)[chosen & clear])

    agreed = agreed_labels(votes)
    is_agreed = agreed >= 0
    scores = score(probabilities[is_agreed], agreed[is_agreed])
    resampled = resample_mean_recall(said[is_agreed], agreed[is_agreed])
    low, high = np.percentile(resampled, [2.5, 97.5])
    shares = emotion_shares(votes)
    named = shares.any(axis=1)
    return RaterScores(
        majority=right(np.ones(len(votes), np.bool_)),
        majority_public=None if is_public is None else right(is_public),
        majority_private=None if is_public is None else right(~is_public),
        agreed=scores,
        mean_recall=MeanRecall(scores.macro.recall, float(low), float(high)),
        uncalibrated=measure_calibration(own[named], shares[named]),
        calibrated=measure_calibration(probabilities[named], shares[named]),
    )
