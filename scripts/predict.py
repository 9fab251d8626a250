"""Score the shipped network on data/test_with_emotions.csv: `mien evaluate`."""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
