"""`python -m mien` is the same as the command `mien`."""

from mien.cli import main

if __name__ == "__main__":
    main()
