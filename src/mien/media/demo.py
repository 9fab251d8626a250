"""The bundled video, which takes the webcam's place where there is none."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from mien.core.errors import SourceError
from mien.media.frames import FrameSource, camera_index, open_frames


def demo_video() -> Path:
    """Return the path of the bundled video."""
    return Path(str(resources.files("mien"))) / "assets" / "demo.mp4"


def open_frames_or_demo(
    source: int | str | Path | None, say: Callable[[str], None], *, rotate_degrees: int = 0
) -> tuple[FrameSource, str | Path]:
    """Open a source; where that is camera 0 and there is none, the bundled video.

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
        return open_frames(source, rotate_degrees=rotate_degrees), str(source)
    except SourceError:
        if camera_index(source) != 0:
            raise
    say(
        "No webcam can be opened (none is there, another program holds it, or this one is not "
        "allowed to): using the bundled video instead."
    )
    return open_frames(demo_video()), demo_video()
