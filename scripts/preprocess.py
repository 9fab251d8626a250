"""See a video as the network does: `mien preprocess`; `--help` lists its options."""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["preprocess", *sys.argv[1:]])
