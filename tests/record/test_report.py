import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from mien.core.errors import DataError, SourceError
from mien.record.report import write_report
from mien.record.summary import MOST_SLICES, Summary
from mien.record.write import RecordWriter

VOID = {"meta", "link", "br", "img", "line", "path", "input", "hr"}


class Checker(HTMLParser):
    """Collects texts and addresses; fails where a tag is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.addresses, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def record(tmp_path, result):
    """Two people: one happy and then sad, one first neutral and then uncertain."""
    path = tmp_path / "clip <1>.csv"
    with RecordWriter(csv=path, smooth_ms=130) as writer:
        for frame in range(250):
            first = result(frame, 1, "happy" if frame < 125 else "sad", 0.6 + 0.001 * (frame % 125))
            second = result(frame, 2, "neutral", uncertain=frame >= 200)
            writer.write([first, second] if frame >= 50 else [first])
    return path


def page_of(record, tmp_path, **options):
    out = tmp_path / "pages" / "report.html"
    summary = write_report(record, out, **options)
    checker = Checker()
    text = out.read_text(encoding="utf-8")
    checker.feed(text)
    assert not checker.open
    return summary, text, checker


def slices_of(page):
    """Return the slices of the one chart's course; None where the person was not seen."""
    (course,) = re.findall(r'data-course="([^"]*)"', page)
    return json.loads(unescape(course))["slices"]


def test_the_page_needs_nothing_else_and_shows_each_person(record, tmp_path):
    summary, text, checker = page_of(record, tmp_path)
    assert not re.search(r"https?://|@import|url\(", text)
    assert checker.addresses == []
    assert "mien: clip <1>.csv" in checker.texts
    assert {"Person 1", "Person 2"} <= set(checker.texts)
    assert checker.tags.count("svg") == 2
    assert "img" not in checker.tags
    assert "00:00:04.9 happy 72%" in checker.texts
    first, second = summary.persons[1], summary.persons[2]
    assert first.seen_ms == pytest.approx(249 * 40)
    assert first.shown_ms[3] == pytest.approx(5000)
    assert first.transitions[3, 4] == first.transitions.sum() == 1
    assert second.uncertain_ms == pytest.approx(49 * 40)
    assert summary.lines()[0] == "Person 1: 10.0 s; 50% happy, 50% sad"
    assert summary.lines()[1] == "Person 2: 8.0 s; 75% neutral; 25% uncertain"


def test_faces_are_shown_only_if_asked_for(record, tmp_path, astronaut_bgr, write_video):
    video = write_video(tmp_path / "clip.mp4", [astronaut_bgr[:200, :200]] * 250)
    _, _, checker = page_of(record, tmp_path, faces_from=video)
    assert checker.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in checker.addresses)


def test_a_record_without_rows_is_said(tmp_path):
    path = tmp_path / "r.csv"
    RecordWriter(csv=path, smooth_ms=0).close()
    with pytest.raises(DataError, match="holds no row"):
        write_report(path, tmp_path / "r.html")


def test_the_page_does_not_take_the_place_of_what_it_is_made_of(record, tmp_path):
    before = record.read_bytes()
    with pytest.raises(SourceError, match="is an input and would be overwritten"):
        write_report(record, record)
    video = tmp_path / "clip.mp4"
    with pytest.raises(SourceError, match=r"clip\.mp4 is an input"):
        write_report(record, video, faces_from=video)
    assert record.read_bytes() == before


def test_a_page_that_cannot_be_written_is_one_clear_error(record, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "page.html", tmp_path / f"{'x' * 300}.html"):
        with pytest.raises(DataError, match=r"\.html cannot be written"):
            write_report(record, place)


def test_memory_stays_flat_over_hours(result):
    summary = Summary()
    for second in range(0, 3 * 3600):
        summary.add([result(second, 1, "happy", fps=1)])
    person = summary.persons[1]
    assert len(person.slices) <= MOST_SLICES
    assert len(person.moments) <= 8
    assert sum(part.sum() for part in person.slices.values()) == pytest.approx(
        person.seen_ms, rel=1e-3
    )
    assert person.seen_ms == pytest.approx((3 * 3600 - 1) * 1000)


@pytest.mark.parametrize("fps", [25, 5, 1, 0.02])
def test_a_face_in_every_frame_is_seen_all_the_time_at_any_frame_rate(tmp_path, result, fps):
    record = tmp_path / "r.csv"
    with RecordWriter(csv=record, smooth_ms=0) as writer:
        for frame in range(40):
            writer.write([result(frame, 1, "sad" if frame < 20 else "happy", fps=fps)])
    summary, text, _ = page_of(record, tmp_path)
    assert None not in slices_of(text)
    assert summary.persons[1].shown_ms[[4, 3]] == pytest.approx([20_000 / fps, 19_000 / fps])
    assert f"seen for {39 / fps:.1f} s, from 00:00:00.0 to" in text


def test_who_is_away_for_many_long_frames_has_a_gap(tmp_path, result):
    record = tmp_path / "r.csv"
    with RecordWriter(csv=record, smooth_ms=0) as writer:
        for frame in [*range(10), *range(20, 30)]:
            writer.write([result(frame, fps=1)])
    summary, text, _ = page_of(record, tmp_path)
    # The last frame before the gap may stand for one and a half seconds.
    assert summary.persons[1].seen_ms == pytest.approx(9_000 + 1_500 + 9_000)
    slices = slices_of(text)
    assert slices.count(None) / len(slices) == pytest.approx(9.5 / 29, abs=0.02)


def test_one_pause_of_a_fast_video_is_not_taken_for_its_frame_rate(result):
    summary = Summary()
    for frame in range(60):
        summary.add([replace(result(frame), timestamp_ms=frame * 40 + 10_000 * (frame >= 30))])
    assert summary.persons[1].seen_ms == pytest.approx(58 * 40 + 500)


def test_a_moment_is_the_peak_not_its_neighbours(result):
    summary = Summary()
    for frame, confidence in enumerate(np.concatenate([np.linspace(0.5, 0.9, 50)] * 2)):
        summary.add([result(frame, 1, "surprise", float(confidence), fps=10)])
    peaks = sorted(moment.frame for moment in summary.persons[1].moments if moment.confidence > 0.8)
    assert 49 in peaks
    assert 99 in peaks
    assert min(np.diff(peaks)) >= 20
