"""How long the picture of a video at an address is by itself, as PyAV (`mien[video]`) tells it."""

from __future__ import annotations

import re

from mien.media.pyav import has_pyav, open_to_read

_HOURS_MINUTES_SECONDS = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def picture_ms(address: str, timeout_s: float) -> float | None:
    """Return how long the picture lasts, in milliseconds, without sound that goes on behind it.

    Args:
        address: That of an MP4, MOV, Matroska or WebM file; it is opened anew.
        timeout_s: How long to wait for an answer.

    Returns:
        None where that cannot be told: the file does not state it or does not answer any more, it
        is of another kind, or PyAV is not installed.
    """
    if not has_pyav():
        return None
    import av

    try:
        with open_to_read(address, timeout_s) as file:
            picture = file.streams.video[0]
            start, length, base = picture.start_time, picture.duration, picture.time_base
            kind, end = file.format.name, picture.metadata.get("DURATION", "")
    except (OSError, IndexError, av.FFmpegError):
        return None
    if base is None:
        return None
    # Of other files, FFmpeg guesses the length from the number of bytes.
    if "mp4" in kind:
        return None if length is None else float(length * base * 1000)
    stated = _HOURS_MINUTES_SECONDS.match(end)
    if stated is None or "matroska" not in kind:
        return None
    hours, minutes, seconds = map(float, stated.groups())
    return (hours * 3600 + minutes * 60 + seconds - float((start or 0) * base)) * 1000
