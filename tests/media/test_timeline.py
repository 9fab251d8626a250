import itertools

import pytest

from mien.media.timeline import FileTimeline, LiveTimeline


@pytest.mark.parametrize(
    ("positions", "times"),
    [
        pytest.param([0, 40, 360, 29_960], [0, 40, 360, 29_960], id="uneven"),
        pytest.param([840, 880, 920], [0, 40, 80], id="from the middle"),
        pytest.param([0, 0, 0, 0], [0, 40, 80, 120], id="without times"),
        pytest.param([0, 40, 40, 81], [0, 40, 80, 81], id="one time twice"),
    ],
)
def test_times_of_a_file_never_run_backwards(positions, times):
    timeline = FileTimeline(25)
    assert [timeline.place(position) for position in positions] == pytest.approx(times)
    assert timeline.first_ms == positions[0]


@pytest.mark.parametrize(
    ("positions", "clock", "times"),
    [
        pytest.param([9e6, 9e6 + 40, 9e6 + 90], [7, 50, 99], [0, 40, 90], id="from the middle"),
        pytest.param([0, 40, 9e6, 9e6 + 50], [0, 40, 90, 130], [0, 40, 90, 140], id="leap ahead"),
        pytest.param([9e6, 9e6 + 40, 0, 50], [0, 40, 90, 130], [0, 40, 90, 140], id="begins anew"),
        pytest.param([None] * 4, [5, 205, 4205, 4305], [0, 200, 4200, 4300], id="no times"),
        pytest.param([0] * 4, [5, 205, 4205, 4305], [0, 200, 4200, 4300], id="one time for all"),
        pytest.param([None, 0, 40, 90], [0, 30, 80, 120], [0, 30, 70, 120], id="times come later"),
        pytest.param([0, None, 90, 130], [0, 40, 80, 120], [0, 40, 90, 130], id="one is missing"),
    ],
)
def test_times_of_a_stream_never_run_backwards_or_leap(positions, clock, times):
    timeline = LiveTimeline()
    placed = [timeline.place(*both) for both in zip(positions, clock, strict=True)]
    assert placed == pytest.approx(times)


def run(stated_ms, clock_ms):
    """How far the time goes while the clock does, frame after frame."""
    timeline = LiveTimeline()
    return [timeline.place(*both) for both in zip(stated_ms, clock_ms, strict=False)]


@pytest.mark.parametrize("stated_ms", [40, 5], ids=["too slow", "too fast"])
def test_a_source_whose_times_go_at_another_pace_than_the_clock_is_not_believed(stated_ms):
    clock_ms = [number * (200 if stated_ms == 40 else 1) for number in range(60_001)]
    times = run(itertools.count(0, stated_ms), [ms for ms in clock_ms if ms <= 60_000])
    at_30, at_60 = (times[clock_ms.index(ms)] for ms in (30_000, 60_000))
    assert at_60 - at_30 == pytest.approx(30_000)


def test_a_playlist_that_comes_in_bursts_keeps_its_times():
    # Three parts of 6 s at once, then one every 6 s.
    stated = [40.0 * number for number in range(3000)]
    clock = [max(0, number // 150 - 2) * 6000 + number % 150 for number in range(3000)]
    assert run(stated, clock) == pytest.approx(stated)


def test_a_stream_whose_network_stalls_and_catches_up_keeps_its_times():
    stated = [40.0 * number for number in range(3000)]
    stalls = [(8_000, 13_000), (30_000, 36_000), (70_000, 79_000)]
    clock = [next((end for start, end in stalls if start < ms < end), ms) for ms in stated]
    assert run(stated, clock) == pytest.approx(stated)
