"""The page of a table of pictures, as `mien image` writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from mien.core.errors import DataError
from mien.core.types import FaceEmotion
from mien.media.image import rotate
from mien.media.picture_files import read_image
from mien.record.page import colour, face_tag, fill_page, share_bar, table_section
from mien.record.read import read_pictures
from mien.record.table import file_of_name

MOST_PICTURES = 500
"""So many pictures are listed on the page, with their faces."""

MOST_ERRORS = 100
"""So many pictures that could not be read are listed."""

STRONGEST = 6
"""So many faces of each label are shown, the most probable ones."""


@dataclass(slots=True)
class PictureSummary:
    """What a table of pictures amounts to.

    Attributes:
        labels: What the network tells apart; empty without faces.
        readings: The names of the readings that the probabilities are.
        faces: How many faces there are.
        uncertain: How many of them are uncertain.
        shown: How many certain faces there are of each label.
        pictures: The faces of the first pictures that have some, by path.
        strongest: The most probable certain faces of each label, with the picture's path.
        errors: Why pictures could not be read, by path; the first ones.
        unreadable: How many there are.
    """

    labels: tuple[str, ...] = ()
    readings: set[str] = field(default_factory=set)
    faces: int = 0
    uncertain: int = 0
    shown: Counter[str] = field(default_factory=Counter)
    pictures: dict[str, list[FaceEmotion]] = field(default_factory=dict)
    strongest: dict[str, list[tuple[str, FaceEmotion]]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    unreadable: int = 0
    _paths: set[str] = field(default_factory=set)

    @property
    def pictures_with_faces(self) -> int:
        """How many pictures with faces there are."""
        return len(self._paths)

    def add_face(self, path: str, face: FaceEmotion) -> None:
        """Take in a face.

        Args:
            path: The picture's file.
            face: The face.

        Raises:
            DataError: if it is another network's, which tells other things apart.
        """
        self.labels = self.labels or face.labels
        if face.labels != self.labels:
            raise DataError(
                f"The table has rows with the labels {', '.join(self.labels)} and rows with "
                f"{', '.join(face.labels)}; expected those of one network."
            )
        if face.reading is not None:
            self.readings.add(face.reading)
        self.faces += 1
        self._paths.add(path)
        if path in self.pictures or len(self.pictures) < MOST_PICTURES:
            self.pictures.setdefault(path, []).append(face)
        if face.uncertain:
            self.uncertain += 1
            return
        self.shown[face.emotion] += 1
        strongest = self.strongest.setdefault(face.emotion, [])
        strongest.append((path, face))
        strongest.sort(key=lambda each: -each[1].confidence)
        del strongest[STRONGEST:]

    def add_error(self, path: str, error: str) -> None:
        """Take in a picture that could not be read."""
        self.unreadable += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors[path] = error


def pictures_page(
    table: Path, folder: Path | None, rotate_degrees: int
) -> tuple[PictureSummary, str]:
    """Return what a table of pictures amounts to, and its page.

    Args:
        table: See `mien.record.read.read_record`.
        folder: Where its paths begin, to show the faces; None shows none.
        rotate_degrees: How the pictures were turned.

    Raises:
        DataError: if the table is none, or of several networks, or a picture is not what it was
            made of, as far as that shows.
        SourceError: if a picture whose face is to be shown cannot be read.
    """
    summary = PictureSummary()
    for row in read_pictures(table):
        if row.face is None:
            summary.add_error(row.path, row.error or "")
        else:
            summary.add_face(row.path, row.face)
    return summary, _page(table.name, summary, folder, rotate_degrees)


def _page(name: str, summary: PictureSummary, folder: Path | None, rotate_degrees: int) -> str:
    facts = picture_facts(summary)
    facts["Could not be read"] = f"{summary.unreadable:,}"
    sections = picture_sections(summary, folder, rotate_degrees) if summary.faces else []
    if summary.errors:
        sections.append(_errors(summary))
    return fill_page(
        name,
        "Emotions that faces showed, picture by picture.",
        summary.labels,
        facts,
        sections,
        "Pictures without a face have no row in the table. Grey stands for faces whose label is "
        "not to be relied upon. What a face shows is not what a person feels.",
    )


def picture_facts(summary: PictureSummary) -> dict[str, str]:
    """Return the figures at the top of the page, by name."""
    facts = {
        "Pictures with a face": f"{summary.pictures_with_faces:,}",
        "Faces": f"{summary.faces:,}",
        "Uncertain": f"{summary.uncertain / summary.faces:.0%}" if summary.faces else "-",
    }
    if summary.readings:
        facts["Reading"] = ", ".join(sorted(summary.readings))
    return facts


def picture_sections(
    summary: PictureSummary,
    folder: Path | None,
    rotate_degrees: int,
    *,
    missing_ok: bool = False,
) -> list[str]:
    """Return the sections about the faces of pictures, of which there are some.

    Args:
        summary: What is known of them.
        folder: Where their paths begin; None shows no face.
        rotate_degrees: How they were turned.
        missing_ok: Whether some may not be there, and are shown without their faces.

    Raises:
        SourceError: if one whose face is to be shown cannot be read.
    """

    def image_of(path: str, face: FaceEmotion) -> str:
        if folder is None:
            return ""
        file = file_of_name(path, folder)
        if missing_ok and not file.is_file():
            return ""
        return face_tag(rotate(read_image(file), rotate_degrees), face.box, path)

    return [_shown(summary), _strongest(summary, image_of), _list(summary)]


def _shown(summary: PictureSummary) -> str:
    counts = [*(summary.shown[label] for label in summary.labels), summary.uncertain]
    bar = share_bar(np.array(counts) / summary.faces, summary.labels)
    names = (*summary.labels, "uncertain")
    told = ", ".join(
        f"{count:,} {escape(name)}" for count, name in zip(counts, names, strict=True) if count
    )
    return f'<section><h2>What the faces show</h2>{bar}<p class="soft">{told}</p></section>'


def _strongest(summary: PictureSummary, image_of: Callable[[str, FaceEmotion], str]) -> str:
    parts = []
    for label in summary.labels:
        faces = summary.strongest.get(label, [])
        if faces:
            chips = "".join(
                _chip(face, summary, image_of(path, face), path) for path, face in faces
            )
            parts.append(f"<h3>{escape(label)}</h3><ul class=moments>{chips}</ul>")
    none = '<p class="soft">None that is certain.</p>'
    return f"<section><h2>Strongest faces</h2>{''.join(parts) or none}</section>"


def _list(summary: PictureSummary) -> str:
    rows = (
        f"<tr><th>{escape(path)}</th><td><ul class=moments>"
        + "".join(_chip(face, summary) for face in faces)
        + "</ul></td></tr>"
        for path, faces in summary.pictures.items()
    )
    return table_section("Pictures", rows, summary.pictures_with_faces - len(summary.pictures))


def _chip(face: FaceEmotion, summary: PictureSummary, image: str = "", path: str = "") -> str:
    index = len(summary.labels) if face.uncertain else summary.labels.index(face.emotion)
    reason = "; ".join(map(str, face.missed_limits))
    title = f' title="{escape(path or reason)}"' if path or reason else ""
    doubt = "?" if face.uncertain else ""
    name = f" {escape(Path(path).name)}" if path else ""
    return (
        f'<li style="--c:{colour(index)}"{title}>{image}{escape(face.emotion)}{doubt} '
        f"{face.confidence:.0%}{name}</li>"
    )


def _errors(summary: PictureSummary) -> str:
    rows = (
        f"<tr><th>{escape(path)}</th><td>{escape(error)}</td></tr>"
        for path, error in summary.errors.items()
    )
    return table_section("Could not be read", rows, summary.unreadable - len(summary.errors))
