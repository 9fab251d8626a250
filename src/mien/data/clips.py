"""Video clips with an emotion each: a folder per emotion, a manifest, RAVDESS's or CREMA-D's names.

| what | how a clip's emotion and subject are known |
|---|---|
| manifest | a table: `path,emotion` and perhaps `start_ms,end_ms`, `subject`, `fold` |
| RAVDESS | `02-01-06-01-02-01-12.mp4`: the third number, and the last one, the actor |
| CREMA-D | `1001_DFA_ANG_XX.flv`: the third word, and the first one, the actor |
| folder per emotion | the folder; a folder inside it names the subject |

RAVDESS is Livingstone and Russo 2018 (doi 10.1371/journal.pone.0196391), CREMA-D Cao et al. 2014
(doi 10.1109/TAFFC.2014.2336244). Neither is bundled, and neither licence allows everything.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from mien.core.errors import DataError
from mien.data.classes import FER2013_CLASSES, LEFT_OUT, ClassTable, unknown_names
from mien.data.dataset import Skipped
from mien.data.table_file import named_file, open_table
from mien.data.walk import files_below
from mien.media.picture_files import is_picture
from mien.media.source import VIDEO_SUFFIXES

_RAVDESS = re.compile(r"(\d\d)-\d\d-(\d\d)-\d\d-\d\d-\d\d-(\d\d)")
_RAVDESS_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_RAVDESS_SOUND_ONLY = "03"
_CREMA_D = re.compile(r"(\d{4})_[A-Z]{3}_([A-Z]{3})_[A-Z]{2}")
_CREMA_D_EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}

CLIP_CLASSES = replace(FER2013_CLASSES, left_out=("calm",))
"""FER2013's seven emotions. RAVDESS's *calm* is none of them and is left out."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip.

    Attributes:
        path: Its file.
        name: What it is called in reports: its path seen from the set, and the part of it.
        label: Index into the names of the set's classes.
        subject: Who it shows; empty where it is not known.
        fold: Which part of the set it belongs to, as the manifest says; empty for none.
        start_ms: Where it begins in the file.
        end_ms: Where it ends; infinite for the file's end.
    """

    path: Path
    name: str
    label: int
    subject: str = ""
    fold: str = ""
    start_ms: float = 0.0
    end_ms: float = math.inf

    @property
    def key(self) -> str:
        """The same for the same part of a file of the same name and size, wherever it lies."""
        size = self.path.stat().st_size if self.path.is_file() else None
        parts = (self.path.name, size, self.start_ms, self.end_ms)
        return hashlib.sha256(repr(parts).encode(errors="backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips, and what was found besides.

    Attributes:
        source: The folder or manifest.
        clips: In the order of their names, or of the manifest's rows.
        classes: What the labels mean.
        skipped: What was found and is no clip to learn from.
    """

    source: Path
    clips: tuple[Clip, ...]
    classes: ClassTable
    skipped: tuple[Skipped, ...]

    @property
    def has_subjects(self) -> bool:
        """Whether it is known of every clip who it shows."""
        return all(clip.subject for clip in self.clips)

    def fingerprint(self) -> str:
        """Return a SHA-256 of the clips: names, sizes of files, emotions, subjects, folds, parts.

        Whole films are not read for it: an edited file of the same size is taken for the same.
        """
        rows: list[object] = [list(self.classes.names)]
        for clip in self.clips:
            rows.append([clip.name, clip.key, clip.label, clip.subject, clip.fold])
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def holds_clips(path: Path) -> bool:
    """Whether a path is a manifest of clips, or a folder with more videos than pictures."""
    if path.is_dir():
        files = list(files_below(path))
        videos = sum(map(_is_video, files))
        # A set of clips may have a cover.
        return videos > sum(map(is_picture, files))
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    _, rows = _read_manifest(path, most=1)
    return bool(rows) and _is_video(Path(rows[0][1].get("path", "")))


def load_clips(path: Path) -> ClipSet:
    """Find the clips of a folder or of a manifest; no video is opened.

    Args:
        path: See this module's description. Paths in a manifest are seen from its folder.

    Raises:
        DataError: if there is no such path, no clip in it, or a manifest's row is not valid.
    """
    if path.is_dir():
        clips, skipped = _of_folder(path)
    elif path.is_file():
        clips, skipped = _of_manifest(path)
    else:
        raise DataError(f"There is no {path}: expected a folder of clips, or a manifest (CSV).")
    if not clips:
        why = f" ({len(skipped)} passed over: {skipped[0].reason})" if skipped else ""
        raise DataError(
            f"{path} holds no clip whose emotion is known{why}; expected videos in folders named "
            f"after {', '.join(CLIP_CLASSES.names)}, RAVDESS's or CREMA-D's names, or a manifest "
            "with the columns path,emotion."
        )
    return ClipSet(path, tuple(clips), CLIP_CLASSES, tuple(skipped))


def unit_of(clip: Clip) -> str:
    """Return what a split keeps together: the subject, or the file where that is not known."""
    return clip.subject or str(clip.path)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _of_folder(folder: Path) -> tuple[list[Clip], list[Skipped]]:
    clips, skipped = [], []
    for path in filter(_is_video, files_below(folder)):
        name = path.relative_to(folder).as_posix()
        emotion, subject, problem = _read_name(path, folder)
        label = None if emotion is None else CLIP_CLASSES.label_of(emotion)
        if problem or label is None or label == LEFT_OUT:
            problem = problem or (
                f"{emotion!r} is left out" if label == LEFT_OUT else "no emotion is known of it"
            )
            skipped.append(Skipped(name, problem))
        else:
            clips.append(Clip(path, name, label, subject))
    return clips, skipped


def _read_name(path: Path, folder: Path) -> tuple[str | None, str, str]:
    """Return a file's emotion, its subject and why it is no clip to learn from."""
    if ravdess := _RAVDESS.fullmatch(path.stem):
        modality, emotion, actor = ravdess.groups()
        problem = "sound only" if modality == _RAVDESS_SOUND_ONLY else ""
        return _RAVDESS_EMOTIONS.get(emotion), f"actor {actor}", problem
    if crema_d := _CREMA_D.fullmatch(path.stem):
        actor, emotion = crema_d.groups()
        return _CREMA_D_EMOTIONS.get(emotion), f"actor {actor}", ""
    emotion, *inside = path.relative_to(folder).parts[:-1] or (None,)
    return emotion, inside[0] if inside else "", ""


def _read_manifest(
    path: Path, most: int | None = None
) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the names of a table's columns, in small letters, and its first rows by these.

    Each row has its number with it; see `open_table`.
    """
    with open_table(path) as (header, rows):
        names = [name.casefold() for name in header]
        empty = dict.fromkeys(names, "")
        return names, [
            (number, empty | dict(zip(names, row, strict=False)))
            for number, row in islice(rows, most)
        ]


def _of_manifest(path: Path) -> tuple[list[Clip], list[Skipped]]:
    columns, numbered = _read_manifest(path)
    rows = [row for _, row in numbered]
    if not {"path", "emotion"} <= set(columns):
        raise DataError(
            f"{path}, line 1: found the columns {', '.join(columns) or 'none'}; expected "
            "path,emotion, and perhaps start_ms,end_ms, subject and fold."
        )
    names = [row["emotion"].strip() for row in rows]
    if any(CLIP_CLASSES.label_of(name) is None for name in names):
        raise unknown_names(names, CLIP_CLASSES, str(path))
    clips, skipped = [], []
    # Who a file shows is known of all of its parts if it is known of one.
    subjects = {row["path"].strip(): row.get("subject", "").strip() for row in rows}
    subjects |= {
        row["path"].strip(): who for row in rows if (who := row.get("subject", "").strip())
    }
    for (number, row), name in zip(numbered, names, strict=True):
        where = f"{path}, row {number:,}"
        label = CLIP_CLASSES.label_of(name)
        assert label is not None
        start_ms = _milliseconds(row, "start_ms", 0.0, where)
        end_ms = _milliseconds(row, "end_ms", math.inf, where)
        if end_ms <= start_ms:
            raise DataError(f"{where}: it ends at {end_ms:g} ms and begins at {start_ms:g} ms.")
        part = "" if (start_ms, end_ms) == (0.0, math.inf) else f" from {start_ms:g} ms"
        called = row["path"].strip() + part
        if label == LEFT_OUT:
            skipped.append(Skipped(called, f"{name!r} is left out"))
            continue
        subject = row.get("subject", "").strip() or subjects[row["path"].strip()]
        fold = row.get("fold", "").strip()
        file = named_file(path, row["path"])
        clips.append(Clip(file, called, label, subject, fold, start_ms, end_ms))
    return clips, skipped


def _milliseconds(row: dict[str, str], column: str, default: float, where: str) -> float:
    text = row.get(column, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise DataError(f"{where}, column {column}: found {text!r}; expected milliseconds.")
    return value
