"""The page of what mien's page has saved: cameras, videos and photos in one record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from mien.core.errors import DataError
from mien.core.types import FaceEmotion
from mien.record.page import fill_page
from mien.record.person_report import NOTES, counts_of, facts_of, sections_of, summarise_by_source
from mien.record.picture_report import PictureSummary, picture_facts, picture_sections
from mien.record.read import nothing_to_show, read_collection
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
            photos that are not in it are shown without. None shows none.
        rotate_degrees: How these were turned.

    Returns:
        The summary, of a single video or camera its own, and the page.

    Raises:
        DataError: if the record is none, holds no row, or the video or folder is not what it is of.
        SourceError: if a file whose faces are to be shown cannot be read.
    """
    collection = _collect(record)
    if not collection.labels:
        raise nothing_to_show(record)
    video, folder = _kind_of(faces_from, collection, record)
    sections = []
    for name, film in collection.films.items():
        sections.append(_heading(name, facts_of(film), counts_of(film)))
        sections += sections_of(film, video, rotate_degrees)
    photos = collection.photos
    if photos.faces:
        if collection.films:
            sections.append(_heading("Photos", picture_facts(photos), ""))
        sections += picture_sections(photos, folder, rotate_degrees, missing_ok=True)
    page = fill_page(
        record.name,
        "Emotions that faces showed, source by source.",
        collection.labels,
        {} if collection.films else picture_facts(photos),
        sections,
        NOTES if collection.films else "What a face shows is not what a person feels.",
    )
    films = list(collection.films.values())
    return (films[0] if len(films) == 1 and not photos.faces else collection), page


def _kind_of(
    faces_from: Path | None, collection: Collection, record: Path
) -> tuple[Path | None, Path | None]:
    """Return the video, or the folder of the photos, that faces are to be shown from."""
    if faces_from is None:
        return None, None
    if not faces_from.exists():
        raise DataError(f"There is no {faces_from}: expected the video, or the photos' folder.")
    films, photos = len(collection.films), collection.photos.pictures_with_faces
    if faces_from.is_dir() and photos:
        return None, faces_from
    if not faces_from.is_dir() and films == 1:
        return faces_from, None
    raise DataError(
        f"{record} is of {films:,} videos or cameras and {photos:,} photos: faces can be shown "
        f"from one video, where it is alone, or from the folder of the photos; {faces_from} is "
        "neither."
    )


def _collect(record: Path) -> Collection:
    collection = Collection()

    def rows_of_films() -> Iterator[tuple[str, FaceEmotion]]:
        # Every reading meets all of them: one for the photos alone would parse the file once more.
        collection.photos = PictureSummary()
        for source, face in read_collection(record):
            if face.track_id == 0:  # Nobody is followed through a photo.
                collection.photos.add_face(source, face)
            else:
                yield source, face

    collection.films = summarise_by_source(rows_of_films)
    return collection


def _heading(name: str, facts: dict[str, str], counts: str) -> str:
    told = "; ".join(f"{escape(key)}: {escape(value)}" for key, value in facts.items())
    more = f'<p class="soft">{counts}</p>' if counts else ""
    return f'<section><h2>{escape(name)}</h2><p class="soft">{told}</p>{more}</section>'
