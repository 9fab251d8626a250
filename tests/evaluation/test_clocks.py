"""The shipped temporal network says the same when a sequence is played otherwise."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.classifier.classifier import Classifier
from mien.core.temporal import bundled_temporal
from mien.data.disturb import OTHER
from mien.data.made_sequences import disturb_faces, make_sequence
from mien.engine.smoothing import Smoother
from mien.engine.temporal import TemporalMemory
from mien.evaluation.clocks import PLAYINGS, Playing, agreement

PEOPLE = Path(__file__).parents[2] / "web" / "samples" / "people.jpg"
CENTRES = ((513, 437), (844, 141), (517, 151), (842, 439), (182, 438), (184, 150))
LEAST = {
    # A label is late, and so it is early when seen backwards: twice the delay lies in between.
    "backwards": 0.9,
    "twice as fast": 0.97,
    "every second time step": 0.97,
    "every third time step": 0.97,
}


@pytest.fixture(scope="module")
def classifier():
    return Classifier(threads=1)


@pytest.fixture(scope="module")
def sequences(classifier, tmp_path_factory):
    """Sequences of six drawn people, each with a face of another label, disturbed."""
    picture = cv2.imread(str(PEOPLE), cv2.IMREAD_GRAYSCALE)
    heads = [picture[y - 75 : y + 75, x - 75 : x + 75] for x, y in CENTRES]
    small = [cv2.resize(head, (48, 48), interpolation=cv2.INTER_AREA) for head in heads]
    crops_u8 = np.stack(small).astype(np.uint8)
    labels = classifier.classify(crops_u8).probabilities.argmax(axis=1)
    assert len(set(labels)) == len(CENTRES)
    faces = disturb_faces(
        crops_u8,
        np.eye(7, dtype=np.float32)[labels],
        classifier,
        OTHER,
        seed=0,
        cache_folder=tmp_path_factory.mktemp("cache"),
        say=print,
    )
    return [make_sequence(faces, 100, np.random.default_rng(number)) for number in range(12)]


@pytest.mark.parametrize("playing", PLAYINGS, ids=lambda playing: playing.name)
def test_labels_are_the_same_at_the_same_times(classifier, sequences, playing):
    def memory():
        return TemporalMemory(bundled_temporal(), classifier)

    assert agreement(sequences, memory, playing).mean() >= LEAST[playing.name]


class Slow(Smoother):
    """Says the label that was seen a second ago."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def observe(self, track_id, seen):
        del track_id
        self.seen.append((seen.timestamp_ms, int(seen.probabilities.argmax())))
        late = [label for ms, label in self.seen if ms <= seen.timestamp_ms - 1000]
        return seen.probabilities, late[-1] if late else self.seen[0][1]


def test_what_is_a_second_late_is_found_out(sequences):
    slow = [each for each in sequences if each.timestamps_ms[-1] > 5000]
    assert agreement(slow, Slow, PLAYINGS[0]).mean() < 0.8
    assert agreement(slow, Slow, Playing("as it is")).mean() == 1
