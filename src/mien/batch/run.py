"""What `mien batch` does: sources through workers on Ray into one folder."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mien.batch.cluster import STARTS, Cluster, ClusterLostError, WorkerLostError
from mien.batch.folder import BatchFolder
from mien.batch.progress import BatchProgress
from mien.batch.schedule import MOST_KILLS, Schedule
from mien.batch.sources import BatchSource, find_sources
from mien.batch.worker import DONE, FAILED, SET_ASIDE, SourceResult, WorkerSetup
from mien.core.errors import MissingExtraError, OutputError, SettingError
from mien.engine.settings import EngineSettings
from mien.engine.temporal import TemporalMemory
from mien.faces.models import BLAZEFACE_VARIABLE, YUNET_VARIABLE, find_yunet
from mien.media.frames import check_rotation
from mien.media.picture_files import passed_over_line
from mien.recognizer import Recognizer


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What can be chosen about a batch.

    Attributes:
        address: `local` starts Ray here and stops it at the end; `auto` and `ray://…` join a
            cluster.
        actors: How many workers; None for one a core.
        every_ms: Of videos, look at one frame in this time; 0 at all.
        rotate_degrees: See `mien.media.frames.open_frames`.
        detect_size: See `mien.Recognizer`.
        provider: Likewise.
        summary: Write a table of a row a video as well.
        redo: Do anew what has changed or failed.
    """

    address: str = "local"
    actors: int | None = None
    every_ms: float = 0.0
    rotate_degrees: int = 0
    detect_size: str | None = None
    provider: str = "cpu"
    summary: bool = False
    redo: bool = False


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch.

    Attributes:
        done: How many sources are done.
        incomplete: How many of these are damaged, or could not be seen as a whole.
        failed: How many cannot be read.
        set_aside: How many killed their workers.
        faces: How many rows of faces there are.
    """

    done: int
    incomplete: int
    failed: int
    set_aside: int
    faces: int

    @property
    def is_whole(self) -> bool:
        """Whether all was done."""
        return not self.failed and not self.set_aside


def run_batch(
    inputs: Sequence[str],
    out: Path,
    recognizer: Recognizer,
    settings: EngineSettings,
    options: BatchOptions,
    *,
    say: Callable[[str], None],
    remark: Callable[[str], None],
) -> BatchOutcome:
    """Recognise pictures and videos on the cores of this machine or of a cluster.

    Killed at any moment, the same call goes on with what is missing. A source that cannot be read
    is a row with its error.

    Args:
        inputs: See `mien.batch.sources.find_sources`.
        out: The folder to write; see `mien.batch.folder`.
        recognizer: Which artifact, reading and detector the workers open.
        settings: How often, how calm, how sure.
        options: Where, how many, what else.
        say: Called with every line of the result.
        remark: Called with what is to be known besides, such as what was passed over.

    Raises:
        SourceError: if an input is not there.
        ModelError: if the temporal network belongs to another artifact or reading.
        OutputError: if the folder cannot be written, is in use, or was made otherwise.
        SettingError: if an option is not valid, or the cluster cannot be joined.
        MissingExtraError: if Ray or pyarrow is missing.
    """
    for package in ("ray", "pyarrow"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "batch")
    check_rotation(options.rotate_degrees)
    if not 0 <= options.every_ms < math.inf:
        raise SettingError(
            f"every_ms is {options.every_ms}; expected 0 or more milliseconds, and a finite number."
        )
    found = find_sources(inputs)
    passed_over = list(map(Path, found.passed_over))
    if line := passed_over_line(passed_over, "a picture's or video's"):
        remark(line)
    asked = _asked(recognizer, settings, options)
    setup = _setup(recognizer, settings, options)
    labels = recognizer.classifier.labels
    started_s = time.monotonic()
    with BatchFolder(out, asked, labels) as folder:
        missing = folder.begin(found.sources, redo=options.redo)
        if missing and len(missing) < len(found.sources):
            done = len(found.sources) - len(missing)
            are_done = "source is done" if done == 1 else "sources are done"
            remark(f"{done:,} {are_done}; {len(missing):,} to go.")
        try:
            if missing:
                with BatchProgress(found.sources, missing) as progress:
                    _recognise(missing, folder, setup, options, progress, remark)
        except BaseException:
            # Why it ends is what counts; the next run writes the tables again.
            with contextlib.suppress(OutputError):
                folder.write_tables(summary=options.summary)
            raise
        folder.write_tables(summary=options.summary)
        outcome = _outcome(folder)
    say(_told(outcome, time.monotonic() - started_s, out))
    return outcome


def _recognise(
    missing: Sequence[BatchSource],
    folder: BatchFolder,
    setup: WorkerSetup,
    options: BatchOptions,
    progress: BatchProgress,
    remark: Callable[[str], None],
) -> None:
    """Work off the missing sources; Ray is started anew where it is killed on this machine."""
    left = {source.name: source for source in missing}
    # Of those that are missing, it has what was set aside before.
    alone = folder.names()

    def take_in(results: Sequence[SourceResult]) -> None:
        progress.add(results)
        for result in results:
            del left[result.source]

    for _ in range(STARTS):
        try:
            with Cluster(options.address, options.actors, setup, remark) as cluster:
                _work(cluster, Schedule(list(left.values()), cluster.size, alone), folder, take_in)
                return
        except ClusterLostError:
            if options.address != "local":
                break
    raise SettingError(
        "Ray stopped on this machine. What was done is kept; the same command goes on."
    )


def _work(
    cluster: Cluster,
    schedule: Schedule,
    folder: BatchFolder,
    take_in: Callable[[Sequence[SourceResult]], None],
) -> None:
    """Keep every worker busy until nothing waits; `take_in` is given what became of sources."""
    while True:
        while cluster.has_idle_worker and (task := schedule.take()):
            cluster.give(task)
        if not cluster.is_busy and not schedule.is_waiting:
            return
        finished = cluster.wait()
        if finished is None:
            continue
        worker, task = finished
        try:
            reply = cluster.take_reply(worker)
            folder.write_part(reply.results, reply.size_bytes, cluster.pieces(worker, reply))
            take_in(reply.results)
        except WorkerLostError as lost:
            if not lost.is_to_blame:
                schedule.put_back(task)
            elif (source := schedule.blame(task)) is not None:
                told = f"{source.name} was set aside: {MOST_KILLS} workers died of it. {lost}"
                take_in([folder.set_aside(source, told)])


def _setup(recognizer: Recognizer, settings: EngineSettings, options: BatchOptions) -> WorkerSetup:
    onnx = recognizer.artifact.onnx_path
    files: dict[str, bytes] = {}
    detector = recognizer.detector.name
    if detector == "yunet" and (yunet := find_yunet()) is not None:
        files[YUNET_VARIABLE] = yunet.read_bytes()
    if detector == "mediapipe":
        files[BLAZEFACE_VARIABLE] = Path(os.environ[BLAZEFACE_VARIABLE]).expanduser().read_bytes()
    return WorkerSetup(
        mien_version=version("mien"),
        artifact=_pair(onnx),
        temporal={} if settings.temporal is None else _pair(settings.temporal),
        detector_files=files,
        reading=recognizer.classifier.reading_name,
        detector=detector,
        detect_size=options.detect_size,
        provider=options.provider,
        rotate_degrees=options.rotate_degrees,
        every_ms=options.every_ms,
        settings=settings,
    )


def _pair(onnx: Path) -> dict[str, bytes]:
    """A network and its sidecar, by suffix."""
    return {path.suffix: path.read_bytes() for path in (onnx, onnx.with_suffix(".json"))}


def _temporal_sha256(recognizer: Recognizer, settings: EngineSettings) -> str | None:
    """Which temporal network judges the videos, after seeing that it can."""
    if settings.temporal is None:
        return None
    return TemporalMemory(settings.temporal, recognizer.classifier).network_sha256


def _asked(
    recognizer: Recognizer, settings: EngineSettings, options: BatchOptions
) -> dict[str, Any]:
    """What the rows depend on."""
    return {
        "mien_version": version("mien"),
        "artifact_sha256": recognizer.artifact.sha256,
        "reading": recognizer.classifier.reading_name,
        "labels": list(recognizer.classifier.labels),
        "detector": recognizer.detector.name,
        "detect_size": options.detect_size,
        "rotate_degrees": options.rotate_degrees,
        "every_ms": options.every_ms,
        **asdict(settings),
        # JSON has no infinity, which switches a limit off.
        "gate": {
            name: limit if math.isfinite(limit) else str(limit)
            for name, limit in asdict(settings.gate).items()
        },
        "temporal": _temporal_sha256(recognizer, settings),
    }


def _outcome(folder: BatchFolder) -> BatchOutcome:
    results = list(folder.results())
    states = Counter(result.state for result in results)
    faces = sum(result.faces for result in results)
    incomplete = sum(result.is_incomplete for result in results)
    return BatchOutcome(states[DONE], incomplete, states[FAILED], states[SET_ASIDE], faces)


def _told(outcome: BatchOutcome, seconds: float, out: Path) -> str:
    parts = [f"{outcome.done:,} done"]
    if outcome.incomplete:
        parts.append(f"{outcome.incomplete:,} of them incomplete")
    if outcome.failed:
        parts.append(f"{outcome.failed:,} could not be read")
    if outcome.set_aside:
        parts.append(f"{outcome.set_aside:,} set aside")
    count = outcome.done + outcome.failed + outcome.set_aside
    sources = f"{count:,} source{'' if count == 1 else 's'}"
    faces = f"{outcome.faces:,} face{'' if outcome.faces == 1 else 's'}"
    return f"{sources}: {', '.join(parts)}; {faces}. This took {seconds:.0f} s. Wrote {out}"
