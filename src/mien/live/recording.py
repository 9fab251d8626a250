"""What the key `r` keeps: the annotated video and its record, from one press to the next."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.engine.pipeline import FrameFaces
from mien.media.sink import VideoSink, open_new_video
from mien.record.write import RecordOutputs, RecordWriter


class Recording:
    """Writes `NAME_DATE-TIME.mp4` and `.csv` while it is told to; a context manager.

    Each recording has files of its own: one that would take the place of another gets a number.
    Both count frames and time from its first frame.

    Args:
        folder: Where the files go; it is made where it is missing.
        name: How their names begin.
        fps: Frames a second of the video.
        labels: What the network tells apart.
        smooth_ms: What the probabilities were smoothed with.
        temporal: Whether a temporal network says what the faces show.
        raw: Whether the probabilities before smoothing stand in the record as well.
        say: Called with a line for each recording that is done.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        fps: float,
        *,
        labels: tuple[str, ...],
        smooth_ms: float,
        temporal: bool = False,
        raw: bool = False,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._name = name
        self._fps = fps
        self._labels = labels
        self._smooth_ms = smooth_ms
        self._temporal = temporal
        self._raw = raw
        self._say = say
        self._open: ExitStack | None = None
        self._video: VideoSink | None = None
        self._record: RecordWriter | None = None
        self._begun: tuple[int, float] | None = None  # number and time of the first frame

    @property
    def is_on(self) -> bool:
        """Whether it has begun and not ended."""
        return self._open is not None

    def follow(self, *, is_wanted: bool) -> None:
        """Begin or end the recording, if it is not yet as wanted."""
        if is_wanted and self._open is None:
            self._begin()
        elif not is_wanted:
            self.close()

    def write(self, faces: FrameFaces, annotated_bgr: NDArray[np.uint8]) -> None:
        """Append a frame, if the recording is on.

        Args:
            faces: The frame's faces.
            annotated_bgr: (H, W, 3) uint8: its picture as it is to be kept; not to be changed
                afterwards.
        """
        if self._video is None or self._record is None:
            return
        if self._begun is None:
            self._begun = faces.frame.index, faces.timestamp_ms
        first, begun_ms = self._begun
        self._video.write_at(annotated_bgr, faces.timestamp_ms - begun_ms)
        self._record.write(
            replace(face, frame=face.frame - first, timestamp_ms=face.timestamp_ms - begun_ms)
            for face in faces
        )

    def close(self) -> None:
        """End the recording; once more does nothing."""
        opened, video, begun = self._open, self._video, self._begun
        self._open = self._video = self._record = self._begun = None
        if opened is None or video is None:
            return
        opened.close()
        if begun is None:  # Nothing came: there is no video, and the record has a header alone.
            video.path.with_suffix(".csv").unlink(missing_ok=True)
        elif video.path.exists():
            self._say(f"Wrote {video.path} and {video.path.with_suffix('.csv').name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _begin(self) -> None:
        names = (
            name for name in dated_names(self._name) if not (self._folder / f"{name}.csv").exists()
        )
        self._open = ExitStack()
        # First, for it keeps the name for both.
        self._video = self._open.enter_context(open_new_video(self._folder, names, self._fps))
        self._record = self._open.enter_context(
            RecordWriter(
                self._labels,
                RecordOutputs(csv=self._video.path.with_suffix(".csv"), raw=self._raw),
                smooth_ms=self._smooth_ms,
                temporal=self._temporal,
            )
        )


def dated_names(name: str) -> Iterator[str]:
    """Yield `NAME_DATE-TIME`, then, for where that is taken, the same with numbers, without end."""
    dated = f"{name}_{time.strftime('%Y%m%d-%H%M%S')}"
    yield dated
    for number in itertools.count(2):
        yield f"{dated}-{number}"
