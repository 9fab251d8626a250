"""What kind of file a video is by its first bytes; its name may be any."""

from __future__ import annotations

from typing import Literal

from mien.media.matroska import HEADER

_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def container_of(head: bytes) -> Literal["mp4", "matroska", "avi"] | None:
    """Return which of three kinds a video file is.

    Args:
        head: The file's first bytes, 12 or more.

    Returns:
        `mp4` for MOV and other files of such boxes as well, `matroska` for WebM as well; None for
        any other file.
    """
    if head[4:8] in _MP4_BOXES:
        return "mp4"
    if head.startswith(HEADER):
        return "matroska"
    return "avi" if head.startswith(b"RIFF") and head[8:12] == b"AVI " else None
