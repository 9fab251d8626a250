"""Write the fingerprints of FER2013's faces, by which mien recognises them.

python scripts/fingerprint_fer2013.py [FOLDER]        (holds train.csv and test_with_emotions.csv)
"""

import sys
from pathlib import Path

import numpy as np

from mien.data.fer2013 import load_dataset
from mien.data.test_faces import TRAINING_STEP, fingerprint

DESTINATION = Path(__file__).parents[1] / "src/mien/data"

if __name__ == "__main__":
    source = Path(sys.argv[1] if len(sys.argv) > 1 else "data")
    test = load_dataset(source / "test_with_emotions.csv").faces_u8
    training = load_dataset(source / "train.csv").faces_u8[::TRAINING_STEP]
    np.save(DESTINATION / "fer2013_test_fingerprints.npy", fingerprint(test))
    np.save(DESTINATION / "fer2013_training_fingerprints.npy", fingerprint(training))
    print(f"Wrote those of {len(test):,} test faces and {len(training):,} training faces.")
