"""Train the selected experiment: `mien train`; `--help` lists its options."""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
