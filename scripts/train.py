"""Train the selected experiment: `mien train`, which see (`python scripts/train.py --help`)."""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
