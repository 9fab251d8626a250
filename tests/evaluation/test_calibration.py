import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs mien[train]")

from mien.classifier.reading import apply_temperature
from mien.evaluation.calibration import measure_calibration
from mien.training.temperature import fit_temperature, negative_log_likelihood


def drawn_from_a_softmax(count, sharpness):
    """Labels drawn from the very probabilities that are then made `sharpness` times as sure."""
    random = np.random.default_rng(7)
    logits = random.normal(scale=2.0, size=(count, 7))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (random.random((count, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(0, 6)
    return apply_temperature(honest.astype(np.float32), 1 / sharpness), labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_false_confidence(sharpness):
    probabilities, labels = drawn_from_a_softmax(20_000, sharpness)
    temperature = fit_temperature(probabilities, labels)
    assert temperature == pytest.approx(sharpness, rel=0.05)
    calibrated = apply_temperature(probabilities, temperature)
    assert measure_calibration(calibrated, labels).expected_error < 0.015
    assert negative_log_likelihood(calibrated, labels) <= negative_log_likelihood(
        probabilities, labels
    )


def test_the_expected_error_is_the_mean_gap_between_confidence_and_accuracy():
    rows = [[0.9, 0.1, 0, 0, 0, 0, 0]] * 4 + [[0.6, 0.4, 0, 0, 0, 0, 0]] * 4
    labels = np.array([0, 0, 0, 1, 0, 0, 1, 1])
    calibration = measure_calibration(np.array(rows, np.float32), labels)
    assert calibration.expected_error == pytest.approx((0.15 + 0.1) / 2)
    assert sum(calibration.counts) == 8
    assert calibration.counts[13] == 4
    assert calibration.accuracies[13] == 0.75
    assert calibration.confidences[0] is None


def test_certain_answers_fall_into_the_last_bin():
    certain = np.eye(7, dtype=np.float32)
    calibration = measure_calibration(certain, np.arange(7))
    assert calibration.counts[-1] == 7
    assert calibration.expected_error == 0


def test_against_shares_of_votes_being_right_is_a_matter_of_degree():
    rows = np.array([[0.8, 0.2, 0, 0, 0, 0, 0]] * 10, np.float32)
    shares = np.array([[0.8, 0.1, 0.1, 0, 0, 0, 0]] * 10, np.float32)
    assert measure_calibration(rows, shares).expected_error == pytest.approx(0, abs=1e-6)
    shares[:, 0], shares[:, 3] = 0.5, 0.3
    assert measure_calibration(rows, shares).expected_error == pytest.approx(0.3, abs=1e-6)
