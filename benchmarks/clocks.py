"""Say whether a temporal network keeps to its labels when a sequence is played otherwise.

    python benchmarks/clocks.py [--temporal FILE] [--data data/train.csv]

Synthetic sequences are made of FER2013's validation faces, as those that choose a temporal
network, but longer. Each is played backwards, twice as fast, and with every second or third time
step alone; the table holds the part of the time steps at which the label is one that the sequence,
played as it is, shows within 200 ms and a frame (`mien.evaluation.clocks`), and the part of the
sequences of which that holds at every time step. The smoother stands beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from inputs import existing

from mien.core.temporal import bundled_temporal
from mien.data.array_cache import SEQUENCES_CACHE
from mien.engine.smoothing import SMOOTH_MS, Smoother
from mien.engine.temporal import TemporalMemory
from mien.engine.tracks import TrackMemory
from mien.evaluation.clocks import PLAYINGS, agreement
from mien.recognizer import Recognizer
from mien.training.config import load_experiment
from mien.training.face_sequences import held_out_sequences
from mien.training.faces import load_faces, split_faces

SEQUENCES, MOMENTS = 200, 100
RECIPE = Path("experiments/032_temporal.toml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--temporal", type=existing, default=bundled_temporal())
    parser.add_argument("--data", type=existing, default="data/train.csv")
    options = parser.parse_args()
    classifier = Recognizer(threads=1).classifier
    votes = options.data.with_name("fer2013new.csv")
    faces = load_faces(options.data, votes if votes.is_file() else None)
    experiment = load_experiment(RECIPE)
    assert experiment.sequences is not None
    _, validation = split_faces(faces, experiment.split)
    sequences = held_out_sequences(
        validation,
        classifier,
        count=experiment.sequences.held_out_faces,
        sequences=SEQUENCES,
        steps=MOMENTS,
        cache_folder=options.data.parent / SEQUENCES_CACHE,
        say=print,
    )
    memories: dict[str, Callable[[], TrackMemory]] = {
        "temporal network": lambda: TemporalMemory(options.temporal, classifier),
        f"smoother, {SMOOTH_MS:g} ms": lambda: Smoother(SMOOTH_MS),
    }
    print(f"{SEQUENCES} sequences of {MOMENTS} time steps")
    print(f"{'':24}{'':24}    steps  sequences")
    for name, make_memory in memories.items():
        for playing in PLAYINGS:
            parts = agreement(sequences, make_memory, playing)
            print(f"{name:24}{playing.name:24} {parts.mean():8.1%} {np.mean(parts == 1):10.1%}")


if __name__ == "__main__":
    main()
