"""Snapshots of a run on disk: whole and synced, the newest two, damaged ones passed over.

A snapshot is a folder `epoch_0007/`, with more digits from epoch 10,000 on. It is written under
another name, with a list of the SHA-256 of its files, synced to the disk, and renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mien.core.errors import ModelError
from mien.core.files import hash_file

KEPT = 2
"""So many of the newest snapshots are kept: the one before, should a disk damage the newest."""

_CHECKSUMS = "sha256.json"


@contextlib.contextmanager
def new_snapshot(directory: Path, epoch: int) -> Iterator[Path]:
    """Make the snapshot of an epoch: a folder to write to, which takes its name when it is whole.

    Args:
        directory: The folder of the snapshots.
        epoch: How many epochs it holds.
    """
    partial = directory / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    seal_snapshot(partial)
    final = directory / f"epoch_{epoch:04d}"
    # A damaged one may lie there, that the run has passed over.
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    _sync(directory)
    for old in _snapshots(directory)[:-KEPT]:
        shutil.rmtree(old)


def seal_snapshot(folder: Path) -> None:
    """Write the list of a snapshot's files with their SHA-256, and see all of it onto the disk."""
    files = [path for path in sorted(folder.iterdir()) if path.name != _CHECKSUMS]
    checksums = {path.name: hash_file(path) for path in files}
    (folder / _CHECKSUMS).write_text(json.dumps(checksums, indent=1), encoding="utf-8")
    for path in (*files, folder / _CHECKSUMS, folder):
        _sync(path)


def newest_snapshot(directory: Path) -> Path | None:
    """Return the folder of the newest whole snapshot in `directory`, None if there is none at all.

    Raises:
        ModelError: if there are snapshots, and all are damaged.
    """
    snapshots = _snapshots(directory)
    whole = [snapshot for snapshot in snapshots if _is_whole(snapshot)]
    if snapshots and not whole:
        raise ModelError(
            f"{snapshots[-1]} is damaged, and there is no older snapshot to go on from: start "
            "afresh with --restart."
        )
    return whole[-1] if whole else None


def newest_of(*directories: Path) -> Path | None:
    """Return the newest whole snapshot of several folders, of equals the first; None if all lack.

    Raises:
        ModelError: if there are snapshots, and all are damaged.
    """
    newest, damage = None, None
    for directory in directories:
        try:
            snapshot = newest_snapshot(directory)
        except ModelError as error:
            damage = error
            continue
        if epochs_of(snapshot) > epochs_of(newest):
            newest = snapshot
    if newest is None and damage is not None:
        raise damage
    return newest


def damaged_snapshots(directory: Path) -> list[Path]:
    """Return the snapshots whose files are not those that were written."""
    return [snapshot for snapshot in _snapshots(directory) if not _is_whole(snapshot)]


def epochs_of(snapshot: Path | None) -> int:
    """Return how many epochs a snapshot holds; 0 for None."""
    return int(snapshot.name.removeprefix("epoch_")) if snapshot else 0


def _snapshots(directory: Path) -> list[Path]:
    found = (path for path in directory.glob("epoch_*") if path.name[len("epoch_") :].isdecimal())
    return sorted(found, key=epochs_of)


def _is_whole(snapshot: Path) -> bool:
    try:
        checksums = json.loads((snapshot / _CHECKSUMS).read_text(encoding="utf-8"))
        return all(hash_file(snapshot / name) == sha256 for name, sha256 in checksums.items())
    except FileNotFoundError:
        # Up to mien 0.2 a snapshot had no list. A run may replace one meanwhile.
        return not (snapshot / _CHECKSUMS).exists() and (snapshot / "state.json").is_file()
    except (OSError, ValueError, AttributeError):
        return False


def _sync(path: Path) -> None:
    # Windows syncs no folders.
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
