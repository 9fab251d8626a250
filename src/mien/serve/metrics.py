"""What `/metrics` shows, in Prometheus' text format.

With several workers, `PROMETHEUS_MULTIPROC_DIR` names a folder in which prometheus_client adds up
their figures; `mien serve` sets it. Nothing here carries an address, a file name or a result.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MEDIA_TYPE = CONTENT_TYPE_LATEST

_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_RECOGNITION_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Histogram(
            "mien_request_seconds",
            "Time from a request's first byte to its response's last.",
            ("method", "route", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self.recognition_seconds = Histogram(
            "mien_recognition_seconds",
            "Time to decode one picture or frame and recognise its faces, without waiting.",
            ("source",),
            buckets=_RECOGNITION_BUCKETS,
            registry=registry,
        )
        self.waiting_seconds = Histogram(
            "mien_waiting_seconds",
            "Time that a picture or frame waited for a free thread.",
            ("source",),
            buckets=_RECOGNITION_BUCKETS,
            registry=registry,
        )
        self.faces = Counter(
            "mien_faces_total", "Faces recognised in pictures and streams.", registry=registry
        )
        self.frames = Counter(
            "mien_stream_frames_total",
            "Frames of streams, by what became of them: recognised, dropped, refused or failed.",
            ("outcome",),
            registry=registry,
        )
        self.streams = Gauge(
            "mien_streams", "Open streams.", registry=registry, multiprocess_mode="livesum"
        )
        self.jobs = Counter(
            "mien_video_jobs_total",
            "Video jobs, by how they ended: done, failed or deleted.",
            ("outcome",),
            registry=registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).observe(seconds)

    def render(self) -> bytes:
        """Return all figures in Prometheus' text format, those of the other workers added."""
        if folder := os.environ.get(MULTIPROCESS_VARIABLE):
            if os.name == "posix":  # Elsewhere signal 0 is Ctrl-C.
                _forget_dead_workers(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(self._registry)


def _forget_dead_workers(folder: Path) -> None:
    """Drop the gauges of workers that have died: the streams that they had are no more."""
    for file in folder.glob("gauge_live*_*.db"):
        worker = int(file.stem.rpartition("_")[2])
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            mark_process_dead(worker, folder)  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
