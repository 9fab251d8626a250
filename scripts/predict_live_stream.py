"""Recognise emotions in a live video: `mien live`, which see (`--help`)."""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["live", *sys.argv[1:]])
