"""`mien report`: a record as one page of HTML that needs nothing else, not even a network."""

from __future__ import annotations

from pathlib import Path

from mien.core.errors import DataError
from mien.core.files import refuse_overwriting, write_atomically
from mien.media.frames import check_rotation, files_read
from mien.record.collection_report import Collection, collection_page
from mien.record.person_report import record_page
from mien.record.picture_report import PictureSummary, pictures_page
from mien.record.read import is_collection, is_table_of_pictures
from mien.record.summary import Summary
from mien.record.write import write_summary


def write_report(
    record: Path,
    out: Path,
    *,
    summary_json: Path | None = None,
    faces_from: Path | None = None,
    rotate_degrees: int = 0,
) -> Summary | PictureSummary | Collection:
    """Write the page of a record, of a table of pictures, or of what mien's page has saved.

    Args:
        record: See `mien.record.read.read_record`.
        out: The HTML file to write; its folder is made where it is missing.
        summary_json: Where to write what the record amounts to, as `mien video --summary` does;
            None for nowhere.
        faces_from: The video that the record was made of, to show the faces of the strongest
            moments; of pictures, the folder in which their paths begin. None shows no face.
        rotate_degrees: How the video was turned when it was recorded; see
            `mien.media.frames.open_frames`.

    Returns:
        What the record amounts to.

    Raises:
        DataError: if the record is none, or holds no row, if a summary is asked for and it is of
            pictures or of several sources, or if a face is not in `faces_from`.
        OutputError: if the page cannot be written, or would overwrite the video or the record.
        SourceError: if the video cannot be read.
        SettingError: for an angle by which frames cannot be turned.
    """
    check_rotation(rotate_degrees)
    shown = [] if faces_from is None else files_read(faces_from)
    refuse_overwriting([record, *shown], [out, summary_json])
    summary: Summary | PictureSummary | Collection
    if is_table_of_pictures(record):
        summary, page = pictures_page(record, faces_from, rotate_degrees)
    elif is_collection(record):
        summary, page = collection_page(record, faces_from, rotate_degrees)
    else:
        summary, page = record_page(record, faces_from, rotate_degrees)
    if summary_json is not None:
        if not isinstance(summary, Summary):
            raise DataError(
                f"{record} is of pictures, or of several sources: only what one video or camera "
                "recorded has a summary over time. Leave --summary out."
            )
        write_summary(summary_json, summary)
    write_atomically(out, page)
    return summary
