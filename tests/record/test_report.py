import re
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


def test_memory_stays_flat_over_hours(result):
    summary = Summary()
    for second in range(0, 3 * 3600):
        summary.add([result(second, 1, "happy", fps=1)])
    person = summary.persons[1]
    assert len(person.slices) <= MOST_SLICES
    assert len(person.moments) <= 8
    # A row a second stands for half a second at most.
    assert sum(part.sum() for part in person.slices.values()) == pytest.approx(
        person.seen_ms, rel=1e-3
    )
    assert person.seen_ms == pytest.approx((3 * 3600 - 1) * 500)


def test_a_moment_is_the_peak_not_its_neighbours(result):
    summary = Summary()
    for frame, confidence in enumerate(np.concatenate([np.linspace(0.5, 0.9, 50)] * 2)):
        summary.add([result(frame, 1, "surprise", float(confidence), fps=10)])
    peaks = sorted(moment.frame for moment in summary.persons[1].moments if moment.confidence > 0.8)
    assert 49 in peaks
    assert 99 in peaks
    assert min(np.diff(peaks)) >= 20
