"""Score the network that was trained here, else the shipped one: `mien evaluate`.

The faces are those of data/test_with_emotions.csv unless --data names others.
"""

import sys

from mien.cli import run_on_trained_network

if __name__ == "__main__":
    run_on_trained_network("evaluate", sys.argv[1:])
