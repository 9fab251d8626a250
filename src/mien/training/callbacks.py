"""What keeps a run whole: its state on disk, the epoch told to the batches, and the progress line.

Keras' own `BackupAndRestore` saves the weights, the optimizer and the epoch. EarlyStopping,
ReduceLROnPlateau and ModelCheckpoint forget their best on a resume, so that a worse epoch can
overwrite the best file, and its write is not atomic. `RunState` saves all of it as one snapshot.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError, OutputError
from mien.core.files import write_atomically
from mien.training.batches import FaceBatches
from mien.training.run_folder import RunFolder
from mien.training.snapshots import epochs_of, new_snapshot, newest_snapshot
from mien.training.weight_average import WeightAverage

_OVERHEAD_BYTES = 1_000_000
"""What a file of weights takes besides its numbers, and more."""


def free_bytes(folder: Path) -> int | None:
    """Return the room where a folder is or will be; None where a file system tells no figures."""
    disk = shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists()))
    return disk.free if disk.total else None


@contextlib.contextmanager
def writing(what: str, epoch: int, folder: Path, least_bytes: int = 0) -> Iterator[None]:
    """Say what an epoch could not write, and how to go on, where the disk is full.

    Args:
        what: What is written, such as "The log".
        epoch: From 0.
        folder: Where to.
        least_bytes: The room that is asked for before: HDF5 may end the process where the disk is
            full in the middle of a file.

    Raises:
        OutputError: where there is less room, and for an error of the system or of h5py.
    """
    free = free_bytes(folder)
    try:
        if free is not None and free < least_bytes:
            raise OSError(errno.ENOSPC, f"{least_bytes / 1e6:,.0f} MB are needed")
        yield
    except (OSError, RuntimeError) as error:
        # h5py raises both where a disk is full.
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        left = "" if free is None else f"; {free / 1e6:,.0f} MB were free"
        raise OutputError(
            f"{what} of epoch {epoch + 1} cannot be written to {folder} "
            f"({said.splitlines()[0]}{left}). Make room and give the same command: the run goes on "
            "from the epoch before."
        ) from error


def _bytes_of(variables: Sequence[keras.Variable]) -> int:
    return _OVERHEAD_BYTES + 4 * sum(math.prod(variable.shape) for variable in variables)


class BestAccuracy(keras.callbacks.ModelCheckpoint):
    """Keep the weights of the epoch with the highest validation accuracy.

    What is half-written of an epoch that breaks off is written again when that epoch is repeated.
    """

    def __init__(self, path: Path) -> None:
        """Write to `path`, a file whose name ends with `.weights.h5`."""
        super().__init__(
            # Keras puts the epoch and figures where a name has braces; this one is kept as it is.
            str(path).replace("{", "{{").replace("}", "}}"),
            monitor="val_accuracy",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
        )
        self._folder = path.parent
        # It saves after epochs only, but could after steps: each would wait for its figures.
        self.async_safe = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the weights if this epoch has the highest accuracy so far."""
        with writing("The best weights", epoch, self._folder, _bytes_of(self.model.weights)):
            super().on_epoch_end(epoch, logs)


# Keras resets these in on_train_begin; without them a resumed run would choose another epoch.
_STATE_OF_CALLBACK: dict[type[keras.callbacks.Callback], tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    BestAccuracy: ("best",),
    WeightAverage: (),
}
_ARRAYS_OF_CALLBACK: dict[type[keras.callbacks.Callback], str] = {
    keras.callbacks.EarlyStopping: "best_weights",
    WeightAverage: "average",
}


class RunState(keras.callbacks.Callback):
    """Save the whole state of a run after each epoch, and restore it before the first.

    The table of epochs is written from the same history, so that both tell the same.

    A snapshot (`mien.training.snapshots`) holds the weights and the optimizer, the state of the
    other callbacks, the best weights so far, the seeds of dropout, and the history. Batches and
    augmentation need no state: they follow from the seed and the epoch. Must be the last of the
    callbacks that change the model.
    """

    def __init__(self, run: RunFolder, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Keep snapshots of a run, with the state of those of `callbacks` that have one."""
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self._directory = run.state
        self._table = run.epochs_table
        self._stateful = [
            callback for callback in callbacks if type(callback) in _STATE_OF_CALLBACK
        ]
        self._epoch_started = 0.0

    @property
    def epochs_done(self) -> int:
        """How many epochs the newest snapshot holds, 0 if there is none."""
        return epochs_of(newest_snapshot(self._directory))

    @property
    def stopped_early(self) -> bool:
        """Whether the newest snapshot is that of a run which early stopping has ended."""
        newest = newest_snapshot(self._directory)
        if newest is None:
            return False
        return any(values.get("stopped_epoch", 0) > 0 for values in _state_of(newest)["callbacks"])

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Restore the newest snapshot, if there is one."""
        newest = newest_snapshot(self._directory)
        if newest is None:
            return
        try:
            self.model.load_weights(newest / "model.weights.h5")
        except (ValueError, OSError, KeyError) as error:
            raise ModelError(
                f"The snapshot {newest} does not fit this network: {error} "
                "Train under another run folder, or start afresh with --restart."
            ) from error
        state = _state_of(newest)
        self.history = state["history"]
        self._write_table()
        for callback, values in zip(self._stateful, state["callbacks"], strict=True):
            for name, value in values.items():
                setattr(callback, name, value)
        for callback, name in self._arrays():
            setattr(callback, name, _load_arrays(newest / f"{name}.npz"))
        for variable, value in zip(
            self._random_states(), _load_arrays(newest / "random_states.npz"), strict=True
        ):
            variable.assign(value)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the epoch's clock."""
        self._epoch_started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the snapshot of this epoch."""
        logs = logs or {}
        # Of a plateau, Keras logs the rate of this epoch before it lowers it.
        rate = logs.get("learning_rate", self.model.optimizer.learning_rate)
        record = {
            "epoch": epoch + 1,
            **{name: float(value) for name, value in logs.items()},
            "learning_rate": float(keras.ops.convert_to_numpy(rate)),
            "seconds": round(time.monotonic() - self._epoch_started, 1),
        }
        for name, value in record.items():
            self.history.setdefault(name, []).append(value)
        # The weights, their average and the best ones.
        variables = [*self.model.weights * 3, *self.model.optimizer.variables]
        with writing("The snapshot", epoch, self._directory, _bytes_of(variables)):
            with new_snapshot(self._directory, epoch + 1) as folder:
                self._write(folder)
            self._write_table()

    def _write(self, folder: Path) -> None:
        self.model.save_weights(folder / "model.weights.h5")
        for callback, name in self._arrays():
            _save_arrays(folder / f"{name}.npz", getattr(callback, name))
        _save_arrays(
            folder / "random_states.npz",
            [keras.ops.convert_to_numpy(variable) for variable in self._random_states()],
        )
        (folder / "state.json").write_text(
            json.dumps({"history": self.history, "callbacks": self._callback_states()}, indent=1),
            encoding="utf-8",
        )

    def _write_table(self) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(self.history)
        rows.writerows(zip(*self.history.values(), strict=True))
        write_atomically(self._table, text.getvalue())

    def _arrays(self) -> list[tuple[keras.callbacks.Callback, str]]:
        return [
            (callback, _ARRAYS_OF_CALLBACK[type(callback)])
            for callback in self._stateful
            if type(callback) in _ARRAYS_OF_CALLBACK
        ]

    def _random_states(self) -> list[keras.Variable]:
        """Return the seeds of the dropout layers, which Keras does not save with the weights."""
        saved = {id(variable) for variable in self.model.weights}
        return [
            variable
            for layer in self.model.layers
            for variable in layer.variables
            if id(variable) not in saved
        ]

    def _callback_states(self) -> list[dict[str, Any]]:
        return [
            {name: _plain(getattr(callback, name)) for name in _STATE_OF_CALLBACK[type(callback)]}
            for callback in self._stateful
        ]


def _save_arrays(path: Path, arrays: list[NDArray[Any]]) -> None:
    # Without `allow_pickle`, which NumPy before 2.2 keeps as one more array.
    by_index: dict[str, Any] = {str(index): array for index, array in enumerate(arrays)}
    np.savez(path, **by_index)


def _load_arrays(path: Path) -> list[NDArray[Any]]:
    with np.load(path) as file:
        arrays = [file[str(index)] for index in range(len(file))]
    # A paused run keeps its large arrays in float16.
    return [array.astype("float32") if array.dtype == "float16" else array for array in arrays]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(value)


def _state_of(snapshot: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((snapshot / "state.json").read_text(encoding="utf-8"))
    return state


class FiniteLoss(keras.callbacks.Callback):
    """End a run whose loss is no longer finite, before anything of that epoch is kept."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the losses.

        Raises:
            ModelError: if one is not finite.
        """
        for name in ("loss", "val_loss"):
            value = (logs or {}).get(name, 0.0)
            if not math.isfinite(value):
                raise ModelError(
                    f"In epoch {epoch + 1}, {name} became {value}: the weights are spoilt, and "
                    "nothing of this epoch is kept. Set a lower training.learning_rate and train "
                    "with --restart."
                )


class EpochOfBatches(keras.callbacks.Callback):
    """Tell the batches which epoch it is: their order and augmentation follow from it.

    So does PyTorch's dropout, whose random state is none of Keras' and in no snapshot.
    """

    def __init__(self, batches: FaceBatches, seed: int) -> None:
        """Keep the batches to tell, and the seed of the run."""
        super().__init__()
        self._batches = batches
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the epoch, from 0."""
        self._batches.epoch = epoch
        if keras.backend.backend() == "torch":
            import torch

            torch.manual_seed(self._seed << 16 | epoch)


class ProgressLine(keras.callbacks.Callback):
    """Say a line an epoch, with the time that is left at the most.

    Args:
        sides: The side of the faces in each epoch of the run: its cost grows with their area.
        say: Called with each line.
    """

    def __init__(self, sides: Sequence[int], say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._areas = np.square(sides)
        self._seconds_per_area: list[float] = []
        self._epoch_started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the epoch's clock."""
        self._epoch_started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Say the line."""
        seconds = time.monotonic() - self._epoch_started
        self._seconds_per_area.append(seconds / self._areas[epoch])
        left = float(np.median(self._seconds_per_area[-5:])) * self._areas[epoch + 1 :].sum()
        figures = "  ".join(
            f"{name} {value:{'.3g' if name == 'learning_rate' else '.4f'}}"
            for name, value in (logs or {}).items()
        )
        self._say(
            f"epoch {epoch + 1}/{len(self._areas)}  {figures}  "
            f"{seconds:.0f} s, at most {left / 60:.0f} min left"
        )
