import itertools
import re
from fractions import Fraction

import numpy as np
import pytest

from mien.media.frames import open_frames
from mien.media.timeline import FileTimeline, LiveTimeline


@pytest.mark.parametrize(
    ("positions", "times"),
    [
        pytest.param([0, 40, 360, 29_960], [0, 40, 360, 29_960], id="uneven"),
        pytest.param([840, 880, 920], [0, 40, 80], id="from the middle"),
        pytest.param([0, 0, 0, 0], [0, 40, 80, 120], id="without times"),
        pytest.param([0, 40, 40, 81], [0, 40, 44, 81], id="one time twice"),
        pytest.param([0, 40, 40, 41, 42, 81], [0, 40, 44, 48, 52, 81], id="behind a repeated one"),
        pytest.param([0, 80, 40, 120, 160], [0, 80, 84, 120, 160], id="a little earlier"),
        pytest.param([0, None, 80, None, 160], [0, 40, 80, 120, 160], id="every other one without"),
        pytest.param([0, 0, 40, 80, 120], [0, 40, 44, 80, 120], id="the first time twice"),
        pytest.param([0, 40, *[40] * 5, 300], [0, 40, 44, 48, 88, 128, 168, 300], id="stand still"),
        pytest.param([0, 4000, 4040, 0, 40], [0, 4000, 4040, 4080, 4120], id="begins anew"),
        pytest.param([0, 4000, 9000, 9040], [0, 4000, 9000, 9040], id="pauses"),
        pytest.param([0, 40, 3e6, 120, 160], [0, 40, 80, 120, 160], id="one is damaged"),
        pytest.param([840, 880, 3e6, 960, 1000], [0, 40, 80, 120, 160], id="one from the middle"),
        pytest.param([0, 40, 3e6, 3e6 + 40], [0, 40, 3e6, 3e6 + 40], id="joined recordings"),
        pytest.param([3e6, 40, 80, 120], [0, 40, 80, 120], id="the first one is damaged"),
    ],
)
def test_times_of_a_file_never_run_backwards(positions, times):
    timeline = FileTimeline(25)
    placed = list(timeline.place(enumerate(positions)))
    assert [number for number, _ in placed] == list(range(len(positions)))
    assert [time_ms for _, time_ms in placed] == pytest.approx(times)
    assert timeline.first_ms == positions[0]


def test_a_file_some_of_whose_times_are_repeated_ends_when_it_says(tmp_path):
    av = pytest.importorskip("av", reason="needs mien[video]")
    stated_ms = [40 * (number - (number % 10 == 9)) for number in range(100)]
    path = tmp_path / "repeated.mkv"
    with av.open(path, "w") as file:
        video = file.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        for number, ms in enumerate(stated_ms):
            picture = np.full((48, 64, 3), 2 * number, np.uint8)
            for packet in video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                packet.pts = packet.dts = ms
                packet.time_base = Fraction(1, 1000)
                file.mux(packet)
        file.mux(video.encode(None))
    with open_frames(path) as frames:
        found_ms = [frame.timestamp_ms for frame in frames]
    assert np.all(np.diff(found_ms) > 0)
    assert found_ms == pytest.approx(stated_ms, abs=40 / 8)


def test_one_damaged_time_puts_off_no_other_frame(tmp_path):
    av = pytest.importorskip("av", reason="needs mien[video]")
    path = tmp_path / "television.ts"
    with av.open(path, "w") as file:
        video = file.add_stream("mpeg2video", rate=25, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(50):
            picture = np.full((48, 64, 3), 4 * number, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        file.mux(video.encode(None))
    content = bytearray(path.read_bytes())
    headers = [found.start() for found in re.finditer(b"\0\0\1\xe0", content)]
    assert len(headers) == 50
    content[headers[20] + 10] ^= 0x40  # The time is 50 minutes later.
    path.write_bytes(content)
    with open_frames(path) as frames:
        found_ms = [frame.timestamp_ms for frame in frames]
    assert found_ms == pytest.approx([40 * number for number in range(50)], abs=1)


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
