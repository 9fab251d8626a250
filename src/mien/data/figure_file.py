"""Figures as files that a repository can keep."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from mien.core.files import write_atomically


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, and close it.

    A palette of 256 colours takes a third of the bytes, and diagrams have few.
    """
    drawn, picture = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(256).save(picture, format="png", optimize=True)
    write_atomically(path, picture.getvalue())
