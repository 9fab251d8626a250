"""What `mien image` does: pictures in; a table, annotated copies, or both out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.batch.sources import files_under, paths_matching, why_unlisted
from mien.core.errors import OutputError, SourceError
from mien.core.files import is_folder, refuse_overwriting, temporary_output, write_atomically
from mien.core.types import FaceEmotion
from mien.faces.gate import QualityGate
from mien.media.blur import blur_faces
from mien.media.draw import draw_faces
from mien.media.frames import check_rotation
from mien.media.labels import label_of
from mien.media.picture_files import (
    PICTURE_SUFFIXES,
    is_picture,
    natural_order,
    passed_over_line,
)
from mien.recognizer import Recognizer
from mien.record.recognise import RecognisedPicture, picture_columns, recognise_each
from mien.record.write import TableWriter

_LONGEST_NAME_BYTES = 255
"""Of a file, on the file systems of Linux, macOS and Windows."""


@dataclass(frozen=True, slots=True)
class PictureOutputs:
    """What is written of pictures; nothing that is None.

    Attributes:
        folder: Annotated copies, as PNG. They keep the folders below the deepest one that holds all
            pictures and folders named, so that pictures of one name stay apart.
        csv: Table in CSV.
        jsonl: Table in JSON lines.
        parquet: Table in Parquet.
        blur: Make the faces in the annotated copies unrecognisable.
    """

    folder: Path | None = None
    csv: Path | None = None
    jsonl: Path | None = None
    parquet: Path | None = None
    blur: bool = False


def run_pictures(
    paths: Sequence[Path],
    recognizer: Recognizer,
    outputs: PictureOutputs,
    gate: QualityGate,
    *,
    say: Callable[[str], None],
    remark: Callable[[str], None],
    rotate_degrees: int = 0,
) -> None:
    """Recognise pictures, one after another; say a line for each face.

    A file that is no picture, or a folder that cannot be listed, becomes a row with its error, and
    the others go on. Files of folders that are no pictures by their name are counted and named.
    What lies in the folder of the annotated copies is passed over, so that a second run does not
    read the first one's copies; a picture named by itself is always read.

    Args:
        paths: Pictures, folders of pictures (with the folders in them, but hidden ones), and
            patterns of either, which not every shell expands.
        recognizer: What recognises.
        outputs: What to write.
        gate: What makes a face uncertain.
        say: Called with every line of the result.
        remark: Called with what is to be known besides, such as what was passed over.
        rotate_degrees: See `mien.media.frames.open_frames`.

    Raises:
        SourceError: if there is no picture; or, at the end, if some could not be read, or folders
            not be listed.
        OutputError: if something cannot be written, or would overwrite a picture.
        MissingExtraError: if Parquet is asked for and pyarrow is missing.
    """
    check_rotation(rotate_degrees)
    named = frozenset(paths)
    paths = [found for path in paths for found in _expanded(path)]
    files, others, unlisted = _files_of(paths, named, outputs.folder)
    copies = _copies_of(files, paths, outputs.folder) if outputs.folder is not None else {}
    # A picture that is named twice, in two ways, has one copy.
    copy_paths = set(copies.values())
    refuse_overwriting(files, [outputs.csv, outputs.jsonl, outputs.parquet, *copy_paths])
    if line := passed_over_line(others):
        remark(line)
    for folder in {copy.parent for copy in copies.values()}:
        temporary_output(folder / "copy.png").unlink()  # It is found before the table is begun.
    columns = picture_columns(recognizer.classifier.labels)
    failed = 0
    with ExitStack() as stack:
        table = stack.enter_context(
            TableWriter(columns, csv=outputs.csv, jsonl=outputs.jsonl, parquet=outputs.parquet)
        )
        recognised = recognise_each(files, recognizer, gate, rotate_degrees=rotate_degrees)
        for picture in chain(recognised, _unlisted_rows(unlisted, len(files))):
            table.append(picture.rows(columns))
            if picture.image_bgr is None:
                failed += 1
                say(str(picture.error))
                continue
            path = Path(picture.path)
            say("\n".join(_lines(path, picture.faces)))
            if copy := copies.get(path):
                _write_copy(picture.image_bgr, picture.faces, copy, outputs.blur)
    if failed:
        unread = failed - len(unlisted)
        has_rows = any((outputs.csv, outputs.jsonl, outputs.parquet))
        raise SourceError(
            _what_failed(unread, len(files), len(unlisted))
            + ("; the rows say why." if has_rows else ".")
            + (" The others are done." if unread < len(files) else "")
        )


def _unlisted_rows(failures: Sequence[OSError], number: int) -> Iterator[RecognisedPicture]:
    """What stands for folders that cannot be listed; the first one's number is `number`."""
    for place, failure in enumerate(failures, number):
        error = SourceError(why_unlisted(failure))
        yield RecognisedPicture(place, Path(failure.filename), None, error=error)


def _what_failed(pictures: int, of: int, folders: int) -> str:
    parts = [f"{pictures} of {of} pictures could not be read"] if pictures else []
    if folders:
        names = "1 folder" if folders == 1 else f"{folders} folders"
        parts.append(f"{names} could not be listed")
    return ", and ".join(parts)


def _expanded(path: Path) -> list[Path]:
    """What a pattern matches; of anything else, and where nothing matches, the path itself."""
    found = [] if os.path.lexists(path) else paths_matching(str(path))
    return list(map(Path, found)) or [path]


def _files_of(
    paths: Sequence[Path], named: Container[Path], copies_folder: Path | None
) -> tuple[list[Path], list[Path], list[OSError]]:
    """The pictures, the other files of the folders, and why folders could not be listed."""
    failures: list[OSError] = []
    found = (file for path in paths for file in _files_under(path, copies_folder, failures.append))
    once: dict[str, Path] = {}
    for file in found:
        # A folder and one of its files may both be named; resolve() would follow links.
        once.setdefault(os.path.abspath(file), file)  # noqa: PTH100
    files = list(once.values())
    unlisted = [each for each in failures if not _is_within(Path(each.filename), copies_folder)]
    # What is named by itself may be called anything.
    pictures = [file for file in files if is_picture(file) or file in named]
    others = [file for file in files if not (is_picture(file) or file in named)]
    if not pictures and not unlisted:
        line = passed_over_line(others)
        raise SourceError(
            f"There is no picture in {', '.join(map(str, paths))}: expected files that end in "
            f"{', '.join(sorted(PICTURE_SUFFIXES))}.{f' {line}' if line else ''}"
        )
    return pictures, others, unlisted


def _files_under(
    path: Path, copies_folder: Path | None, on_failure: Callable[[OSError], object]
) -> Iterator[Path]:
    if not is_folder(path):
        yield path
        return
    if _is_within(path, copies_folder):
        raise SourceError(
            f"{path} lies in {copies_folder}, where the annotated copies go, and would not be "
            "read: name another folder for the copies."
        )
    for file in sorted(map(Path, files_under(str(path), on_failure)), key=natural_order):
        if not _is_within(file.parent, copies_folder):
            yield file


def _is_within(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _copies_of(files: Sequence[Path], paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Where the annotated copy of each picture goes."""
    folders = [(path if is_folder(path) else path.parent).resolve() for path in paths]
    try:
        shared = Path(os.path.commonpath(folders))
    except ValueError:  # on Windows
        raise SourceError(
            "The pictures lie on several drives, so that their copies have no folder in common: "
            "name those of one drive at a time."
        ) from None
    copies = {
        file: folder / file.parent.resolve().relative_to(shared) / _name_of_copy(file.name)
        for file in files
    }
    folders_of_copies = {parent for copy in copies.values() for parent in copy.parents}
    for file, copy in copies.items():
        if copy in folders_of_copies:
            raise OutputError(
                f"The copy of {file} would be called {copy}, as the folder of other copies: rename "
                "the picture, or name it in a run of its own."
            )
    return copies


def _name_of_copy(name: str) -> str:
    """The suffix stays in the name: a.jpg and a.png are two pictures.

    Of a name that would get too long for a file, the end gives way to a digest of it.
    """
    copy = f"{name}.png"
    if len(os.fsencode(copy)) <= _LONGEST_NAME_BYTES:
        return copy
    end = f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}.png"
    begin = os.fsencode(name)[: _LONGEST_NAME_BYTES - len(end)]
    return begin.decode(errors="ignore") + end


def _lines(path: Path, faces: Sequence[FaceEmotion]) -> list[str]:
    if not faces:
        return [f"{path}: no face"]
    return [
        f"{path}: {label_of(face)} at ({face.box.x:.0f}, {face.box.y:.0f}), "
        f"{face.box.width:.0f} by {face.box.height:.0f} pixels"
        for face in faces
    ]


def _write_copy(
    image_bgr: NDArray[np.uint8], faces: Sequence[FaceEmotion], path: Path, blur: bool
) -> None:
    if blur:
        blur_faces(image_bgr, (face.box for face in faces))
    draw_faces(image_bgr, faces)
    write_atomically(path, cv2.imencode(".png", image_bgr)[1].tobytes())
