"""TensorBoard's logs, written without TensorFlow: those of a run on another backend look the same.

Keras' own callback writes through TensorFlow, which a JAX or PyTorch run does not have.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from mien.training.callbacks import writing

_VALIDATION = "val_"


class TensorBoardLog(keras.callbacks.Callback):
    """Write the figures of each epoch, and histograms of its weights, where TensorBoard looks.

    The tags are those of `keras.callbacks.TensorBoard`.
    """

    def __init__(self, folder: Path) -> None:
        """Write to `train/` and `validation/` in `folder`."""
        super().__init__()
        self._folder = folder
        self._file_name = ""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Begin new files."""
        self._file_name = f"events.out.tfevents.{time.time():.0f}.{platform.node()}.{os.getpid()}"

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write what the epoch gave."""
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        training, validation = {"learning_rate": rate}, {}
        for name, value in (logs or {}).items():
            if name.startswith(_VALIDATION):
                validation[name.removeprefix(_VALIDATION)] = value
            else:
                training[name] = value
        histograms = (
            histogram_pb(f"{weight.path}/histogram", keras.ops.convert_to_numpy(weight))
            for weight in self.model.weights
        )
        with writing("The TensorBoard log", epoch, self._folder):
            self._append("train", epoch, [*_scalars(training), *histograms])
            self._append("validation", epoch, _scalars(validation))

    def _append(self, part: str, epoch: int, summaries: Iterable[Any]) -> None:
        path = self._folder / part / self._file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        now = time.time()
        with path.open("ab") as file:
            records = RecordWriter(file)
            if file.tell() == 0:
                header = Event(wall_time=now, file_version="brain.Event:2")
                records.write(header.SerializeToString())
            for summary in summaries:
                event = Event(wall_time=now, step=epoch, summary=summary)
                records.write(event.SerializeToString())


def _scalars(figures: dict[str, float]) -> list[Any]:
    return [scalar_pb(f"epoch_{name}", value) for name, value in figures.items()]
