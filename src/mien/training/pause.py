"""A run's newest snapshot, small enough to be carried elsewhere or committed.

A snapshot in `state/` is exact and large. `pause_run` copies it to `paused/` with its large arrays
in float16, those of the optimizer apart (Adam's second moments are smaller than any float16): good
for going on with the run, though no longer to the last bit. What teachers answered goes with it.
`take_up_run` puts it back where a run has no newer snapshot of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.training.run_folder import RunFolder
from mien.training.snapshots import newest_of, newest_snapshot, seal_snapshot

_SMALL = 10_000
"""Arrays up to this size stay in float32: biases, and the statistics of batch normalization."""


def pause_run(run: RunFolder) -> Path:
    """Copy the newest snapshot of a run in half precision to `paused/`.

    Returns:
        The folder of the copy.

    Raises:
        ModelError: if the run has no snapshot.
    """
    partial = run.path / "partial"
    copy = _copy_newest(run.state, partial)
    for path in copy.iterdir():
        if path.suffix == ".npz":
            _halve_npz(path)
        elif path.suffix == ".h5":
            _halve_h5(path)
    seal_snapshot(copy)
    if run.answers.exists():
        shutil.copyfile(run.answers, partial / run.answers.name)
    shutil.rmtree(run.paused, ignore_errors=True)
    partial.rename(run.paused)
    return run.paused / copy.name


def _copy_newest(state: Path, folder: Path) -> Path:
    """Copy the newest snapshot into `folder`, made again; a run may replace it meanwhile."""
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        snapshot = newest_snapshot(state)
        if snapshot is None:
            raise ModelError(
                f"{state} holds no snapshot: expected the folder of a run that has trained an "
                "epoch and has not finished."
            )
        try:
            return shutil.copytree(snapshot, folder / snapshot.name)
        except (FileNotFoundError, shutil.Error):
            if snapshot.exists():
                raise


def take_up_run(run: RunFolder) -> None:
    """Let a run go on from `paused/` where that holds more epochs than its own newest snapshot.

    What teachers answered is taken up without a snapshot, too.
    """
    if run.paused_answers.exists() and not run.answers.exists():
        run.state.mkdir(parents=True, exist_ok=True)
        partial = run.answers.with_suffix(".partial")
        shutil.copyfile(run.paused_answers, partial)
        partial.replace(run.answers)
    paused = newest_of(run.state, run.paused)
    if paused is None or paused.parent == run.state:
        return
    # Under another name until it is complete, as RunState writes its own.
    partial = run.state / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(paused, partial)
    # One of its name that is damaged makes way.
    shutil.rmtree(run.state / paused.name, ignore_errors=True)
    partial.rename(run.state / paused.name)


def _halve(array: NDArray[np.generic]) -> NDArray[np.generic]:
    large = array.dtype == np.float32 and array.size > _SMALL
    return array.astype(np.float16) if large else array


def _halve_npz(path: Path) -> None:
    with np.load(path) as arrays:
        halved: dict[str, Any] = {name: _halve(arrays[name]) for name in arrays.files}
    np.savez_compressed(path, **halved)


def _halve_h5(path: Path) -> None:
    """Rewrite a Keras weights file; `load_weights` turns the values back into float32."""
    halved = path.with_suffix(".halved")
    with h5py.File(path) as source, h5py.File(halved, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                array = item[()] if name.startswith("optimizer/") else _halve(item[()])
                # A scalar cannot be compressed.
                copied = target.create_dataset(
                    name, data=array, compression="gzip" if array.shape else None
                )
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    halved.replace(path)
