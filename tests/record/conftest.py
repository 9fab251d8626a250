from html.parser import HTMLParser

import numpy as np
import pytest

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion
from mien.record.report import write_report

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
def result():
    """Return the function that makes one result."""
    return _result


@pytest.fixture
def read_page():
    """Return the function that reads a page and checks that its tags are closed."""
    return _read_page


@pytest.fixture
def page_of():
    """Return the function that writes a record's page: its summary, its text, what it shows."""
    return _page_of


def _read_page(path):
    text = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    assert not checker.open
    return text, checker


def _page_of(record, tmp_path, **options):
    out = tmp_path / "pages" / "report.html"
    summary = write_report(record, out, **options)
    return summary, *_read_page(out)


def _result(
    frame=0,
    track_id=1,
    emotion="happy",
    confidence=0.7,
    *,
    fps=25.0,
    uncertain=False,
    detected=True,
):
    label = EMOTIONS.index(emotion)
    probabilities = np.full(7, (1 - confidence) / 6, np.float32)
    probabilities[label] = confidence
    return FaceEmotion(
        frame=frame,
        timestamp_ms=frame * 1000 / fps,
        track_id=track_id,
        box=Box(10.25, 20.5, 48.125, 60.0),
        detection_score=0.9,
        emotion=emotion,
        confidence=float(probabilities[label]),
        probabilities=probabilities,
        uncertain=uncertain,
        detected=detected,
        raw_probabilities=np.roll(probabilities, 1),
        reading="raters",
    )
