"""Reading, finding, judging and showing at the same time.

Three threads work on three successive frames while the caller shows a fourth:

    source ──► reader ──► [queue] ──► locator ──► [queue] ──► judge ──► [queue] ──► the caller

The queues are short, so that memory stays flat however long the video is. Frames of a file wait
their turn, and each one has its result. A camera does not wait: where the engine falls behind, the
newest frame takes the place of those that nobody has looked at yet, and where the caller does, the
newest result takes the place of those that nobody has taken. What goes wrong in a thread is
raised in the caller's loop, after the results of the frames before it.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import Artifact
from mien.core.errors import MienError, SourceError
from mien.core.types import FaceEmotion
from mien.engine.reconnect import LastingSource, make_lasting
from mien.engine.settings import EngineSettings, settings_of
from mien.engine.stages import EmotionJudge, FaceLocator, LocatedFrame
from mien.faces.detect import Detector
from mien.media.frames import Frame, FrameSource, Source, open_frames
from mien.recognizer import Recognizer

_QUEUE_FRAMES = 2
_JOIN_S = 2.0  # a camera or stream that hangs in a read is left to its thread after so long

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class FrameFaces(Sequence[FaceEmotion]):
    """The faces of one frame, by their number: a sequence of `FaceEmotion`.

    Attributes:
        frame: The frame; its picture may be drawn into.
        faces: The results.
        latency_ms: From the moment that the frame was read to the moment that this was handed out.
    """

    frame: Frame
    faces: tuple[FaceEmotion, ...]
    latency_ms: float

    @property
    def image_bgr(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8, BGR: the frame's picture."""
        return self.frame.image_bgr

    @property
    def timestamp_ms(self) -> float:
        """The frame's time in its source, in milliseconds."""
        return self.frame.timestamp_ms

    @overload
    def __getitem__(self, index: int) -> FaceEmotion: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[FaceEmotion, ...]: ...

    def __getitem__(self, index: int | slice) -> FaceEmotion | tuple[FaceEmotion, ...]:
        """The face or faces at `index`."""
        return self.faces[index]

    def __len__(self) -> int:
        """How many faces there are."""
        return len(self.faces)


class EmotionStream:
    """The results of a source, frame after frame; iterate over it once.

    It may be used in a `with`; leaving its loop early closes it as well.

    Args:
        source: An opened source; closed with this.
        recognizer: Finds and classifies; used by no one else meanwhile.
        settings: How often, how calm, how sure.

    Raises:
        ModelError: if the temporal network of `settings` is not usable, or belongs to another
            face artifact.
        SettingError: if the settings are something else.

    Attributes:
        source: The source: its `name`, `fps`, `frame_count`, `is_live`.
        recognizer: What finds and classifies.
    """

    def __init__(
        self, source: FrameSource, recognizer: Recognizer, settings: EngineSettings | None = None
    ) -> None:
        self.source = source
        self.recognizer = recognizer
        settings = settings_of(settings)
        self._locator = FaceLocator(recognizer, settings)
        self._judge = EmotionJudge(recognizer, settings)
        self._queues: list[_Queue[Any]] = []
        self._threads: list[threading.Thread] = []

    def __iter__(self) -> Iterator[FrameFaces]:
        """Start the threads and hand out each frame with its faces, in order.

        Raises:
            SourceError: if the source breaks off, after what came before; at once, if the stream
                has been iterated over before.
        """
        for faces in self.polled(None):
            if faces is not None:
                yield faces

    def polled(self, every_s: float | None) -> Iterator[FrameFaces | None]:
        """Like iterating, with None in between whenever nothing came for a while.

        Args:
            every_s: How long to wait for a frame before None is handed out, in seconds; a window
                that has to stay alive needs that. None never hands out None.
        """
        if self._threads:
            raise SourceError(
                f"The results of {self.source.name} have been handed out already: a stream can be "
                "iterated over once. Open it again, or keep them with list(stream)."
            )

        is_live = self.source.is_live
        size = 1 if is_live else _QUEUE_FRAMES
        # A stream that is still open when Python exits would be torn down in the midst of a call.
        atexit.register(self.close)
        frames = self._start("reader", self._read(), _Queue(size, is_live))
        # Nothing is dropped in between: what is located must be judged before its next turn.
        located = self._start("locator", self._locate(frames), _Queue(size, False))
        judged = self._start("judge", self._decide(located), _Queue(size, is_live))
        try:
            for item in judged.polled(every_s):
                if item is None:
                    yield None
                    continue
                read_s, frame, faces = item
                latency_ms = (time.monotonic() - read_s) * 1000
                yield FrameFaces(frame, tuple(faces), latency_ms)
        finally:
            self.close()

    def close(self) -> None:
        """Stop the threads and release the source; once more does nothing."""
        atexit.unregister(self.close)
        if isinstance(self.source, LastingSource):
            self.source.stop_waiting()
        for queue in self._queues:
            queue.abandon()
        for thread in self._threads:
            thread.join(_JOIN_S)
        if not self._threads:
            self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _read(self) -> Iterator[tuple[float, Frame]]:
        # The reader's thread closes what it reads: OpenCV must not be closed in mid-read.
        with self.source:
            for frame in self.source:
                yield time.monotonic(), frame

    # Unlike map(), a generator ends in an error where what it calls raises StopIteration.
    def _locate(
        self, frames: Iterable[tuple[float, Frame]]
    ) -> Iterator[tuple[float, LocatedFrame]]:
        for read_s, frame in frames:
            yield read_s, self._locator.locate(frame)

    def _decide(
        self, located: Iterable[tuple[float, LocatedFrame]]
    ) -> Iterator[tuple[float, Frame, list[FaceEmotion]]]:
        for read_s, found in located:
            yield read_s, found.frame, self._judge.judge(found)

    def _start(self, name: str, items: Iterable[Item], queue: _Queue[Item]) -> _Queue[Item]:
        """Run through `items` in a thread of its own; return them as they come, in the queue."""
        thread = threading.Thread(
            target=_fill, args=(queue, items), name=f"mien-{name}", daemon=True
        )
        self._queues.append(queue)
        self._threads.append(thread)
        thread.start()
        return queue


def stream(
    source: Source = None,
    *,
    artifact: str | Path | Artifact | None = None,
    reading: str | None = None,
    detector: str | Detector = "auto",
    threads: int | None = 1,
    provider: str = "cpu",
    detect_size: int | str | None = None,
    settings: EngineSettings | None = None,
    on_lost: Callable[[str], None] | None = None,
    rotate_degrees: int = 0,
) -> EmotionStream:
    """Recognise emotions in a camera, video file, stream, picture, folder or frames of your own.

        for faces in mien.stream("clip.mp4"):
            for face in faces:
                print(faces.timestamp_ms, face.track_id, face.emotion, face.confidence)

    Args:
        source: See `mien.media.frames.open_frames`; None is camera 0. Frames of your own are pairs
            of (timestamp_ms, image), which a generator may give as they come: one of the threads
            takes the next as soon as there is room. None is dropped; the generator is closed with
            the rest.
        artifact: A network in ONNX with its sidecar; None for the one that ships with mien.
        reading: Name of one of the artifact's readings; None for its default. See `Recognizer`.
        detector: A detector, or its name; see `mien.faces.detect.DETECTORS`.
        threads: How many threads ONNX Runtime may use. One is best on two cores: the other one
            reads, finds and shows meanwhile.
        provider: What ONNX Runtime runs on: `cpu`, `cuda`, …
        detect_size: See `Recognizer`.
        settings: How often to detect and classify, how calm, how sure.
        on_lost: Called with one line when a camera or stream breaks off and is to be tried again.
        rotate_degrees: See `open_frames`.

    Returns:
        The results, frame after frame; everything is closed at the end, when the loop is left and
        at the end of a `with`.

    Raises:
        SourceError: if there is no such source; while iterating, if it breaks off.
        DataError: while iterating, if a detector of your own gives something else than faces.
        ModelError: if the artifact or detector is not usable.
        SettingError: if an option is not valid, or the settings are no `EngineSettings`.
    """
    recognizer = Recognizer(
        artifact,
        reading=reading,
        detector=detector,
        threads=threads,
        provider=provider,
        detect_size=detect_size,
    )
    opened = open_frames(source, rotate_degrees=rotate_degrees)
    opened = make_lasting(opened, source, on_lost, rotate_degrees=rotate_degrees)
    try:
        return EmotionStream(opened, recognizer, settings)
    except MienError:
        opened.close()
        raise


class _Queue(Generic[Item]):
    """A short queue from one thread to another that either side can end.

    Args:
        size: How many items may wait.
        keeps_newest: Drop the oldest item where there is no room, instead of waiting for it.
    """

    def __init__(self, size: int, keeps_newest: bool) -> None:
        self._items: deque[Item] = deque()
        self._size = size
        self._keeps_newest = keeps_newest
        self._changed = threading.Condition()
        self._is_complete = False
        self._is_abandoned = False
        self._error: BaseException | None = None

    def put(self, item: Item) -> bool:
        """Append an item, when there is room; False if nobody wants it any more."""
        with self._changed:
            if self._keeps_newest and len(self._items) == self._size:
                self._items.popleft()
            self._changed.wait_for(lambda: len(self._items) < self._size or self._is_abandoned)
            if not self._is_abandoned:
                self._items.append(item)
                self._changed.notify_all()
            return not self._is_abandoned

    def complete(self, error: BaseException | None = None) -> None:
        """Say that no more comes, and why if something went wrong."""
        with self._changed:
            self._is_complete = True
            self._error = error
            self._changed.notify_all()

    def abandon(self) -> None:
        """Say that no more is wanted, and let go of what waits."""
        with self._changed:
            self._is_abandoned = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        for item in self.polled(None):
            if item is not None:
                yield item

    def polled(self, every_s: float | None) -> Iterator[Item | None]:
        """The items as they come, and None whenever nothing came for so many seconds."""
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._items or self._is_complete or self._is_abandoned, every_s
                )
                if self._is_abandoned or (self._is_complete and not self._items):
                    break
                item = self._items.popleft() if self._items else None
                self._changed.notify_all()
            yield item
        if self._error is not None and not self._is_abandoned:
            raise self._error


def _fill(queue: _Queue[Item], items: Iterable[Item]) -> None:
    try:
        for item in items:
            if not queue.put(item):
                break
    except BaseException as error:  # Whatever it is, it is the caller's to see.
        queue.complete(error)
    else:
        queue.complete()
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
