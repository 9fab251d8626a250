"""Which of two heads to ship: the labels', the votes', or a mean of both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import apply_temperature
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.data.ferplus import agreed_labels
from mien.training.temperature import fit_temperature, negative_log_likelihood

SHARES = np.linspace(0, 1, 21)
"""The weights of the vote head that are tried."""

LARGEST_LOSS = 0.005
"""So much log-likelihood of FER2013's labels may be given for agreement with raters, in nats."""


def choose_vote_share(
    outputs: NDArray[np.float32], labels: NDArray[np.int64], votes: NDArray[np.float32]
) -> tuple[float, dict[str, float]]:
    """Choose how much the vote head counts, on validation faces.

    What people see should agree with what ten raters see, without giving up what FER2013's labels
    say. So the share is the one with the highest accuracy on the faces on which more than five of
    FER+'s ten raters agree, among those whose log-likelihood of FER2013's labels is at most
    `LARGEST_LOSS` worse than the best one, each at its own temperature. A few thousand faces tell
    the log-likelihood of two shares apart, their accuracy they do not.

    Args:
        outputs: (N, 17) probabilities of a network with a vote head.
        labels: (N,) labels, 0 to 6.
        votes: (N, 10) counts of FER+'s votes.

    Returns:
        The share, 0 to 1; and of the blend, of the labels' head alone and of the votes' head alone,
        both accuracies and the negative log-likelihood in nats.
    """
    emotions = outputs[:, : len(EMOTIONS)]
    of_emotions = outputs[:, [len(EMOTIONS) + VOTE_CLASSES.index(name) for name in EMOTIONS]]
    of_emotions = of_emotions / of_emotions.sum(axis=1, keepdims=True)
    agreed = agreed_labels(votes)

    def figures_of(share: float) -> dict[str, float]:
        blend = (1 - share) * emotions + share * of_emotions
        predicted = blend.argmax(axis=1)
        calibrated = apply_temperature(blend, fit_temperature(blend, labels))
        return {
            "accuracy": float(np.mean(predicted == labels)),
            "accuracy_agreed": float(np.mean((predicted == agreed)[agreed >= 0])),
            "calibrated_loss": negative_log_likelihood(calibrated, labels),
        }

    of_share = {float(share): figures_of(share) for share in SHARES}
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
