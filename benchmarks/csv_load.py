"""How fast FER2013's CSV files are read, against what is usually written with pandas.

    python benchmarks/csv_load.py            # data/train.csv
    python benchmarks/csv_load.py --data data/test_with_emotions.csv

"Cold" parses the file; "first" parses it and writes the cache; "cached" reads the cache, as every
later start does. All of them give the same faces, run on one thread, and find the file in the
memory of the operating system. The seconds are processor time. They take turns, and each figure is
the best of its runs, so that other work on the machine troubles all of them alike.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from inputs import existing
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE
from mien.data.csv_file import parse_csv
from mien.data.fer2013 import load_dataset

Load = Callable[[Path], NDArray[np.uint8]]


ROUNDS = 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=existing, default="data/train.csv")
    path: Path = arguments.parse_args().data
    faces_u8 = load_dataset(path).faces_u8
    print(f"{path}: {len(faces_u8):,} faces, {path.stat().st_size / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.resolve())
        seconds = {"mien, first": time_load(load_with_cache, link, faces_u8)}
        loads: dict[str, tuple[Load, Path]] = {
            "mien, cold": (lambda path: parse_csv(path).faces_u8, path),
            "mien, cached": (load_with_cache, link),
        }
        for name, parse in PARSERS.items():
            loads[f"pandas, {name}"] = load_with_pandas(parse), path
        for _ in range(ROUNDS):
            for name, (load, source) in loads.items():
                taken = time_load(load, source, faces_u8)
                seconds[name] = min(taken, seconds.get(name, taken))
    for name, taken in seconds.items():
        ratios = (
            f"cold is {taken / seconds['mien, cold']:.1f} times as fast, "
            f"cached {taken / seconds['mien, cached']:.0f} times"
        )
        print(f"{taken:8.2f} s  {name:<30} {ratios if 'pandas' in name else ''}".rstrip())


def load_with_cache(path: Path) -> NDArray[np.uint8]:
    return load_dataset(path).faces_u8


def load_with_pandas(parse: Callable[[str], NDArray[np.uint8]]) -> Load:
    """Return a function that reads the file with pandas and parses the rows one by one."""

    def load(path: Path) -> NDArray[np.uint8]:
        frame = pd.read_csv(path, skipinitialspace=True)
        faces = [parse(row["pixels"]) for _, row in frame.iterrows()]
        return np.stack(faces).reshape(-1, FACE_SIZE, FACE_SIZE)

    return load


PARSERS: dict[str, Callable[[str], NDArray[np.uint8]]] = {
    "int() of each pixel": lambda cell: np.array([int(value) for value in cell.split()], np.uint8),
    "numpy.array(split())": lambda cell: np.array(cell.split(), dtype=np.uint8),
    "numpy.fromstring": lambda cell: np.fromstring(cell, dtype=np.uint8, sep=" "),
}


def time_load(load: Load, path: Path, expected: NDArray[np.uint8]) -> float:
    start = time.process_time()
    faces_u8 = load(path)
    taken = time.process_time() - start
    assert np.array_equal(faces_u8, expected)
    return taken


if __name__ == "__main__":
    main()
