"""What the pages of HTML that mien writes have in common: frame, colours, bars and faces."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.types import Box
from mien.media.colours import colours_of, is_dark
from mien.record.person import apportion

_PICTURE_SIDE = 96
_UNCERTAIN = "uncertain"


def fill_page(
    title: str,
    subtitle: str,
    labels: tuple[str, ...],
    facts: Mapping[str, str],
    sections: Sequence[str],
    notes: str,
) -> str:
    """Return a page that needs nothing else, not even a network.

    Args:
        title: What it is about.
        subtitle: What it shows, in a sentence.
        labels: What the network tells apart.
        facts: Figures at the top, by name.
        sections: HTML.
        notes: HTML for the foot.
    """
    template = resources.files("mien.record").joinpath("report_page.html")
    names = (*labels, _UNCERTAIN)
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=f"mien: {escape(title)}",
        subtitle=subtitle,
        label_colours=_style_of(labels),
        facts="".join(
            f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items()
        ),
        legend="".join(
            f'<li><span class="swatch" style="--c:{colour(index)}"></span>{escape(each)}</li>'
            for index, each in enumerate(names)
        ),
        sections="\n".join(sections),
        notes=notes,
        # What would end the script must not stand in it.
        names=json.dumps(names).replace("<", "\\u003c"),
    )


def share_bar(shares: NDArray[np.float64], labels: tuple[str, ...]) -> str:
    """Return a bar of the labels' shares and then that of uncertain faces, (C + 1,), as HTML."""
    names = (*labels, _UNCERTAIN)
    per_mille, per_cent = apportion(shares, 1000), apportion(shares, 100)
    return (
        '<div class="bar">'
        + "".join(
            f'<span class="{_ink(index, labels)}" '
            f'style="--c:{colour(index)};width:{part:.3%}" '
            f'title="{escape(names[index])} {per_mille[index] / 10:.1f}%">'
            f"{f'{per_cent[index]}%' if part >= 0.06 else ''}</span>"
            for index, part in enumerate(shares)
            if part > 0
        )
        + "</div>"
    )


def table_section(title: str, rows: Iterable[str], rest: int) -> str:
    """Return a section with a table, as HTML.

    Args:
        title: What it is about.
        rows: The table's rows, as HTML; none are told as such.
        rest: How many more there are than these; 0 or less for none.
    """
    content = "".join(rows) or '<tr><td class="soft">None.</td></tr>'
    more = f'<p class="soft">… and {rest:,} more in the table.</p>' if rest > 0 else ""
    return (
        f'<section><h2>{title}</h2><table class="faces"><tbody>{content}</tbody></table>{more}'
        "</section>"
    )


def face_tag(image_bgr: NDArray[np.uint8], box: Box, name: str) -> str:
    """Return the face at a box of a picture as an `<img>`.

    Args:
        image_bgr: (H, W, 3) uint8.
        box: Where the face is, in pixels.
        name: What the picture is called.

    Raises:
        DataError: if the box lies outside of the picture.
    """
    height, width = image_bgr.shape[:2]
    is_beside = box.x >= width or box.x + box.width <= 0
    if is_beside or box.y >= height or box.y + box.height <= 0:
        raise DataError(
            f"The record has a face at x {box.x:g}, y {box.y:g}, outside of {name}, which is "
            f"{width} x {height} pixels: expected what the record was made of, turned as it was."
        )
    side = 1.3 * max(box.width, box.height)
    left = int(np.clip(box.x + box.width / 2 - side / 2, 0, width - 2))
    top = int(np.clip(box.y + box.height / 2 - side / 2, 0, height - 2))
    face = image_bgr[top : top + int(side) + 1, left : left + int(side) + 1]
    small = cv2.resize(face, (_PICTURE_SIDE, _PICTURE_SIDE), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", small)[1].tobytes()
    content = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{content}">'


def _style_of(labels: tuple[str, ...]) -> str:
    """The colours by number, as a label's own name could mean anything in a style sheet."""
    colours = [f"#{red:02x}{green:02x}{blue:02x}" for blue, green, red in colours_of(labels)]
    colours.append("var(--uncertain)")
    return " ".join(f"--label-{index}: {colour};" for index, colour in enumerate(colours))


def colour(index: int) -> str:
    """Return the colour of a label by its number; after the last one, that of being uncertain."""
    return f"var(--label-{index})"


def _ink(index: int, labels: tuple[str, ...]) -> str:
    """The class of what is written on the colour of a label."""
    return "dark" if index < len(labels) and is_dark(colours_of(labels)[index]) else "light"
