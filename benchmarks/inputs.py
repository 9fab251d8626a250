"""What a benchmark needs is looked for before it starts, not found missing after an hour."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def existing(text: str) -> Path:
    """Return a path that must exist; for argparse, whose defaults given as text are checked too."""
    path = Path(text)
    if not path.exists():
        fetch = ": `mien data download` fetches FER2013 to data/" if "data" in path.parts else ""
        raise argparse.ArgumentTypeError(f"there is no {path}{fetch}")
    return path


def find_chromium() -> str:
    """Return the browser's path; leave the program where there is none."""
    browser = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if browser is None:
        raise SystemExit(f"There is no Chromium; expected one of {', '.join(CHROMIUM_NAMES)}.")
    return browser
