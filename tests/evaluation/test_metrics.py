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
    accuracy = accuracy_with_interval(np.arange(count) < correct)
    assert (accuracy.low, accuracy.high) == pytest.approx((low, high), abs=5e-5)
    assert accuracy.value == correct / count


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="no labelled face"):
        accuracy_with_interval(np.zeros(0, np.bool_))


def test_an_interval_over_persons_holds_what_it_promises() -> None:
    random = np.random.default_rng(0)
    persons = np.repeat(np.arange(40).astype(str), 20)
    covered_by_persons = covered_by_faces = 0
    for _ in range(400):
        # Persons differ: some are read well, others badly, and 70 % on average.
        share_of_person = random.beta(2.1, 0.9, 40)
        is_correct = random.random(800) < np.repeat(share_of_person, 20)
        by_persons = accuracy_with_interval(is_correct, persons)
        by_faces = accuracy_with_interval(is_correct)
        covered_by_persons += by_persons.low <= 0.7 <= by_persons.high
        covered_by_faces += by_faces.low <= 0.7 <= by_faces.high
    assert 0.92 <= covered_by_persons / 400 <= 0.98
    assert covered_by_faces / 400 < 0.7


def test_groups_of_one_face_change_next_to_nothing() -> None:
    is_correct = np.arange(1000) < 700
    alone = accuracy_with_interval(is_correct)
    grouped = accuracy_with_interval(is_correct, np.arange(1000).astype(str))
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high), abs=3e-4)


@pytest.mark.parametrize(("right", "low", "high"), [(0, 0.0, 0.6), (20, 0.4, 1.0)])
def test_persons_all_read_alike_count_as_one_face_each(right: int, low: float, high: float) -> None:
    persons = np.repeat(np.array(["anna", "ben", "eva", "tom", "ute"]), 4)
    accuracy = accuracy_with_interval(np.arange(20) < right, persons)
    assert accuracy.low == pytest.approx(low, abs=0.06)
    assert accuracy.high == pytest.approx(high, abs=0.06)


def test_one_person_says_nothing_of_others() -> None:
    accuracy = accuracy_with_interval(np.arange(20) < 15, np.repeat("anna", 20))
    assert (accuracy.value, accuracy.low, accuracy.high) == (0.75, 0.0, 1.0)


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
