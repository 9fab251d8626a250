"""How many faces a second the selected network trains on, with Keras' own layers and with mien's.

    python benchmarks/training_speed.py

Trains on random faces, without augmentation; all rows in one run, so that their ratios hold. Memory
is the most that the process has had so far, where the system tells (not on Windows). FER2013's
faces add 0.1 GB to it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import keras
import numpy as np

from mien.models.build import build_network, join_heads
from mien.models.normalization import FusedBatchNormalization
from mien.training.config import load_experiment, selected_experiment

if sys.platform != "win32":
    import resource

BATCH_SIZE = 64
BATCHES = 30


def with_separate_operations(model: keras.Model) -> keras.Model:
    """Copy `model`, with Keras' own batch normalization in place of the fused one."""

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = type(layer)
        if isinstance(layer, FusedBatchNormalization):
            kind = keras.layers.BatchNormalization
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=plain)


def faces_per_second(model: keras.Model) -> float:
    """Train for an epoch to warm up, then time two; return the faster one's speed."""
    random = np.random.default_rng(0)
    faces = random.random((BATCH_SIZE * BATCHES, 48, 48, 1), dtype=np.float32)
    targets = np.eye(7, dtype=np.float32)[random.integers(0, 7, len(faces))]
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        model.fit(faces, targets, batch_size=BATCH_SIZE, verbose=0)
        seconds.append(time.perf_counter() - start)
    return len(faces) / min(seconds[1:])


def main() -> None:
    path = selected_experiment(Path("experiments"))
    network = load_experiment(path).network
    print(f"{path.stem}, batches of {BATCH_SIZE}, backend {keras.backend.backend()}")
    base = None
    for precision in ("float32", "mixed_bfloat16"):
        fused = build_network(network, precision=precision)
        for name, model in (
            ("Keras' batch normalization", with_separate_operations(fused)),
            ("fused batch normalization", fused),
        ):
            speed = faces_per_second(join_heads(model))
            base = base or speed
            print(
                f"{precision:<15} {name:<27} {speed:6.0f} faces/s  {speed / base:.2f} ×  "
                f"{peak_memory()}"
            )


def peak_memory() -> str:
    if sys.platform == "win32":
        return ""
    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9:.2f} GB"


if __name__ == "__main__":
    main()
