"""Which mean of the two heads answers which question: the readings of a network.

FER2013's labels are one search word a face, FER+'s votes are what ten people saw. `labels` answers
for the former, `raters` for the latter. Both are means of the same two heads, for the votes also
tell of the labels and the labels of rare emotions, and both are chosen on validation faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.classifier.reading import apply_temperature, read
from mien.core.artifact import Reading
from mien.core.labels import EMOTIONS
from mien.data.ferplus import agreed_labels, emotion_shares
from mien.models.heads import LABEL_HEAD, VOTE_HEAD
from mien.training.faces import LabelledFaces
from mien.training.recall import mean_recall
from mien.training.temperature import fit_temperature, negative_log_likelihood

LABELS, RATERS = "labels", "raters"
"""The names of the readings; a network without a vote head has the first only."""

SHARES = [round(0.05 * step, 2) for step in range(21)]
"""The weights of the vote head that are tried."""

LARGEST_LOSS = 0.005
"""So much log-likelihood of FER2013's labels may `labels` give for agreement with raters, nats."""

Heads = Mapping[str, NDArray[np.float32]]  # (N, K) of each head
Classes = Mapping[str, tuple[str, ...]]


def fit_readings(heads: Heads, classes: Classes, faces: LabelledFaces) -> dict[str, Reading]:
    """Choose the shares of the heads and fit the temperatures.

    Args:
        heads: What the network answers for the faces, by head.
        classes: The classes of each head.
        faces: Validation faces, with votes if the network has a vote head.

    Returns:
        The readings, the default one first. Their metrics are measured on these faces.
    """
    readings = {}
    if VOTE_HEAD in heads:
        readings[RATERS] = _fit_raters(heads, classes, faces)
    labels_share, metrics = choose_label_share(heads, classes, faces)
    labels = _labels_of(classes)
    own = read(heads, blend(labels_share, labels=labels), classes)
    temperature = fit_temperature(own, faces.labels)
    readings[LABELS] = blend(labels_share, temperature, metrics, labels)
    return readings


def _fit_raters(heads: Heads, classes: Classes, faces: LabelledFaces) -> Reading:
    assert faces.votes is not None  # A network with a vote head has learnt them.
    share, metrics = choose_rater_share(heads, classes, faces.votes)
    truth, known = truth_of(RATERS, faces)
    own = read(heads, blend(share), classes)[known]
    return blend(share, fit_temperature(own, truth[known]), metrics)


def truth_of(reading: str, faces: LabelledFaces) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the truth that a reading is about, and for which faces there is one.

    Args:
        reading: Its name; of `RATERS` the truth is the votes, if they are known, else the labels.
        faces: Labelled faces.

    Returns:
        (N, 7) shares of the votes for the seven emotions, or (N,) labels; and (N,) bool, False for
        a face for which no rater named one of the seven.
    """
    if reading == RATERS and faces.votes is not None:
        shares = emotion_shares(faces.votes)
        return shares, np.asarray(shares.any(axis=1))
    return faces.labels, np.ones(len(faces.labels), np.bool_)


def blend(
    vote_share: float,
    temperature: float = 1.0,
    metrics: Mapping[str, Any] | None = None,
    labels: tuple[str, ...] = EMOTIONS,
) -> Reading:
    """Return the reading of these labels that has this share of the vote head, 0 to 1."""
    shares = {LABEL_HEAD: round(1 - vote_share, 6), VOTE_HEAD: vote_share}
    return Reading(
        labels=labels,
        shares={head: share for head, share in shares.items() if share},
        temperature=temperature,
        metrics=metrics or {},
    )


def _labels_of(classes: Classes) -> tuple[str, ...]:
    """Return what the label head tells apart; FER+'s raters speak of the seven emotions only."""
    return EMOTIONS if VOTE_HEAD in classes else classes[LABEL_HEAD]


def figures_of(readings: Mapping[str, Reading]) -> dict[str, Any]:
    """Return what a run's `metrics.json` keeps of its readings; empty without a vote head."""
    if RATERS not in readings:
        return {}
    labels, raters = readings[LABELS], readings[RATERS]
    return {
        "vote_share": labels.shares.get(VOTE_HEAD, 0.0),
        **labels.metrics,
        "rater_vote_share": raters.shares.get(VOTE_HEAD, 0.0),
        **raters.metrics,
    }


def uncalibrated_readings(classes: Classes, metrics: Mapping[str, Any]) -> dict[str, Reading]:
    """Return the readings of a network that are known without asking it anything.

    Args:
        classes: The classes of each head.
        metrics: The content of its run's `metrics.json`, which names the shares; without them each
            reading is one head's.

    Returns:
        The readings at temperature 1, the default one first.
    """
    if VOTE_HEAD not in classes:
        return {LABELS: blend(0.0, labels=_labels_of(classes))}
    labels = {LABELS: blend(metrics.get("vote_share", 0.0))}
    return {RATERS: blend(metrics.get("rater_vote_share", 1.0)), **labels}


def choose_rater_share(
    heads: Heads, classes: Classes, votes: NDArray[np.float32]
) -> tuple[float, dict[str, float]]:
    """Choose how much the vote head counts where the question is what people see.

    The vote head agrees with most raters about most faces, which are happy or neutral; the label
    head finds more of the few that show fear or disgust. What counts is both: the share has the
    highest mean of the accuracy, in which each face counts alike, and of the mean recall, in which
    each emotion does; of several such shares the middle one.

    Args:
        heads: What the network answers, by head.
        classes: The classes of each head.
        votes: (N, 10) counts of FER+'s votes; only faces count on which more than five of ten
            raters agree.

    Returns:
        The share, 0 to 1, and its accuracy and mean recall.
    """
    agreed = agreed_labels(votes)
    clear = agreed >= 0

    def figures_of(share: float) -> dict[str, float]:
        predicted = read(heads, blend(share), classes).argmax(axis=1)[clear]
        return {
            "accuracy": float(np.mean(predicted == agreed[clear])),
            "mean_recall": mean_recall(predicted, agreed[clear]),
        }

    of_share = {share: figures_of(share) for share in SHARES}
    highest = max(sum(figures.values()) for figures in of_share.values())
    equals = [share for share in SHARES if sum(of_share[share].values()) == highest]
    share = equals[len(equals) // 2]
    return share, {f"validation_{name}_agreed": value for name, value in of_share[share].items()}


def choose_label_share(
    heads: Heads, classes: Classes, faces: LabelledFaces
) -> tuple[float, dict[str, float]]:
    """Choose how much the vote head counts where the question is FER2013's label.

    The share is the one with the highest accuracy on the faces on which more than five of FER+'s
    ten raters agree, among those whose log-likelihood of FER2013's labels is at most `LARGEST_LOSS`
    worse than the best one, each at its own temperature. A few thousand faces tell the
    log-likelihood of two shares apart, their accuracy they do not.

    Args:
        heads: What the network answers, by head.
        classes: The classes of each head.
        faces: Validation faces, with votes if the network has a vote head.

    Returns:
        The share, 0 to 1 (0 without a vote head); and of the blend, of the label head alone and
        of the vote head alone, the accuracies and the negative log-likelihood in nats.
    """
    agreed = None if faces.votes is None else agreed_labels(faces.votes)

    def figures_of(share: float) -> dict[str, float]:
        own = read(heads, blend(share, labels=_labels_of(classes)), classes)
        predicted = own.argmax(axis=1)
        calibrated = apply_temperature(own, fit_temperature(own, faces.labels))
        figures = {
            "accuracy": float(np.mean(predicted == faces.labels)),
            "calibrated_loss": negative_log_likelihood(calibrated, faces.labels),
        }
        if agreed is not None:
            figures["accuracy_agreed"] = float(np.mean((predicted == agreed)[agreed >= 0]))
        return figures

    if VOTE_HEAD not in heads:
        return 0.0, {f"validation_{name}": value for name, value in figures_of(0.0).items()}
    of_share = {share: figures_of(share) for share in SHARES}
    most = min(figures["calibrated_loss"] for figures in of_share.values()) + LARGEST_LOSS
    affordable = [
        share for share, figures in of_share.items() if figures["calibrated_loss"] <= most
    ]
    share = max(affordable, key=lambda share: of_share[share]["accuracy_agreed"])
    return share, {
        f"validation_{name}_{head}": value
        for head, weight in (("blend", share), ("label_head", 0.0), ("vote_head", 1.0))
        for name, value in of_share[weight].items()
    }
