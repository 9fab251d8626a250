"""What a benchmark needs is looked for before it starts, not found missing after an hour."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path


def existing(text: str) -> Path:
    """Return a path that must exist; for argparse, whose defaults given as text are checked too."""
    path = Path(text)
    if not path.exists():
        fetch = ": `mien data download` fetches FER2013 to data/" if "data" in path.parts else ""
        raise argparse.ArgumentTypeError(f"there is no {path}{fetch}")
    return path


def find_chromium() -> str:
    """Return the browser's path; leave the program where there is none."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("There is no Chromium: install chromium, or google-chrome.")
    return browser
