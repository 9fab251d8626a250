"""`mien data explore` of clips: what a set of them holds, and which of them are odd."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mien.core.files import write_atomically
from mien.data.clip_sequences import read_clips
from mien.data.clips import load_clips, unit_of
from mien.recognizer import Recognizer

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class ClipReport:
    """What a set of clips holds.

    Attributes:
        source: The folder or manifest.
        clips: How many usable clips there are of each emotion.
        units: How many subjects there are; files, where the subjects are not known.
        has_subjects: Whether subjects are known.
        seconds: How long the faces are seen, over all clips.
        moments: How often a face was classified, over all clips.
        odd: Why each of the other clips cannot be learned from, by name: no face, two people,
            unreadable, left out, of no known emotion.
    """

    source: str
    clips: dict[str, int]
    units: int
    has_subjects: bool
    seconds: float
    moments: int
    odd: dict[str, str]

    def lines(self) -> list[str]:
        """The report as lines of text."""
        total = sum(self.clips.values())
        shares = ", ".join(f"{emotion} {count:,}" for emotion, count in self.clips.items())
        unit = (
            f"{self.units:,} subjects, kept apart in a split"
            if self.has_subjects
            else "subjects not known, so that a split keeps files apart, not people"
        )
        lines = [
            f"{total:,} clips ({self.source}): {shares}",
            f"  {unit}; {self.seconds:,.0f} s, {self.moments:,} time steps",
        ]
        if self.odd:
            lines.append(f"  {len(self.odd):,} left out:")
            named = list(self.odd.items())
            lines += [f"    {name}: {reason}" for name, reason in named[:_MOST_NAMED]]
            if len(named) > _MOST_NAMED:
                lines.append(f"    ... and {len(named) - _MOST_NAMED:,} more in the report")
        return lines


def explore_clips(
    path: Path, recognizer: Recognizer, out: Path, say: Callable[[str], None]
) -> ClipReport:
    """Look through clips with the engine, and write `clips.json`.

    Args:
        path: See `mien.data.clips.load_clips`.
        recognizer: What finds and classifies their faces.
        out: Folder to write to.
        say: Called with a line before the long part.

    Raises:
        DataError: if there are no clips, or the recogniser's reading has other labels than they.
    """
    clips = load_clips(path)
    read = read_clips(clips.clips, clips, recognizer, say)
    used = {sequence.name for sequence in read.sequences}
    usable = [clip for clip in clips.clips if clip.name in used]
    counts = Counter(clip.label for clip in usable)
    report = ClipReport(
        source=str(clips.source),
        clips={name: counts[label] for label, name in enumerate(clips.classes.names)},
        units=len({unit_of(clip) for clip in usable}),
        has_subjects=clips.has_subjects,
        seconds=round(sum(float(np.ptp(s.timestamps_ms)) for s in read.sequences) / 1000, 1),
        moments=sum(len(sequence.timestamps_ms) for sequence in read.sequences),
        odd=dict((*clips.skipped, *read.odd)),
    )
    write_atomically(out / "clips.json", json.dumps(asdict(report), indent=1) + "\n")
    return report
