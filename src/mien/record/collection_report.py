"""The page of what mien's page has saved: cameras, videos and photos in one record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from mien.core.errors import DataError
from mien.core.types import FaceEmotion
from mien.record.page import fill_page
from mien.record.person_report import facts_of, notes_of, sections_of
from mien.record.picture_report import PictureSummary, picture_facts, picture_sections
from mien.record.read import read_collection
from mien.record.summary import Summary


@dataclass(slots=True)
class Collection:
    """What a record of several sources amounts to.

    Attributes:
        films: The summary of each camera and video, by name.
        photos: That of all photos.
    """

    films: dict[str, Summary] = field(default_factory=dict)
    photos: PictureSummary = field(default_factory=PictureSummary)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the network tells apart; empty without rows."""
        return next((film.labels for film in self.films.values()), self.photos.labels)


def collection_page(
    record: Path, faces_from: Path | None, rotate_degrees: int
) -> tuple[Summary | Collection, str]:
    """Return what a record of several sources amounts to, and its page.

    Args:
        record: See `mien.record.read.read_collection`.
        faces_from: The video, if it is of one alone, or the folder of the photos, to show faces;
            None shows none.
        rotate_degrees: How these were turned.

    Returns:
        The summary, of a single video or camera its own, and the page.

    Raises:
        DataError: if the record is none, holds no row, or a video is named and it is of several.
        SourceError: if a file whose faces are to be shown cannot be read.
    """
    rows = read_collection(record)
    collection = _collect(rows)
    if collection is None:
        # Somebody has sorted it by something else; only then does it have to fit into the memory.
        in_order = sorted(
            read_collection(record), key=lambda row: (row[1].timestamp_ms, row[1].frame)
        )
        collection = _collect(in_order)
    assert collection is not None
    if not collection.labels:
        raise DataError(f"{record} holds no row: no face was found, so there is nothing to show.")
    folder = faces_from if faces_from is not None and faces_from.is_dir() else None
    video = faces_from if folder is None else None
    if video is not None and len(collection.films) != 1:
        raise DataError(
            f"{record} is of {len(collection.films)} videos or cameras: no face can be shown from "
            f"{video} alone. Leave --with-faces out, or name the folder of its photos."
        )
    facts, sections, notes = {}, [], []
    for name, film in collection.films.items():
        sections.append(_heading(name, facts_of(film)))
        sections += sections_of(film, video, rotate_degrees)
        notes.append(notes_of(film))
    if collection.photos.faces:
        if collection.films:
            sections.append(_heading("Photos", picture_facts(collection.photos)))
        sections += picture_sections(collection.photos, folder, rotate_degrees)
    if not collection.films:
        facts = picture_facts(collection.photos)
        notes.append("What a face shows is not what a person feels.")
    page = fill_page(
        record.name,
        "Emotions that faces showed, source by source.",
        collection.labels,
        facts,
        sections,
        " ".join(dict.fromkeys(notes)),
    )
    films = list(collection.films.values())
    alone = len(films) == 1 and not collection.photos.faces
    return (films[0] if alone else collection), page


def _collect(rows: Iterable[tuple[str, FaceEmotion]]) -> Collection | None:
    """Sum rows up by source; None if those of one are not in the order of time."""
    collection = Collection()
    photo = None
    for source, face in rows:
        if face.track_id == 0:  # Nobody is followed through a photo.
            collection.photos.add_face(source, face, is_first=source != photo)
            photo = source
            continue
        film = collection.films.setdefault(source, Summary())
        if face.timestamp_ms < film.last_ms:
            return None
        film.add([face])
    return collection


def _heading(name: str, facts: dict[str, str]) -> str:
    told = "; ".join(f"{escape(key)}: {escape(value)}" for key, value in facts.items())
    return f'<section><h2>{escape(name)}</h2><p class="soft">{told}</p></section>'
