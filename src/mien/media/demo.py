"""The bundled video, which takes the webcam's place where nobody named one and there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mien.core.errors import SourceError
from mien.core.sidecar import bundled
from mien.media.frames import FrameSource, open_frames


def demo_video() -> Path:
    """Return the path of the bundled video."""
    return bundled("demo.mp4")


def open_frames_or_demo(
    source: int | str | Path | None, say: Callable[[str], None], *, rotate_degrees: int = 0
) -> tuple[FrameSource, int | str | Path | None]:
    """Open a source; where none was named and there is no camera 0, the bundled video.

    A camera that was named is never taken for another source.

    Args:
        source: See `mien.media.frames.open_frames`.
        say: Called with a line for the user if the bundled video takes over.
        rotate_degrees: See `mien.media.frames.open_frames`.

    Returns:
        The opened source, and what it was opened from.

    Raises:
        SourceError: if the source cannot be opened.
    """
    try:
        return open_frames(source, rotate_degrees=rotate_degrees), source
    except SourceError:
        if source is not None:
            raise
    say(
        "No webcam can be opened (none is there, another program holds it, or this one is not "
        "allowed to): using the bundled video instead."
    )
    return open_frames(demo_video(), rotate_degrees=rotate_degrees), demo_video()
