"""Which of two heads to ship: the labels', the votes', or a mean of both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.data.ferplus import agreed_labels

SHARES = np.linspace(0, 1, 21)
"""The weights of the vote head that are tried."""

LARGEST_LOSS = 0.005
"""So much accuracy against FER2013's labels may be given for agreement with the raters."""


def choose_vote_share(
    outputs: NDArray[np.float32], labels: NDArray[np.int64], votes: NDArray[np.float32]
) -> tuple[float, dict[str, float]]:
    """Choose how much the vote head counts, on validation faces.

    What people see should agree with what ten raters see, without giving up what FER2013's labels
    say. So the share is the one with the highest accuracy on the faces on which more than five of
    FER+'s ten raters agree, among those that lose at most `LARGEST_LOSS` of the label head's
    accuracy against FER2013's labels, over all faces.

    Args:
        outputs: (N, 17) probabilities of a network with a vote head.
        labels: (N,) labels, 0 to 6.
        votes: (N, 10) counts of FER+'s votes.

    Returns:
        The share, 0 to 1, and both accuracies of the blend, of the labels' head alone and of the
        votes' head alone.
    """
    emotions = outputs[:, : len(EMOTIONS)]
    of_emotions = outputs[:, [len(EMOTIONS) + VOTE_CLASSES.index(name) for name in EMOTIONS]]
    of_emotions = of_emotions / of_emotions.sum(axis=1, keepdims=True)
    agreed = agreed_labels(votes)

    def accuracies(share: float) -> tuple[float, float]:
        predicted = ((1 - share) * emotions + share * of_emotions).argmax(axis=1)
        return (
            float(np.mean(predicted == labels)),
            float(np.mean((predicted == agreed)[agreed >= 0])),
        )

    of_share = {float(share): accuracies(share) for share in SHARES}
    least = of_share[0.0][0] - LARGEST_LOSS
    affordable = [share for share, (on_labels, _) in of_share.items() if on_labels >= least]
    share = max(affordable, key=lambda share: of_share[share][1])
    figures: dict[str, float] = {}
    for name, weight in (("blend", share), ("label_head", 0.0), ("vote_head", 1.0)):
        on_labels, on_agreed = of_share[weight]
        figures[f"validation_accuracy_{name}"] = on_labels
        figures[f"validation_accuracy_agreed_{name}"] = on_agreed
    return share, figures
