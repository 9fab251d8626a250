"""One worker of a batch: sources in, a Parquet file of their rows out. It knows nothing of Ray."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import cv2

from mien.batch.sources import BatchSource, open_filesystem
from mien.core.errors import ModelError, SourceError
from mien.core.files import hash_file
from mien.core.temporary import temporary_folder
from mien.core.types import FaceEmotion
from mien.engine.settings import EngineSettings
from mien.faces.models import YUNET_NAME, YUNET_VARIABLE
from mien.media.frames import Frame, FrameSource, damage_of, open_frames
from mien.recognizer import Recognizer
from mien.record.parquet import schema_of
from mien.record.recognise import recognise_each, recognise_frames
from mien.record.summary import Summary
from mien.record.table import columns_of, row_of

SOURCES_KEY = b"mien_sources"
"""Under this key a part's metadata hold what became of its sources, in JSON."""

PIECE_BYTES = 8 * 2**20
"""A part is handed over in pieces of this size."""

ROWS_AT_ONCE = 20_000
"""So many rows of a long video are in the memory at a time."""

DONE, FAILED, SET_ASIDE = "done", "failed", "set aside"


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker opens; it needs no file of another machine's.

    Attributes:
        mien_version: The version that all workers must have.
        artifact: Content of the artifact's files, by suffix.
        temporal: Content of the files of a temporal network, by suffix; empty for none.
        detector_files: Content of a detector's file, by the environment variable that names it.
        reading: Name of the artifact's reading.
        detector: Name of the detector; not `auto`, which could mean another one there.
        detect_size: See `mien.Recognizer`.
        provider: Likewise.
        rotate_degrees: See `mien.media.frames.open_frames`.
        every_ms: See `mien.record.recognise.recognise_frames`.
        settings: How often, how calm, how sure; the worker has a copy of `temporal` for its file.
        folder: Where the worker makes its temporary folder; None for where those of its machine go.
    """

    mien_version: str
    artifact: dict[str, bytes]
    temporal: dict[str, bytes]
    detector_files: dict[str, bytes]
    reading: str
    detector: str
    detect_size: str | None
    provider: str
    rotate_degrees: int
    every_ms: float
    settings: EngineSettings
    folder: Path | None = None


@dataclass(slots=True)
class SourceResult:
    """What became of a source.

    Attributes:
        source: Its name in the tables.
        kind: picture or video.
        state: `done`, `failed` or `set aside`.
        error: Why it failed; or, of a source that is done, where it is damaged.
        source_sha256: Hash of its content; None where it could not be read.
        size_bytes: Its size.
        modified_ns: When it was changed last.
        frames: How many frames were looked at; 1 for a picture.
        faces: How many rows it has.
        uncertain: How many of them are uncertain.
        shown: How many certain rows there are of each label, in the order of the labels.
        duration_ms: How long the video is; 0 for a picture.
        seconds: How long it took.
        summary: What the video amounts to, for `--summary`; None for pictures.
    """

    source: str
    kind: str
    state: str
    error: str | None = None
    source_sha256: str | None = None
    size_bytes: int | None = None
    modified_ns: int | None = None
    frames: int = 0
    faces: int = 0
    uncertain: int = 0
    shown: list[int] = field(default_factory=list)
    duration_ms: float = 0.0
    seconds: float = 0.0
    summary: dict[str, Any] | None = None

    @classmethod
    def begin(cls, source: BatchSource, labels: Sequence[str], state: str = DONE) -> SourceResult:
        """Return the result of a source of which nothing has been seen yet."""
        return cls(
            source.name,
            source.kind,
            state,
            size_bytes=source.size_bytes,
            modified_ns=source.modified_ns,
            shown=[0] * len(labels),
        )

    @property
    def is_incomplete(self) -> bool:
        """Whether it is done, but frames may be missing, as `error` says."""
        return self.state == DONE and self.error is not None

    def count(self, face: FaceEmotion) -> None:
        """Take in a row."""
        self.faces += 1
        if face.uncertain:
            self.uncertain += 1
        else:
            self.shown[face.labels.index(face.emotion)] += 1


@dataclass(frozen=True, slots=True)
class PartReply:
    """A finished part.

    Attributes:
        size_bytes: Size of the Parquet file.
        first_piece: Its first `PIECE_BYTES` bytes; the rest is asked for by `BatchWorker.piece`.
        results: What became of the sources.
    """

    size_bytes: int
    first_piece: bytes
    results: list[SourceResult]


class BatchWorker:
    """Recognises sources, one after another, with one thread.

    Args:
        setup: What to open.

    Raises:
        ModelError: if another version of mien is installed here.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        found = version("mien")
        if found != setup.mien_version:
            raise ModelError(
                f"A worker has mien {found}, the batch was started by mien {setup.mien_version}: "
                "install one version on all machines."
            )
        cv2.setNumThreads(1)  # More would take the cores of the other workers.
        self._setup = setup
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(temporary_folder(setup.folder))
        self._recognizer = self._open(setup)
        self._settings = setup.settings
        if setup.temporal:
            network = self._write("temporal.onnx", setup.temporal)
            self._settings = replace(setup.settings, temporal=network)
        self._part = self._folder / "part.parquet"

    def recognise(self, sources: Sequence[BatchSource]) -> PartReply:
        """Recognise sources; one that cannot be read is a row with its error."""
        artifact = self._recognizer.artifact
        labels, temporal = self._recognizer.classifier.labels, self._settings.temporal is not None
        with PartWriter(self._part, labels, artifact.sha256, temporal=temporal) as writer:
            for source in sources:
                self._recognise_one(source, writer)
        with self._part.open("rb") as file:
            return PartReply(self._part.stat().st_size, file.read(PIECE_BYTES), writer.results)

    def piece(self, offset: int) -> bytes:
        """Return the bytes of the part that `recognise` made last, from `offset` on."""
        with self._part.open("rb") as file:
            file.seek(offset)
            return file.read(PIECE_BYTES)

    def close(self) -> None:
        """Remove the worker's temporary files."""
        self._stack.close()

    def _open(self, setup: WorkerSetup) -> Recognizer:
        for variable, content in setup.detector_files.items():
            name = YUNET_NAME if variable == YUNET_VARIABLE else variable
            (self._folder / name).write_bytes(content)
            os.environ[variable] = str(self._folder / name)
        return Recognizer(
            self._write("network.onnx", setup.artifact),
            reading=setup.reading,
            detector=setup.detector,
            detect_size=setup.detect_size,
            threads=1,
            provider=setup.provider,
        )

    def _write(self, name: str, files: Mapping[str, bytes]) -> Path:
        """Write a network and its sidecar, by suffix; return the network's path."""
        network = self._folder / name
        for suffix, content in files.items():
            network.with_suffix(suffix).write_bytes(content)
        return network

    def _recognise_one(self, source: BatchSource, writer: PartWriter) -> None:
        started_s = time.monotonic()
        result = SourceResult.begin(source, self._recognizer.classifier.labels)
        try:
            if source.error is not None:
                raise SourceError(source.error)
            with self._local(source) as path:
                result.source_sha256 = _sha256(path, source.name)
                if source.kind == "picture":
                    self._picture(path, result, writer)
                else:
                    self._video(path, result, writer)
        except SourceError as error:
            result.state = FAILED
            result.error = str(error)
            writer.error(result)
        result.seconds = round(time.monotonic() - started_s, 3)
        writer.finish(result)

    def _picture(self, path: Path, result: SourceResult, writer: PartWriter) -> None:
        (picture,) = recognise_each(
            [path],
            self._recognizer,
            self._settings.gate,
            rotate_degrees=self._setup.rotate_degrees,
        )
        if picture.error is not None:
            # The name that was given, and not that of a copy.
            raise SourceError(str(picture.error).replace(str(path), result.source))
        result.frames = 1
        writer.faces(picture.faces, result, smooth_ms=0.0)

    def _video(self, path: Path, result: SourceResult, writer: PartWriter) -> None:
        settings = self._settings
        summary = Summary(every_ms=self._setup.every_ms)
        try:
            # One thread: more would take the cores of the other workers.
            with open_frames(
                path, rotate_degrees=self._setup.rotate_degrees, decoder_threads=1
            ) as frames:
                seen = recognise_frames(
                    _timed(frames, result),
                    self._recognizer,
                    settings,
                    every_ms=self._setup.every_ms,
                )
                for _, faces in seen:
                    result.frames += 1
                    writer.faces(faces, result, smooth_ms=settings.smooth_ms)
                    summary.add(faces)
                result.error = damage_of(frames)
        except SourceError as error:
            raise SourceError(str(error).replace(str(path), result.source)) from None
        finally:
            result.summary = _summary_columns(summary)

    @contextmanager
    def _local(self, source: BatchSource) -> Iterator[Path]:
        """The source as a file of this machine; one of an object store is copied, then removed."""
        if not source.is_remote:
            yield Path(source.location)
            return
        # Messages about a video name the file.
        copy = self._folder / "source" / PurePosixPath(source.name).name
        copy.parent.mkdir(exist_ok=True)
        try:
            filesystem, path = open_filesystem(source.location)
            try:
                with filesystem.open_input_stream(path) as stream, copy.open("wb") as file:
                    shutil.copyfileobj(stream, file, PIECE_BYTES)
            except OSError as error:
                raise SourceError(f"{source.name} cannot be read: {error}.") from None
            yield copy
        finally:
            copy.unlink(missing_ok=True)


def _timed(frames: FrameSource, result: SourceResult) -> Iterator[Frame]:
    """Give a video's frames; with each one the result gets to know how long the video is."""
    for frame in frames:
        result.duration_ms = round(frame.timestamp_ms + 1000 / frames.fps, 3)
        yield frame


class PartWriter:
    """Writes the Parquet file of some sources, a batch of rows at a time; a context manager.

    Args:
        path: The file.
        labels: What the network tells apart.
        artifact_sha256: For the rows.
        temporal: Whether a temporal network judges the videos.

    Attributes:
        results: What became of the sources, as far as they are finished.
    """

    def __init__(
        self, path: Path, labels: tuple[str, ...], artifact_sha256: str, *, temporal: bool
    ) -> None:
        import pyarrow.parquet as pa_parquet

        self.results: list[SourceResult] = []
        self._schema = part_schema(labels, temporal=temporal)
        self._common = {"mien_version": version("mien"), "artifact_sha256": artifact_sha256}
        self._rows: list[dict[str, Any]] = []
        self._file = pa_parquet.ParquetWriter(path, self._schema, compression="zstd")

    def faces(
        self, faces: Sequence[FaceEmotion], result: SourceResult, *, smooth_ms: float
    ) -> None:
        """Append the faces of a frame."""
        for face in faces:
            result.count(face)
            row = row_of(face, smooth_ms=smooth_ms, raw=False)
            row |= self._common
            row["source"], row["source_sha256"] = result.source, result.source_sha256
            self._rows.append(row)
        if len(self._rows) >= ROWS_AT_ONCE:
            self._flush()

    def error(self, result: SourceResult) -> None:
        """Append the row of a source that failed."""
        self._rows.append(
            {
                "frame": result.frames,
                "timestamp_ms": result.duration_ms,
                "track_id": 0,
                "source": result.source,
                "source_sha256": result.source_sha256,
                "error": result.error,
                **self._common,
            }
        )

    def finish(self, result: SourceResult) -> None:
        """Take down what became of a source whose rows are complete."""
        self.results.append(result)

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, *_error: object) -> None:
        self._flush()
        self._file.add_key_value_metadata({SOURCES_KEY: results_json(self.results)})
        self._file.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()


def results_json(results: Sequence[SourceResult]) -> bytes:
    """Return what became of sources as the metadata of a part hold it, under `SOURCES_KEY`."""
    return json.dumps([asdict(result) for result in results]).encode()


def part_schema(labels: tuple[str, ...], *, temporal: bool) -> Any:
    """Return the `pyarrow.Schema` of a batch's rows: those of a record, and where they are from."""
    import pyarrow as pa

    columns = columns_of(labels, raw=False, temporal=temporal)
    added = ("source", "source_sha256", "error", "mien_version", "artifact_sha256")
    schema = schema_of(columns)
    for name in added:
        schema = schema.append(pa.field(name, pa.string()))
    return schema


def _summary_columns(summary: Summary) -> dict[str, Any]:
    """What a video amounts to: how many people, for how long, and what all showed on the whole."""
    seen_ms = summary.seen_ms
    answer = summary.answer
    return {
        "people": summary.people_count,
        "frames_with_faces": summary.frames,
        "seen_ms": round(seen_ms, 3),
        "uncertain_share": round(summary.uncertain_ms / seen_ms, 4) if seen_ms else None,
        "emotion": None if answer is None else answer.emotion,
        "confidence": None if answer is None else round(answer.confidence, 4),
        "probabilities": None if answer is None else answer.probabilities.round(4).tolist(),
    }


def _sha256(path: Path, name: str) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}.") from None
