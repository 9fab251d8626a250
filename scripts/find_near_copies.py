"""Count FER2013's test faces that are other crops or mirror images of training faces.

    python scripts/find_near_copies.py data/test_with_emotions.csv data/train.csv

Prints how many there are besides the exact copies; it takes some minutes. With `--write FILE` their
row numbers, from 0, are written there.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from mien.core.errors import MienError
from mien.data.fer2013 import load_dataset
from mien.data.near_copies import NEAR_COPY_CORRELATION, near_copies


def main() -> None:
    """Search, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path, help="Faces to look at, such as the test faces.")
    parser.add_argument("others", type=Path, help="Faces to look among, such as train.csv.")
    parser.add_argument("--write", type=Path, help="Text file for the row numbers.")
    arguments = parser.parse_args()
    try:
        faces_u8 = load_dataset(arguments.faces).faces_u8
        others_u8 = load_dataset(arguments.others).faces_u8
    except MienError as error:
        sys.exit(f"Error: {error}")
    pictures = {face.tobytes() for face in others_u8}
    exact = np.array([face.tobytes() in pictures for face in faces_u8])
    _, correlations = near_copies(faces_u8, others_u8)
    near = (correlations >= NEAR_COPY_CORRELATION) & ~exact
    print(f"{len(faces_u8):,} faces: {exact.sum():,} exact copies, {near.sum():,} near-copies")
    if arguments.write:
        np.savetxt(arguments.write, np.flatnonzero(near), fmt="%d")


if __name__ == "__main__":
    main()
