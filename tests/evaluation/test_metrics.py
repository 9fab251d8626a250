import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs mien[train]")

from mien.core.errors import DataError
from mien.evaluation.metrics import accuracy_with_interval, have_exact_copy, score


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(correct, count, low, high):
    accuracy = accuracy_with_interval(correct, count)
    assert (accuracy.low, accuracy.high) == pytest.approx((low, high), abs=5e-5)
    assert accuracy.value == correct / count


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="no labelled face"):
        accuracy_with_interval(0, 0)


def test_figures_per_class_and_their_means():
    labels = np.array([0, 0, 0, 3, 3, 6])
    predicted = np.array([0, 0, 3, 3, 3, 0])
    scores = score(np.eye(7, dtype=np.float32)[predicted], labels)
    angry, happy, neutral = (scores.classes[name] for name in ("angry", "happy", "neutral"))
    assert (angry.precision, angry.recall, angry.count) == (2 / 3, 2 / 3, 3)
    assert happy.f1 == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert (neutral.precision, neutral.recall, neutral.f1) == (0, 0, 0)
    # Four emotions do not occur: they say nothing, and are left out of the mean.
    assert scores.macro.f1 == pytest.approx((angry.f1 + happy.f1 + neutral.f1) / 3)
    assert scores.weighted.recall == pytest.approx(scores.accuracy.value)
    assert scores.confusion[0] == [2, 0, 0, 1, 0, 0, 0]


def test_copies_are_found_pixel_for_pixel():
    random = np.random.default_rng(0)
    training = random.integers(0, 256, (5, 48, 48), dtype=np.uint8)
    almost = training[2].copy()
    almost[0, 0] ^= 1
    faces = np.stack([training[4], almost, training[0]])
    assert have_exact_copy(faces, training).tolist() == [True, False, True]
