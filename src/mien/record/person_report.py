"""The page of what one camera or video recorded: person by person."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.types import Box, FaceEmotion
from mien.media.frames import Frame, FrameSource, open_frames
from mien.record.page import colour, face_tag, fill_page, share_bar
from mien.record.person import Answer, Moment, Person, apportion
from mien.record.read import nothing_to_show, read_record
from mien.record.summary import Summary

MOST_PEOPLE = 12
"""So many people have a section of their own: those who were seen the longest."""

NOTES = (
    "A person is a track: one face followed through the video. The areas show calibrated, smoothed "
    "probabilities; grey is the time in which the label was not to be relied upon. What a face "
    "shows is not what a person feels."
)
"""What is to be known of the sections of people."""

_FEWEST_STEPS = 4
"""From fewer steps between rows nothing is said of how often frames were looked at."""

_ROUNDED_MS = 1.0  # times in a record, and in videos, are rounded

_COLUMNS = 300  # slices of a chart, at most: more than two pixels each on any screen
_CHART_HEIGHT = 160


def record_page(record: Path, video: Path | None, rotate_degrees: int) -> tuple[Summary, str]:
    """Return what a record amounts to, and its page.

    Args:
        record: See `mien.record.read.read_record`.
        video: What it was made of, to show the faces of the strongest moments; None shows none.
        rotate_degrees: How the video was turned.

    Raises:
        DataError: if the record is none, of several networks, or holds no row, or the video is not
            what it was made of, as far as that shows.
        SourceError: if the video cannot be read.
    """
    summaries = summarise_by_source(lambda: (("", face) for face in read_record(record)))
    if not summaries:
        raise nothing_to_show(record)
    (summary,) = summaries.values()
    return summary, fill_page(
        record.name,
        "Emotions that faces showed, person by person.",
        summary.labels,
        facts_of(summary),
        sections_of(summary, video, rotate_degrees),
        f"{counts_of(summary)} {NOTES} {_whole(summary)}".lstrip(),
    )


def summarise_by_source(
    rows: Callable[[], Iterable[tuple[str, FaceEmotion]]],
) -> dict[str, Summary]:
    """Return what rows amount to, by the name of their source.

    Args:
        rows: Called for the rows, each with its source's name. They are read twice: first for the
            time between the frames that were looked at.
    """
    summaries = _summed(rows)
    if summaries is None:
        # Somebody has sorted it by something else; only then does it have to fit into the memory.
        in_order = sorted(rows(), key=lambda row: (row[1].timestamp_ms, row[1].frame))
        summaries = _summed(lambda: in_order)
        assert summaries is not None
    return summaries


def _summed(rows: Callable[[], Iterable[tuple[str, FaceEmotion]]]) -> dict[str, Summary] | None:
    """Sum rows up; None if those of a source are not in the order of time."""
    paces: defaultdict[str, _Pace] = defaultdict(_Pace)
    for source, face in rows():
        paces[source].add(face)
    summaries = {source: Summary(every_ms=pace.every_ms) for source, pace in paces.items()}
    before_ms = dict.fromkeys(paces, -math.inf)
    for source, face in rows():
        if face.timestamp_ms < before_ms[source]:
            return None
        before_ms[source] = face.timestamp_ms
        summaries[source].add([face])
    return summaries


class _Pace:
    """How often a video was looked at.

    `mien batch --every` passes frames over. A record does not say so, but then most of its rows are
    the same number of frames apart.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._sums_ms: dict[int, float] = defaultdict(float)
        self._before: FaceEmotion | None = None

    def add(self, face: FaceEmotion) -> None:
        """Take in the next row, in the order of time."""
        before, self._before = self._before, face
        if before is not None and face.frame > before.frame:
            step = face.frame - before.frame
            self._counts[step] += 1
            self._sums_ms[step] += face.timestamp_ms - before.timestamp_ms

    @property
    def every_ms(self) -> float:
        """The time between the frames that were looked at, 0 where these were all."""
        total = self._counts.total()
        if total < _FEWEST_STEPS:
            return 0.0
        ((step, count),) = self._counts.most_common(1)
        return self._sums_ms[step] / count if step > 1 and 2 * count > total else 0.0


def facts_of(summary: Summary) -> dict[str, str]:
    """Return the figures at the top of the page, by name."""
    facts = {
        "From": _clock(summary.first_ms),
        "To": _clock(summary.last_ms),
        "People": f"{summary.people_count:,}",
        "On the whole": _answer(summary.answer),
        "Frames with a face": f"{summary.frames:,}",
        "Rows": f"{summary.rows:,}",
        "Uncertain": f"{summary.uncertain_share:.0%}",
    }
    if summary.readings:
        facts["Reading"] = ", ".join(sorted(summary.readings))
    if summary.networks_over_time:
        names = ", ".join(sha256[:12] for sha256 in sorted(summary.networks_over_time))
        facts["Temporal network"] = names
    return facts


def sections_of(summary: Summary, video: Path | None, rotate_degrees: int) -> list[str]:
    """Return the section of each of those who were seen the longest."""
    people = _shown(summary)
    pictures = _cut_moments(video, people, rotate_degrees) if video is not None else {}
    return [_section(person, summary, pictures) for person in people]


def counts_of(summary: Summary) -> str:
    """Return how many of those who were followed have no section, and why; empty for none."""
    counts = []
    if nobody := summary.never_certain:
        counts.append(f"Followed but never certain, and so counted as nobody: {nobody:,}.")
    if rest := summary.people_count - len(_shown(summary)):
        counts.append(f"The {rest:,} people seen for a shorter time have no section.")
    return " ".join(counts)


def _whole(summary: Summary) -> str:
    if summary.networks_over_time:
        return "On the whole is what the temporal network says of all that a person showed."
    return "On the whole is the mean over the rest of the time."


def _shown(summary: Summary) -> list[Person]:
    return summary.longest_seen()[:MOST_PEOPLE]


def _section(person: Person, summary: Summary, pictures: dict[tuple[int, Box], str]) -> str:
    strongest = "".join(
        f'<li style="--c:{colour(person.labels.index(moment.emotion))}">'
        f"{pictures.get((moment.frame, moment.box), '')}"
        f"{_clock(moment.timestamp_ms)} {escape(moment.emotion)} {moment.confidence:.0%}</li>"
        for moment in sorted(person.moments, key=lambda moment: moment.timestamp_ms)
    )
    return (
        f"<section><header><h2>Person {person.track_id}</h2>"
        f'<span class="soft">seen for {person.duration}, from '
        f"{_clock(person.first_ms)} to {_clock(person.last_ms)}; "
        f"on the whole {escape(_answer(person.answer))}</span></header>"
        f"<h3>Share of time</h3>{share_bar(person.shares, person.labels)}"
        f"<h3>Over time</h3>{_chart(person, summary)}"
        f'<div class="columns"><div><h3>From one emotion (row) to the next (column)</h3>'
        f"{_transitions(person)}</div>"
        f"<div><h3>Strongest moments</h3>"
        f"{f'<ul class=moments>{strongest}</ul>' if strongest else _NONE}</div></div></section>"
    )


def _answer(answer: Answer | None) -> str:
    return "-" if answer is None else f"{answer.emotion} {answer.confidence:.0%}"


_NONE = '<p class="soft">None that is certain, besides neutral.</p>'


def _chart(person: Person, summary: Summary) -> str:
    """Stacked areas: the probabilities over the whole time of the record; gaps where unseen."""
    shares, start_ms, end_ms = _course(person, summary)
    seen = ~np.isnan(shares[:, 0])
    width = 1000 / len(shares)
    tops = np.cumsum(shares, axis=1)
    areas = []
    for index in range(len(person.labels) + 1):
        upper = tops[:, index]
        lower = upper - shares[:, index]
        steps = [
            f"M{begin * width:.1f},{_y(lower[begin])}"
            + "".join(f"V{_y(upper[i])}H{(i + 1) * width:.1f}" for i in range(begin, end))
            + "".join(f"V{_y(lower[i])}H{i * width:.1f}" for i in reversed(range(begin, end)))
            + "Z"
            for begin, end in _runs(seen)
        ]
        areas.append(f'<path style="fill:{colour(index)}" d="{"".join(steps)}"/>')
    ticks = [start_ms + (end_ms - start_ms) * part for part in (0, 0.25, 0.5, 0.75, 1)]
    anchors = ("start", "middle", "middle", "middle", "end")
    labels = "".join(
        f'<text x="{250 * i}" y="{_CHART_HEIGHT + 18}" text-anchor="{anchor}">{_clock(ms)}</text>'
        for i, (ms, anchor) in enumerate(zip(ticks, anchors, strict=True))
    )
    course = {
        "start": start_ms,
        "end": end_ms,
        "slices": [apportion(row, 100) if s else None for row, s in zip(shares, seen, strict=True)],
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
    """(N, C + 1) shares of each column of the chart, NaN where unseen; its start and end in ms."""
    first = int(summary.first_ms // summary.slice_ms)
    # A slice that begins with the last row holds no time: it would look like a gap.
    count = max(math.ceil(summary.last_ms / summary.slice_ms) - first, 1)
    merged = -(-count // _COLUMNS)
    sums = np.zeros((-(-count // merged), len(person.labels) + 1))
    for number, part in person.slices.items():
        sums[(number - first) // merged] += part
    if not person.slices:
        number = int(person.last_ms // summary.slice_ms)
        sums[min((number - first) // merged, len(sums) - 1)] = person.shares
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
    used = [i for i in range(len(person.labels)) if counts[i].any() or counts[:, i].any()]
    head = "".join(f"<th>{escape(person.labels[column])}</th>" for column in used)
    rows = "".join(
        f"<tr><th>{escape(person.labels[row])}</th>"
        + "".join(_cell(int(counts[row, column]), int(counts.max())) for column in used)
        + "</tr>"
        for row in used
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(count: int, most: int) -> str:
    if count == 0:
        return "<td></td>"
    depth = f"{15 + 45 * count / most:.0f}%"
    shade = f"color-mix(in srgb,var(--count) {depth},transparent)"
    return f'<td style="background:{shade}">{count}</td>'


def _cut_moments(
    video: Path, people: list[Person], rotate_degrees: int
) -> dict[tuple[int, Box], str]:
    """An `<img>` of the face at each of the people's moments, by frame and box."""
    moments = [moment for person in people for moment in person.moments]
    moments.sort(key=lambda moment: moment.timestamp_ms)
    pictures: dict[tuple[int, Box], str] = {}
    with open_frames(video, rotate_degrees=rotate_degrees) as frames:
        for moment, frame in _with_frames(moments, frames):
            if abs(frame.timestamp_ms - moment.timestamp_ms) > 1000 / frames.fps + _ROUNDED_MS:
                raise DataError(
                    f"{video} has no frame at {_clock(moment.timestamp_ms)}, where the record has "
                    "a face: expected the video that the record was made of."
                )
            name = f"frame {frame.index} of {video}"
            pictures[moment.frame, moment.box] = face_tag(frame.image_bgr, moment.box, name)
    return pictures


def _with_frames(moments: list[Moment], frames: FrameSource) -> Iterator[tuple[Moment, Frame]]:
    """Yield moments, in the order of time, each with the frame that is nearest to it.

    Of a camera, the annotated video lacks the frames that were dropped: their numbers differ.
    """
    coming = iter(frames)
    nearest = after = next(coming, None)
    for moment in moments:
        # No further than necessary: the video may break off where its record ends.
        while after is not None and after.timestamp_ms < moment.timestamp_ms - _ROUNDED_MS:
            nearest, after = after, next(coming, None)
        around = [frame for frame in (nearest, after) if frame is not None]
        yield moment, min(around, key=lambda frame: abs(frame.timestamp_ms - moment.timestamp_ms))


def _y(share: float) -> str:
    return f"{_CHART_HEIGHT * (1 - min(max(float(share), 0.0), 1.0)):.1f}"


def _clock(ms: float) -> str:
    if ms < 0:  # As some videos begin.
        return f"-{_clock(-ms)}"
    seconds, tenths = divmod(int(ms // 100), 10)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{tenths}"
