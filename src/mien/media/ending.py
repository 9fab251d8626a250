"""Whether a video that gives no more frames is at its end, by what its file says of its length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.media.edit_list import missing_of_last_box, shown_ms
from mien.media.matroska import missing_bytes
from mien.media.picture_length import picture_ms


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a video.

    Attributes:
        frames: How many frames there were; at least one.
        last_ms: The time of the last one, in milliseconds.
        fps: The video's frames a second.
        expected: How many frames there should have been, at the rate of `fps`; 0 for any.
    """

    frames: int
    last_ms: float
    fps: float
    expected: int

    @property
    def end_ms(self) -> float:
        """When the last frame ended."""
        return self.last_ms + 1000 / self.fps

    @property
    def whole_ms(self) -> float:
        """How long the video should have been."""
        return self.expected * 1000 / self.fps


def why_file_is_short(seen: Seen, path: Path, *, states_length: bool) -> str | None:
    """Return in words where a file breaks off and why, None where nothing says that it does.

    Args:
        seen: What came of it.
        path: The file.
        states_length: Whether it says how long its video is, as MP4, MOV and AVI do.
    """
    missing = missing_bytes(path) or (0 if states_length else missing_of_last_box(path))
    if missing:
        return (
            f"breaks off after frame {seen.frames} ({seen.last_ms / 1000:.1f} s): the file is "
            f"truncated, {missing:,} bytes are missing at its end. The frames before were used; "
            "copy it again for the rest."
        )
    if not states_length or not _is_much_less(seen.frames * 1000 / seen.fps, seen.whole_ms):
        return None
    # Frames are missing at the end, or at damaged spots, or are hidden by an edit list.
    if not _is_much_less(seen.end_ms, shown_ms(path) or seen.whole_ms):
        return None
    return _broken(seen, seen.expected, "the file is truncated or damaged", "copy it again")


def why_address_is_short(seen: Seen, address: str, timeout_s: float) -> str | None:
    """Return in words where what comes over a connection breaks off, None where it is whole.

    Args:
        seen: What came of it.
        address: That of the video; it is asked once more where the length alone leaves it open.
        timeout_s: How long to wait for an answer.
    """
    if not _is_much_less(seen.end_ms, seen.whole_ms):
        return None
    # The length is that of all that is in the file: sound may go on behind the picture, and an
    # edit list may hide frames.
    length_ms = picture_ms(address, timeout_s)
    if length_ms is None:
        return (
            f"ends after frame {seen.frames} of {seen.expected} ({seen.end_ms / 1000:.1f} s of "
            f"{seen.whole_ms / 1000:.1f} s): the connection broke off, or what comes after is "
            "sound alone or frames that an edit hides. Which one cannot be told over this "
            "connection; download the video and use the file to be sure. The frames before were "
            "used."
        )
    if not _is_much_less(seen.end_ms, length_ms):
        return None
    expected = round(length_ms * seen.fps / 1000)
    return _broken(
        seen,
        expected,
        "the connection broke off, or the file at its other end is truncated or damaged",
        "download it and use the file",
    )


def _broken(seen: Seen, expected: int, reason: str, advice: str) -> str:
    return (
        f"breaks off after frame {seen.frames} of {expected} ({seen.last_ms / 1000:.1f} s): "
        f"{reason}. The frames before were used; {advice} for the rest."
    )


def _is_much_less(found_ms: float, expected_ms: float) -> bool:
    return found_ms < 0.9 * expected_ms and expected_ms - found_ms > 500
