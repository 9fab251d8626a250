"""Every face is classified in time, and faces that came together do not stay together."""

import numpy as np
import pytest

from mien.engine.schedule import Turns, is_due

EVERY_MS = 100.0


def take_turns(count: int, gap_ms: float, frames: int) -> np.ndarray:
    """(frames, count) bool: who was classified in which frame."""
    turns = Turns(EVERY_MS)
    taken = np.zeros((frames, count), bool)
    for frame in range(frames):
        due = turns.take(range(1, count + 1), frame * gap_ms, gap_ms if frame else 0.0)
        taken[frame, due] = True
    return taken


@pytest.mark.parametrize("fps", [10, 24, 25, 30, 50, 60])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_nobody_waits_too_long_and_no_frame_has_more_than_its_share(count: int, fps: int) -> None:
    gap_ms = 1000 / fps
    taken = take_turns(count, gap_ms, frames=120)
    assert taken[0].all()
    for person in taken.T:
        assert np.diff(np.flatnonzero(person)).max() * gap_ms <= EVERY_MS + 1
    frames_between = int((EVERY_MS + 1) / gap_ms)
    assert taken[20:].sum(axis=1).max() == int(np.ceil(count / frames_between))
    # Once they are spread, nobody is classified more often than needed.
    settled = taken[20:]
    assert settled.sum() <= count * (len(settled) / frames_between + 1)


def test_who_comes_in_is_classified_at_once() -> None:
    turns = Turns(EVERY_MS)
    assert turns.take([1], 0.0, 0.0) == [0]
    assert turns.take([1, 2], 33.0, 33.0) == [1]
    assert turns.take([2], 66.0, 33.0) == []
    assert turns.take([2, 1], 99.0, 33.0) == [1]


@pytest.mark.parametrize("gap_ms", [0.0, 0.4, 1.0, 40.0])
def test_every_0_ms_is_every_frame_whatever_their_times(gap_ms: float) -> None:
    turns = Turns(0.0)
    assert [turns.take([1, 2], n * gap_ms, gap_ms) for n in range(5)] == [[0, 1]] * 5
    assert all(is_due(n * gap_ms, 0.0, n * gap_ms, gap_ms) for n in range(5))


def test_frames_of_the_same_time_do_not_count_as_waiting() -> None:
    turns = Turns(EVERY_MS)
    assert turns.take([1, 2], 50.0, 50.0) == [0, 1]
    assert turns.take([1, 2], 50.0, 0.0) == []
