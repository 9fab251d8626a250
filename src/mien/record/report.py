"""`mien report`: a record as one page of HTML that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.files import refuse_overwriting, write_atomically
from mien.core.labels import EMOTIONS
from mien.core.types import Box
from mien.media.draw import COLOURS
from mien.media.frames import open_frames
from mien.record.read import read_record
from mien.record.summary import Moment, Person, Summary

MOST_PEOPLE = 12
"""So many people have a section of their own: those who were seen the longest."""

_COLUMNS = 300  # slices of a chart, at most: more than two pixels each on any screen
_CHART_HEIGHT = 160
_PICTURE_SIDE = 96
_NAMES = (*EMOTIONS, "uncertain")


def write_report(record: Path, out: Path, *, faces_from: Path | None = None) -> Summary:
    """Write the page of a record.

    Args:
        record: See `mien.record.read.read_record`.
        out: The HTML file to write; its folder is made where it is missing.
        faces_from: The video that the record was made of, to show the faces of the strongest
            moments; None shows no face.

    Returns:
        What the record amounts to.

    Raises:
        DataError: if the record is none, or holds no row, or the page cannot be written.
        SourceError: if the video cannot be read, or the page would overwrite it or the record.
    """
    refuse_overwriting([record, faces_from], [out])
    summary = Summary()
    summary.add(read_record(record))
    if not summary.rows:
        raise DataError(f"{record} holds no row: no face was found, so there is nothing to show.")
    people = sorted(summary.persons.values(), key=lambda person: -person.seen_ms)[:MOST_PEOPLE]
    pictures = _cut_moments(faces_from, people) if faces_from is not None else {}
    try:
        write_atomically(out, _page(record.name, summary, people, pictures))
    except OSError as error:
        raise DataError(f"The page {out} cannot be written: {error.strerror}.") from None
    return summary


def _page(
    name: str, summary: Summary, people: list[Person], pictures: dict[tuple[int, Box], str]
) -> str:
    template = resources.files("mien.record").joinpath("report_page.html")
    seen_ms = sum(person.seen_ms for person in summary.persons.values())
    uncertain_ms = sum(person.uncertain_ms for person in summary.persons.values())
    facts = {
        "From": _clock(summary.first_ms),
        "To": _clock(summary.last_ms),
        "People": f"{len(summary.persons):,}",
        "Frames with a face": f"{summary.frames:,}",
        "Rows": f"{summary.rows:,}",
        "Uncertain": f"{uncertain_ms / seen_ms:.0%}" if seen_ms else "-",
    }
    rest = len(summary.persons) - len(people)
    notes = (
        "A person is a track: one face followed through the video. The areas show calibrated, "
        "smoothed probabilities; grey is the time in which the label was not to be relied upon. "
        "What a face shows is not what a person feels."
    )
    if rest:
        notes = f"The {rest:,} people seen for a shorter time have no section. {notes}"
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=f"mien: {escape(name)}",
        subtitle="Emotions that faces showed, person by person.",
        light_colours=" ".join(f"--{emotion}: {_hex(emotion)};" for emotion in EMOTIONS),
        facts="".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in facts.items()),
        legend="".join(
            f'<li><span class="swatch" style="--c:var(--{each})"></span>{each}</li>'
            for each in _NAMES
        ),
        people="\n".join(_section(person, summary, pictures) for person in people),
        notes=notes,
        names=json.dumps(_NAMES),
    )


def _section(person: Person, summary: Summary, pictures: dict[tuple[int, Box], str]) -> str:
    strongest = "".join(
        f'<li style="--c:var(--{moment.emotion})">'
        f"{pictures.get((moment.frame, moment.box), '')}"
        f"{_clock(moment.timestamp_ms)} {moment.emotion} {moment.confidence:.0%}</li>"
        for moment in sorted(person.moments, key=lambda moment: moment.timestamp_ms)
    )
    return (
        f"<section><header><h2>Person {person.track_id}</h2>"
        f'<span class="soft">seen for {person.seen_ms / 1000:.1f} s, from '
        f"{_clock(person.first_ms)} to {_clock(person.last_ms)}</span></header>"
        f"<h3>Share of time</h3>{_bar(person)}"
        f"<h3>Over time</h3>{_chart(person, summary)}"
        f'<div class="columns"><div><h3>From one emotion (row) to the next (column)</h3>'
        f"{_transitions(person)}</div>"
        f"<div><h3>Strongest moments</h3>"
        f"{f'<ul class=moments>{strongest}</ul>' if strongest else _NONE}</div></div></section>"
    )


_NONE = '<p class="soft">None that is certain, besides neutral.</p>'


def _bar(person: Person) -> str:
    total = max(person.seen_ms, 1e-9)
    parts = [*person.shown_ms / total, person.uncertain_ms / total]
    return (
        '<div class="bar">'
        + "".join(
            f'<span class="{name}" style="--c:var(--{name});width:{part:.3%}" '
            f'title="{name} {part:.1%}">'
            f"{f'{part:.0%}' if part >= 0.06 else ''}</span>"
            for name, part in zip(_NAMES, parts, strict=True)
            if part > 0
        )
        + "</div>"
    )


def _chart(person: Person, summary: Summary) -> str:
    """Stacked areas: the probabilities over the whole time of the record; gaps where unseen."""
    shares, start_ms, end_ms = _course(person, summary)
    seen = ~np.isnan(shares[:, 0])
    width = 1000 / len(shares)
    tops = np.cumsum(shares, axis=1)
    areas = []
    for index, name in enumerate(_NAMES):
        upper = tops[:, index]
        lower = upper - shares[:, index]
        steps = [
            f"M{begin * width:.1f},{_y(lower[begin])}"
            + "".join(f"V{_y(upper[i])}H{(i + 1) * width:.1f}" for i in range(begin, end))
            + "".join(f"V{_y(lower[i])}H{i * width:.1f}" for i in reversed(range(begin, end)))
            + "Z"
            for begin, end in _runs(seen)
        ]
        areas.append(f'<path style="fill:var(--{name})" d="{"".join(steps)}"/>')
    ticks = [start_ms + (end_ms - start_ms) * part for part in (0, 0.25, 0.5, 0.75, 1)]
    anchors = ("start", "middle", "middle", "middle", "end")
    labels = "".join(
        f'<text x="{250 * i}" y="{_CHART_HEIGHT + 18}" text-anchor="{anchor}">{_clock(ms)}</text>'
        for i, (ms, anchor) in enumerate(zip(ticks, anchors, strict=True))
    )
    course = {
        "start": start_ms,
        "end": end_ms,
        "slices": [
            [round(100 * float(p)) for p in row] if s else None
            for row, s in zip(shares, seen, strict=True)
        ],
    }
    data = escape(json.dumps(course, separators=(",", ":")))
    return (
        f'<svg viewBox="0 0 1000 {_CHART_HEIGHT + 24}" role="img" data-course="{data}" '
        f'aria-label="Probabilities of the emotions of person {person.track_id} over time">'
        f'<line class="grid" x1="0" x2="1000" y1="{_CHART_HEIGHT}" y2="{_CHART_HEIGHT}"/>'
        f"{''.join(areas)}{labels}"
        f'<line class="cursor" y1="0" y2="{_CHART_HEIGHT}"/></svg>'
        '<p class="readout soft">Point at the chart for figures.</p>'
    )


def _course(person: Person, summary: Summary) -> tuple[NDArray[np.float64], float, float]:
    """(C, 8) shares of each column of the chart, NaN where unseen; its start and end in ms."""
    first = int(summary.first_ms // summary.slice_ms)
    # A slice that begins with the last row holds no time: it would look like a gap.
    count = max(math.ceil(summary.last_ms / summary.slice_ms) - first, 1)
    merged = -(-count // _COLUMNS)
    sums = np.zeros((-(-count // merged), len(_NAMES)))
    for number, part in person.slices.items():
        sums[(number - first) // merged] += part
    totals = sums.sum(axis=1, keepdims=True)
    shares = np.divide(sums, totals, out=np.full_like(sums, np.nan), where=totals > 0)
    start_ms = first * summary.slice_ms
    return shares, start_ms, start_ms + len(sums) * merged * summary.slice_ms


def _runs(seen: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The begin and end of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))
    for begin, end in edges.reshape(-1, 2):
        yield int(begin), int(end)


def _transitions(person: Person) -> str:
    counts = person.transitions
    if not counts.any():
        return '<p class="soft">None.</p>'
    used = [i for i in range(len(EMOTIONS)) if counts[i].any() or counts[:, i].any()]
    head = "".join(f"<th>{EMOTIONS[column]}</th>" for column in used)
    rows = "".join(
        f"<tr><th>{EMOTIONS[row]}</th>"
        + "".join(_cell(int(counts[row, column]), int(counts.max())) for column in used)
        + "</tr>"
        for row in used
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(count: int, most: int) -> str:
    if count == 0:
        return "<td></td>"
    depth = f"{15 + 45 * count / most:.0f}%"
    colour = f"color-mix(in srgb,var(--sad) {depth},transparent)"
    return f'<td style="background:{colour}">{count}</td>'


def _cut_moments(video: Path, people: list[Person]) -> dict[tuple[int, Box], str]:
    """An `<img>` of the face at each of the people's moments, by frame and box."""
    wanted: dict[int, list[Moment]] = {}
    for person in people:
        for moment in person.moments:
            wanted.setdefault(moment.frame, []).append(moment)
    pictures: dict[tuple[int, Box], str] = {}
    last = max(wanted, default=-1)
    with open_frames(video) as frames:
        for frame in frames:
            for moment in wanted.get(frame.index, []):
                pictures[moment.frame, moment.box] = _image_tag(frame.image_bgr, moment)
            if frame.index >= last:
                break
    return pictures


def _image_tag(image_bgr: NDArray[np.uint8], moment: Moment) -> str:
    box = moment.box
    height, width = image_bgr.shape[:2]
    side = 1.3 * max(box.width, box.height)
    left = int(np.clip(box.x + box.width / 2 - side / 2, 0, width - 2))
    top = int(np.clip(box.y + box.height / 2 - side / 2, 0, height - 2))
    face = image_bgr[top : top + int(side) + 1, left : left + int(side) + 1]
    small = cv2.resize(face, (_PICTURE_SIDE, _PICTURE_SIDE), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", small)[1].tobytes()
    content = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{content}">'


def _y(share: float) -> str:
    return f"{_CHART_HEIGHT * (1 - min(max(float(share), 0.0), 1.0)):.1f}"


def _clock(ms: float) -> str:
    seconds, tenths = divmod(int(ms // 100), 10)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{tenths}"


def _hex(emotion: str) -> str:
    blue, green, red = COLOURS[emotion]
    return f"#{red:02x}{green:02x}{blue:02x}"
