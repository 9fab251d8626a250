"""Recognise emotions live with the network trained here, else the shipped one: `mien live`.

python scripts/predict_live_stream.py --help
"""

import sys

from mien.cli import run_on_trained_network

if __name__ == "__main__":
    run_on_trained_network("live", sys.argv[1:])
