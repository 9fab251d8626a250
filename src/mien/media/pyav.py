"""PyAV (`mien[video]`), where it is installed: what it opens to read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer


def has_pyav() -> bool:
    """Return whether PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def open_to_read(video: Path | str, timeout_s: float | None = None) -> InputContainer:
    """Open a video file, or one at an address.

    Args:
        video: The file's path, or the address.
        timeout_s: How long to wait for an answer; None for as long as it takes.

    Raises:
        OSError: if it cannot be opened.
        av.FFmpegError: if FFmpeg cannot read it.
    """
    import av

    # Absolute: FFmpeg takes 12:30:00.mp4 for an address.
    name = video.absolute() if isinstance(video, Path) else video
    # A title in Latin-1, as old programs write them, is no reason to refuse a video.
    return av.open(name, metadata_errors="replace", timeout=timeout_s)
