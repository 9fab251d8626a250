import itertools
from typing import Any

import numpy as np
import pytest

from mien.core.errors import SettingError
from mien.core.labels import EMOTIONS
from mien.engine.settings import EngineSettings, make_settings
from mien.engine.smoothing import PATIENCE_MS, Smoother
from mien.engine.tracks import Observation

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def showing(label: int, confidence: float = 0.8) -> np.ndarray:
    probabilities = np.full(7, (1 - confidence) / 6, np.float32)
    probabilities[label] = confidence
    return probabilities


def between(happy: float) -> np.ndarray:
    probabilities = np.full(7, 0.02, np.float32)
    probabilities[HAPPY], probabilities[SAD] = happy, 0.9 - happy
    return probabilities


def observe(smoother, track_id, probabilities, timestamp_ms):
    return smoother.observe(track_id, Observation(timestamp_ms, probabilities))


def test_a_steady_face_keeps_its_probabilities():
    smoother = Smoother(130)
    for frame in range(20):
        averaged, label = observe(smoother, 1, showing(HAPPY), frame * 33.3)
    assert label == HAPPY
    np.testing.assert_allclose(averaged, showing(HAPPY), atol=1e-5)


def test_one_odd_frame_changes_no_label():
    smoother = Smoother(130)
    labels = [
        observe(smoother, 1, showing(SAD if frame == 10 else HAPPY), frame * 33.3)[1]
        for frame in range(20)
    ]
    assert labels == [HAPPY] * 20


@pytest.mark.parametrize("fps", [10, 30, 60, 120])
def test_a_true_change_shows_after_the_same_time_at_any_frame_rate(fps):
    smoother = Smoother(130)
    for frame in range(fps + 1):
        observe(smoother, 1, showing(HAPPY), frame * 1000 / fps)
    for frame in range(1, fps):
        _, label = observe(smoother, 1, showing(SAD), 1000 + frame * 1000 / fps)
        if label == SAD:
            break
    # Half of the memory is gone after 130 ms * ln 2.
    assert 90 <= frame * 1000 / fps <= 130 + 1000 / fps


def test_a_close_race_does_not_flicker():
    smoother = Smoother(130)
    random = np.random.default_rng(1)
    labels = [
        observe(smoother, 1, between(0.45 + random.normal(0, 0.04)), frame * 33.3)[1]
        for frame in range(300)
    ]
    changes = sum(one != other for one, other in itertools.pairwise(labels))
    off = Smoother(0)
    random = np.random.default_rng(1)
    raw = [
        observe(off, 1, between(0.45 + random.normal(0, 0.04)), frame * 33.3)[1]
        for frame in range(300)
    ]
    raw_changes = sum(one != other for one, other in itertools.pairwise(raw))
    assert raw_changes > 50
    assert changes < raw_changes / 10


def test_a_small_lead_that_lasts_is_shown_in_the_end():
    smoother = Smoother(130)
    observe(smoother, 1, between(0.48), 0)
    labels = [
        observe(smoother, 1, between(0.43), ms)[1] for ms in range(50, int(3 * PATIENCE_MS), 50)
    ]
    assert labels[0] == HAPPY
    assert labels[-1] == SAD


def test_people_are_smoothed_apart_and_forgotten():
    smoother = Smoother(130)
    for ms in (0, 50, 100):
        observe(smoother, 1, showing(HAPPY), ms)
        assert observe(smoother, 2, showing(SAD), ms)[1] == SAD
    smoother.forget_all_but([2])
    assert observe(smoother, 1, showing(SAD), 150)[1] == SAD


def test_zero_turns_it_off():
    smoother = Smoother(0)
    observe(smoother, 1, showing(HAPPY), 0)
    averaged, label = observe(smoother, 1, showing(SAD), 1)
    assert label == SAD
    np.testing.assert_array_equal(averaged, showing(SAD))


def test_a_time_below_zero_is_refused():
    with pytest.raises(SettingError, match="smooth_ms is -1"):
        EngineSettings(smooth_ms=-1)
    with pytest.raises(SettingError, match="detect_every_ms is nan"):
        EngineSettings(detect_every_ms=float("nan"))
    assert make_settings(smooth_ms=0, gate={"min_confidence": 0.9}).gate.min_confidence == 0.9


def test_a_time_that_is_no_number_is_named():
    no_number: Any = "x"
    with pytest.raises(SettingError, match="smooth_ms is 'x'; expected 0 or more milliseconds"):
        EngineSettings(smooth_ms=no_number)
