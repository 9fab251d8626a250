"""Frames of one's own in `mien.stream`: from a list, or from a generator as they come."""

import threading
from fractions import Fraction

import numpy as np
import pytest

import mien


@pytest.fixture
def stream(yunet_file):
    return lambda frames, **options: mien.stream(frames, detector="yunet", **options)


def moving(astronaut_bgr, count):
    """The astronaut, shifted by 2 pixels a frame, at 25 frames a second from 5 seconds on."""
    return [(5000 + 40 * n, np.roll(astronaut_bgr, 2 * n, axis=1)) for n in range(count)]


def test_one_person_keeps_the_number_over_all_frames(stream, astronaut_bgr):
    frames = moving(astronaut_bgr, 12)
    results = list(stream(frames))
    assert [[face.track_id for face in faces] for faces in results] == [[1]] * 12
    assert [faces.timestamp_ms for faces in results] == [time_ms for time_ms, _ in frames]
    assert [faces[0].frame for faces in results] == list(range(12))
    for n, faces in enumerate(results):
        assert abs(faces[0].box.x - results[0][0].box.x - 2 * n) < 8
    assert results[0].image_bgr is not frames[0][1]  # which stays as it is when boxes are drawn


def test_a_generator_has_the_result_of_a_frame_before_it_gives_the_last(stream, astronaut_bgr):
    has_result = threading.Event()

    def frames():
        for number, frame in enumerate(moving(astronaut_bgr, 3)):
            if number == 2:
                assert has_result.wait(60)
            yield frame

    results = []
    for faces in stream(frames()):
        results.append(faces)
        has_result.set()
    assert len(results) == 3


def test_an_array_that_is_filled_again_does_not_change_frames_that_were_given(stream):
    def frames():
        array = np.empty((40, 60), np.uint8)  # grey
        for number in range(5):
            array[:] = number
            yield number, array

    levels = [np.unique(faces.image_bgr).tolist() for faces in stream(frames())]
    assert levels == [[number] for number in range(5)]


def test_a_bright_spot_does_not_change_how_bright_a_12_bit_camera_is(stream):
    dim = np.full((40, 60), 400, np.uint16)
    spotted = dim.copy()
    spotted[0, 0] = 4000
    frames = enumerate([spotted, dim, spotted, dim, dim])
    levels = [int(faces.image_bgr[-1, -1, 0]) for faces in stream(frames)]
    assert levels == [400 >> 4] * 5


def test_leaving_the_loop_closes_the_generator(stream, astronaut_bgr):
    closed = threading.Event()

    def frames():
        try:
            for number in range(1_000_000):
                yield number, astronaut_bgr
        finally:
            closed.set()

    for _ in stream(frames()):
        break
    assert closed.wait(60)


BLACK = np.zeros((40, 60, 3), np.uint8)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (BLACK, r"Found ndarray as frame 2; .*\(timestamp_ms, image\)"),
        (np.zeros((2, 60, 3), np.uint8), r"Found ndarray as frame 2; .*\(timestamp_ms, image\)"),
        ((BLACK, 80), r"as the time of frame 2; .*\(timestamp_ms, image\)"),
        ((float("nan"), BLACK), "Found nan as the time of frame 2"),
        ((10**400, BLACK), "Found 10+ as the time of frame 2"),
        ((Fraction(39), BLACK), "Frame 2 is of 39 ms, the one before of 40 ms"),
        ((39, BLACK), "Frame 2 is of 39 ms, the one before of 40 ms: expected times that never"),
        ((80, BLACK / 2), "Frame 2: Found a picture of type float64"),
        ((80, None), "Frame 2: Found None instead of a picture"),
    ],
)
def test_what_is_no_frame_is_told_with_its_number_after_the_results_before(stream, wrong, told):
    results = []
    with pytest.raises(mien.SourceError, match=f"(?s){told}"):
        results.extend(stream([(0, BLACK), (40, BLACK), wrong]))
    assert len(results) == 2


def test_an_error_of_the_generator_is_raised_in_the_loop(stream):
    def frames():
        yield 0, BLACK
        raise LookupError("the camera is gone")

    with pytest.raises(LookupError, match="the camera is gone"):
        list(stream(frames()))
