"""What `mien image` does: pictures in; a table, annotated copies, or both out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, SourceError
from mien.core.files import write_atomically
from mien.core.types import FaceEmotion
from mien.faces.gate import QualityGate
from mien.media.blur import blur_faces
from mien.media.draw import draw_faces, label_of
from mien.media.frames import IMAGE_SUFFIXES
from mien.media.image import read_image
from mien.recognizer import Recognizer
from mien.record.table import COLUMNS, row_of
from mien.record.write import TableWriter

PICTURE_COLUMNS = (*COLUMNS, "path", "error")
"""A table of pictures: `frame` counts the pictures, `timestamp_ms` and `track_id` are 0."""


@dataclass(frozen=True, slots=True)
class PictureOutputs:
    """What is written of pictures; nothing that is None.

    Attributes:
        folder: Annotated copies, as PNG.
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
    paths: Sequence[Path], recognizer: Recognizer, outputs: PictureOutputs, gate: QualityGate
) -> None:
    """Recognise pictures, one after another; print a line for each face.

    A file that is no picture becomes a row with its error, and the others go on.

    Args:
        paths: Pictures, and folders of pictures (with the folders in them).
        recognizer: What recognises.
        outputs: What to write.
        gate: What makes a face uncertain.

    Raises:
        SourceError: if there is no picture, or, at the end, if some could not be read.
        DataError: if something cannot be written.
        MissingExtraError: if Parquet is asked for and pyarrow is missing.
    """
    files = _files_of(paths)
    failed = 0
    with ExitStack() as stack:
        table = stack.enter_context(
            TableWriter(
                PICTURE_COLUMNS, csv=outputs.csv, jsonl=outputs.jsonl, parquet=outputs.parquet
            )
        )
        for number, (root, path) in enumerate(files):
            try:
                image_bgr = read_image(path)
            except SourceError as error:
                failed += 1
                print(error, flush=True)
                table.append([_error_row(number, path, error)])
                continue
            faces = recognizer.recognize(image_bgr, number, gate=gate)
            table.append([_row(face, path) for face in faces])
            print("\n".join(_lines(path, faces)), flush=True)
            if outputs.folder is not None:
                _write_copy(image_bgr, faces, _copy_path(outputs.folder, root, path), outputs.blur)
    if failed:
        raise SourceError(
            f"{failed} of {len(files)} pictures could not be read; their rows say why. The others "
            "are done."
        )


def _files_of(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Each picture, after the folder that its copy's place is relative to."""
    files = [pair for path in paths for pair in _pictures_under(path)]
    if not files:
        raise SourceError(
            f"There is no picture in {', '.join(map(str, paths))}: expected files that end in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return files


def _pictures_under(path: Path) -> Iterator[tuple[Path, Path]]:
    if not path.is_dir():
        yield path.parent, path
        return
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file():
            yield path, file


def _row(face: FaceEmotion, path: Path) -> dict[str, Any]:
    row = row_of(face, smooth_ms=0.0, raw=False)
    return {column: row[column] for column in COLUMNS} | {"path": str(path), "error": None}


def _error_row(number: int, path: Path, error: SourceError) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(PICTURE_COLUMNS)
    return nothing | {
        "frame": number,
        "timestamp_ms": 0.0,
        "track_id": 0,
        "path": str(path),
        "error": str(error),
    }


def _lines(path: Path, faces: Sequence[FaceEmotion]) -> list[str]:
    if not faces:
        return [f"{path}: no face"]
    return [
        f"{path}: {label_of(face)} at ({face.box.x:.0f}, {face.box.y:.0f}), "
        f"{face.box.width:.0f} by {face.box.height:.0f} pixels"
        for face in faces
    ]


def _copy_path(folder: Path, root: Path, path: Path) -> Path:
    # The suffix stays in the name: a.jpg and a.png are two pictures.
    return (folder / path.relative_to(root)).with_name(f"{path.name}.png")


def _write_copy(
    image_bgr: NDArray[np.uint8], faces: Sequence[FaceEmotion], path: Path, blur: bool
) -> None:
    if blur:
        blur_faces(image_bgr, (face.box for face in faces))
    draw_faces(image_bgr, faces)
    try:
        write_atomically(path, cv2.imencode(".png", image_bgr)[1].tobytes())
    except OSError as error:
        raise DataError(f"The picture {path} cannot be written: {error.strerror}.") from None
