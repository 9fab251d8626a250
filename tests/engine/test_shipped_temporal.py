"""The shipped temporal network, in the engine: what is kept of a person, and for how long."""

import gc
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from mien.classifier.classifier import Classifier
from mien.core.artifact import load_artifact
from mien.core.temporal import bundled_temporal, load_temporal
from mien.core.types import Box, Face
from mien.engine import stages
from mien.engine.settings import make_settings
from mien.engine.stages import EmotionJudge, LocatedFrame
from mien.engine.temporal import TemporalMemory
from mien.faces.tracker import RETURN_MS, TrackedFace
from mien.media.frames import Frame
from mien.recognizer import Recognizer

HAPPY, SAD, NEUTRAL = 3, 4, 6
ENGINE = Path(stages.__file__).parent
PICTURE = np.zeros((100, 100, 3), np.uint8)


class Saying:
    """In the face network's place: a crop's grey is the label that it shows."""

    def __init__(self, artifact, features):
        self.artifact = artifact
        self.features = features

    def run(self, pixels, outputs):
        read = self.artifact.input
        labels = np.rint(pixels[:, 0, 0, 0] / read.scale[0] + read.mean[0]).astype(int) % 7
        return [self.rows(name, labels) for name in outputs]

    def rows(self, name, labels):
        if name not in self.artifact.heads:
            columns = self.features if name == self.artifact.features else 1
            return np.full((len(labels), columns), 2, np.float32)
        classes = self.artifact.heads[name]
        rows = np.full((len(labels), len(classes)), 0.1 / (len(classes) - 1), np.float32)
        for row, label in zip(rows, labels, strict=True):
            row[classes.index(self.artifact.reading().labels[label])] = 0.9
        return rows


@pytest.fixture
def judge():
    network = load_temporal(bundled_temporal())
    artifact = load_artifact()
    classifier = Classifier(artifact, backend=Saying(artifact, network.features), threads=1)
    settings = make_settings(temporal="shipped")
    recognizer = cast(Recognizer, SimpleNamespace(classifier=classifier))
    return EmotionJudge(recognizer, settings)


def show(judge, ms, **labels):
    """Judge a frame in which the tracks t1, t2, … show labels; by number."""
    numbers = [int(name[1:]) for name in labels]
    faces = [TrackedFace(number, Face(Box(10, 10, 60, 60), 0.9), True) for number in numbers]
    crops_u8 = np.stack([np.full((48, 48), label, np.uint8) for label in labels.values()])
    frame = Frame(int(ms), float(ms), PICTURE)
    found = judge.judge(LocatedFrame(frame, faces, list(range(len(faces))), crops_u8))
    return {face.track_id: face for face in found}


def test_each_row_says_what_the_person_showed_so_far_and_which_network_says_so(judge):
    for ms in range(0, 3000, 100):
        found = show(judge, ms, t1=HAPPY, t2=SAD)
    assert (found[1].emotion, found[2].emotion) == ("happy", "sad")
    assert found[1].whole_probabilities.argmax() == HAPPY
    assert found[2].whole_probabilities.argmax() == SAD
    assert found[1].whole_probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert not found[1].whole_probabilities.flags.writeable
    assert found[1].temporal_sha256 == load_temporal(bundled_temporal()).sha256
    assert found[1].to_dict()["whole_probabilities"]["happy"] > 0.5


def test_who_comes_back_under_the_old_number_is_remembered_and_nobody_else(judge):
    for ms in range(0, 5000, 100):
        show(judge, ms, t1=HAPPY, t9=NEUTRAL)
    for ms in range(5000, 5000 + int(RETURN_MS) // 2, 1000):
        show(judge, ms, t9=NEUTRAL)
    back, new = (show(judge, ms, t1=SAD, t2=SAD, t9=NEUTRAL)[n] for n in (1, 2))
    assert back.whole_probabilities.argmax() == HAPPY
    assert new.whole_probabilities.argmax() == SAD
    for later_ms in range(ms, ms + int(RETURN_MS) + 3000, 1000):
        show(judge, later_ms, t9=NEUTRAL)
    again, fresh = (show(judge, later_ms, t1=SAD, t3=SAD, t9=NEUTRAL)[n] for n in (1, 3))
    np.testing.assert_array_equal(again.whole_probabilities, fresh.whole_probabilities)


@pytest.mark.slow
def test_hours_of_people_who_come_and_go_leave_nothing_behind(judge):
    """Every 5 s another pair of people; a frame every 2.5 s for three hours."""

    def watch(begin_s, end_s):
        for ms in range(1000 * begin_s, 1000 * end_s, 2500):
            pair = 2 * (ms // 5000)
            show(judge, ms, **{f"t{pair}": HAPPY, f"t{pair + 1}": SAD})
        gc.collect()
        kept = tracemalloc.take_snapshot().filter_traces([in_engine])
        return sum(trace.size for trace in kept.traces)

    # What the engine allocated, directly or in what it calls: threads that other tests left behind
    # allocate too. Ten calls deep, as ONNX Runtime's own are between the engine and an array.
    in_engine = tracemalloc.Filter(True, str(ENGINE / "*.py"), all_frames=True)
    tracemalloc.start(10)
    try:
        first = watch(0, 1200)
        last = watch(1200, 10_800)
    finally:
        tracemalloc.stop()
    # 3,840 people would leave 188 bytes of state each, 720,000 bytes without what is around it;
    # caches of Python and NumPy that fill up meanwhile take some 50,000.
    assert last - first < 300_000


def test_the_file_may_be_named_by_a_text():
    network = load_temporal(bundled_temporal())
    classifier = Classifier(
        load_artifact(), backend=Saying(load_artifact(), network.features), threads=1
    )
    assert TemporalMemory(str(bundled_temporal()), classifier).artifact.sha256 == network.sha256
