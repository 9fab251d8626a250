"""What a record amounts to, person by person, gathered row by row so that memory stays flat."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.types import FaceEmotion
from mien.faces.tracker import RETURN_MS
from mien.record.person import LIKENESS_LIMIT, Answer, Person

LONGEST_STEP_MS = 500.0
"""A row stands for the time to the person's next row, but for no longer than this, or than one and
a half frames where frames usually last so long that this is more."""

FINEST_SLICE_MS = 125.0
"""The course of the emotions is kept as sums over slices of this length at first."""

MOST_SLICES = 600
"""Where there would be more, the slices become twice as long, so that memory stays flat."""

MOST_SLICES_A_FRAME = 8
"""Likewise where a frame usually lasts for more slices than these."""

MOST_TRACKS = 10_000
"""Of more, half of those who have left become sums: first who never was certain, then who was seen
the shortest. So memory stays flat as long as people leave; whoever has not is kept, however many
they are."""

GONE_MS = 2 * RETURN_MS
"""Who was not seen for so long has left: a tracker gives a face that returns later another
number."""

MOST_LINES = 10
"""So many people have a line of their own at the end of a command."""

_PACE_FRAMES = 25


@dataclass(slots=True, eq=False)
class _Rest:
    """Tracks of which nothing but sums is kept.

    Attributes:
        people_count: Those who were certain at least once.
        never_certain: The other ones.
        certain_ms: For how long labels were certain.
        uncertain_ms: For how long they were not.
        most_missed: How many of those missed which limit most.
        answers: (C,) the sum of the people's answers.
        answers_ms: (C,) the same, each times its certain time in milliseconds.
    """

    people_count: int = 0
    never_certain: int = 0
    most_missed: Counter[str | None] = field(default_factory=Counter)
    certain_ms: float = 0.0
    uncertain_ms: float = 0.0
    answers: NDArray[np.float64] | float = 0.0
    answers_ms: NDArray[np.float64] | float = 0.0

    def add(self, track: Person) -> None:
        self.certain_ms += track.certain_ms
        self.uncertain_ms += track.uncertain_ms
        answer = track.answer
        if answer is None:
            self.never_certain += 1
            self.most_missed[track.most_missed] += 1
            return
        self.people_count += 1
        self.answers = self.answers + answer.probabilities
        self.answers_ms = self.answers_ms + track.certain_ms * answer.probabilities


class Summary:
    """What a record amounts to.

    Attributes:
        tracks: Whatever was followed as a face, by number, in the order of the first sight; without
            those who became sums, see `MOST_TRACKS`.
        rows: How many rows there are.
        frames: How many frames show a face.
        first_ms: The time of the first row; 0 without rows.
        last_ms: The time of the last row; 0 without rows.
        slice_ms: The length of each person's slices.
        labels: What the network tells apart; empty without rows.
        readings: The names of the readings that the probabilities are; empty where no row says.
        networks_over_time: SHA-256 of the temporal networks that the answers are of; empty where
            there was none.

    Args:
        every_ms: The time between the frames that were looked at on purpose; 0 for all frames.
    """

    def __init__(self, *, every_ms: float = 0.0) -> None:
        self._every_ms = every_ms
        self.labels: tuple[str, ...] = ()
        self.readings: set[str] = set()
        self.networks_over_time: set[str] = set()
        self.tracks: dict[int, Person] = {}
        self.rows = 0
        self.frames = 0
        self.first_ms = 0.0
        self.last_ms = 0.0
        self.slice_ms = FINEST_SLICE_MS
        self._rest = _Rest()
        self._frame: int | None = None
        # How long each of the latest frames lasted: memory stays flat, and one pause counts little.
        self._frames_ms: deque[float] = deque(maxlen=_PACE_FRAMES)
        self._frame_ms = 0.0
        self._looks_ms: deque[float] = deque(maxlen=_PACE_FRAMES)

    def look(self, timestamp_ms: float) -> None:
        """Take notice of a frame that was looked at, before its rows, if it has any.

        A camera's frames are numbered as they come, and a slow engine looks at few of them: how
        many it passed over, rows do not say.
        """
        self._looks_ms.append(timestamp_ms)
        if len(self._looks_ms) > 1:
            steps = [after - before for before, after in pairwise(self._looks_ms)]
            self._every_ms = median(steps)

    def add(self, faces: Iterable[FaceEmotion]) -> None:
        """Take in more rows, in the order of their time.

        Raises:
            DataError: if they are of different networks, which tell different things apart.
        """
        for face in faces:
            if self.rows == 0:
                self.first_ms = self.last_ms = face.timestamp_ms
                self.labels = face.labels
            if face.labels != self.labels:
                raise DataError(
                    f"The record has rows with the labels {', '.join(self.labels)} and rows with "
                    f"{', '.join(face.labels)}; expected those of one network."
                )
            if face.reading is not None:
                self.readings.add(face.reading)
            if face.temporal_sha256 is not None:
                self.networks_over_time.add(face.temporal_sha256)
            if face.frame != self._frame:
                self._turn_to(face)
            self.last_ms = max(self.last_ms, face.timestamp_ms)
            self.rows += 1
            person = self.tracks.get(face.track_id)
            if person is None:
                if len(self.tracks) >= MOST_TRACKS:
                    self._sum_up_the_gone()
                person = Person(face.track_id, self.labels, face.timestamp_ms, face.timestamp_ms)
                self.tracks[face.track_id] = person
            self._lengthen_slices()
            between_ms = max(self._frame_ms, self._every_ms)
            person.add(face, self.slice_ms, max(LONGEST_STEP_MS, 1.5 * between_ms))

    @property
    def people(self) -> dict[int, Person]:
        """The tracks that were certain at least once, by number.

        A detector takes a pattern on a wall for a face now and then, and follows it; the gate calls
        it uncertain throughout. It stays in the record, but it is nobody.
        """
        return {number: track for number, track in self.tracks.items() if track.was_certain}

    @property
    def people_count(self) -> int:
        """How many tracks were certain at least once."""
        return len(self.people) + self._rest.people_count

    @property
    def never_certain(self) -> int:
        """How many tracks never were; those that look like no face may be none."""
        return len(self.tracks) - len(self.people) + self._rest.never_certain

    @property
    def seen_ms(self) -> float:
        """For how long all tracks were seen, certain or not, added up."""
        rest_ms = self._rest.certain_ms + self._rest.uncertain_ms
        return sum((track.seen_ms for track in self.tracks.values()), rest_ms)

    @property
    def uncertain_ms(self) -> float:
        """For how long their labels were uncertain, added up."""
        return sum((track.uncertain_ms for track in self.tracks.values()), self._rest.uncertain_ms)

    @property
    def uncertain_share(self) -> float:
        """The part of the time in which labels were uncertain; there are rows.

        Where everyone was seen for a moment alone, it is the part of the tracks that never were
        certain.
        """
        if seen_ms := self.seen_ms:
            return self.uncertain_ms / seen_ms
        return self.never_certain / (self.never_certain + self.people_count)

    @property
    def answer(self) -> Answer | None:
        """What everyone showed on the whole; None where nobody was certain.

        A person counts for as long as the label was certain; where everyone was for a moment
        alone, all count the same.
        """
        everyone = replace(self._rest)
        for person in self.people.values():
            everyone.add(person)
        if not everyone.people_count:
            return None
        summed = everyone.answers_ms if np.any(everyone.answers_ms) else everyone.answers
        probabilities = np.asarray(summed)
        return Answer(self.labels, probabilities / probabilities.sum())

    def document(self) -> dict[str, Any]:
        """The summary as JSON values: the clip's answer, and each person's, the longest seen first.

        `emotion`, `confidence` and `probabilities` are null where nobody was certain; `shares` are
        parts of the time in which the person was seen, and sum to 1 with `uncertain_share`.
        `others` is how many people were certain at least once and stand in no `persons`: see
        `MOST_TRACKS`.
        """
        nothing = dict.fromkeys(("emotion", "confidence", "probabilities"))
        answer = self.answer
        return {
            "first_ms": round(self.first_ms, 3),
            "last_ms": round(self.last_ms, 3),
            "frames_with_a_face": self.frames,
            "readings": sorted(self.readings),
            "networks_over_time": sorted(self.networks_over_time),
            "labels": list(self.labels),
            **(nothing if answer is None else answer.document()),
            "persons": [person.document() for person in self.longest_seen()],
            "others": self._rest.people_count,
            "never_certain": self.never_certain,
        }

    def answer_line(self) -> str | None:
        """The answer in a line: `The whole clip: happy, 71% on average`; None without one.

        With a temporal network the line names it by the first digits of its SHA-256.
        """
        answer = self.answer
        if answer is None:
            return None
        how = "on average"
        if self.networks_over_time:
            names = ", ".join(sha256[:12] for sha256 in sorted(self.networks_over_time))
            how = f"by the temporal network {names}"
        return f"The whole clip: {answer.emotion}, {answer.confidence:.0%} {how}"

    def lines(self) -> list[str]:
        """A line each for those who were seen the longest, and then what is to be known besides.

        `Person 1: happy (58%); 12.3 s; 61% happy, 20% neutral, 11% other; 8% uncertain`: the
        person's answer with its confidence, for how long the person was seen, and the parts of
        that time. `(2 never certain: 2 mostly missed min_confidence)`: the tracks that are nobody.
        """
        lines = [person.line() for person in self.longest_seen()[:MOST_LINES]]
        if self.people_count > MOST_LINES:
            lines.append(f"... and {self.people_count - MOST_LINES:,} more")
        if self.never_certain:
            why = "; ".join(self._why_never_certain())
            lines.append(f"({self.never_certain:,} never certain{f': {why}' if why else ''})")
        return lines

    def _why_never_certain(self) -> Iterator[str]:
        """How many of the tracks that never were certain missed which limit most, where known."""
        tracks = [track for track in self.tracks.values() if not track.was_certain]
        found = self._rest.most_missed + Counter(track.most_missed for track in tracks)
        for limit, count in found.most_common():
            if limit == LIKENESS_LIMIT:
                what = "face" if count == 1 else "faces"
                yield f"{count:,} mostly missed {limit} and may be no {what}"
            elif limit is not None:
                yield f"{count:,} mostly missed {limit}"

    def longest_seen(self) -> list[Person]:
        """The persons, who was seen the longest first."""
        return sorted(self.people.values(), key=lambda person: -person.seen_ms)

    def _sum_up_the_gone(self) -> None:
        """Keep no more than sums of half of those who left; see `MOST_TRACKS`."""
        gone = [track for track in self.tracks.values() if self.last_ms - track.last_ms > GONE_MS]
        gone.sort(key=lambda track: (track.was_certain, track.seen_ms))
        for track in gone[: len(gone) // 2]:
            self._rest.add(self.tracks.pop(track.track_id))

    def _turn_to(self, face: FaceEmotion) -> None:
        """Count the frame of `face`, and learn from it how long a frame usually lasts."""
        # Frames in between show no face, or came while the engine was busy.
        passed = face.frame - self._frame if self._frame is not None else 0
        if passed > 0 and face.timestamp_ms > self.last_ms:
            self._frames_ms.append((face.timestamp_ms - self.last_ms) / passed)
            self._frame_ms = median(self._frames_ms)
        self.frames += 1
        self._frame = face.frame

    def _lengthen_slices(self) -> None:
        while (
            self.last_ms - self.first_ms >= MOST_SLICES * self.slice_ms
            or self._frame_ms > MOST_SLICES_A_FRAME * self.slice_ms
        ):
            self.slice_ms *= 2
            for person in self.tracks.values():
                person.merge_slices()
