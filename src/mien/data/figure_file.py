"""Figures as files that a repository can keep."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from mien.core.files import write_atomically


@contextlib.contextmanager
def any_text() -> Iterator[None]:
    """Let labels be any text: no formula in dollars, and a box where the font lacks a letter."""
    with warnings.catch_warnings(), plt.rc_context({"text.parse_math": False}):
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, and close it.

    A palette of 256 colours takes a third of the bytes, and diagrams have few.
    """
    drawn, picture = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(256).save(picture, format="png", optimize=True)
    write_atomically(path, picture.getvalue())
