"""Write the fingerprints of FER2013's test faces, by which mien recognises them.

python scripts/fingerprint_test_faces.py [TEST.csv]
"""

import sys
from pathlib import Path

import numpy as np

from mien.data.fer2013 import load_dataset
from mien.data.test_faces import fingerprint

DESTINATION = Path(__file__).parents[1] / "src/mien/data/fer2013_test_fingerprints.npy"

if __name__ == "__main__":
    source = Path(sys.argv[1] if len(sys.argv) > 1 else "data/test_with_emotions.csv")
    np.save(DESTINATION, fingerprint(load_dataset(source).faces_u8))
    print(f"Wrote {DESTINATION}.")
