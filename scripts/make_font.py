"""Make the font of the overlay from a TrueType font: the outlines of its letters, as polygons.

    python scripts/make_font.py Inter_600SemiBold.ttf src/mien/assets/inter_semibold.npz

The file comes from the npm package `@expo-google-fonts/inter`, version 0.4.2 (Inter 4.001, SIL Open
Font License 1.1). OpenCV fills polygons, but reads no fonts; a library that does is 22 MB. Needs
`pip install fonttools skia-pathops`.
"""

import argparse
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont
from fontTools.ttLib.removeOverlaps import removeOverlaps

EM = 1024  # units of the outlines
STEPS = 3  # straight pieces of a curve
Point = tuple[float, float]
SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")


class PolygonPen(BasePen):
    """Collects the contours of a glyph as polygons, in units of its font."""

    def __init__(self, glyphs: Any) -> None:
        super().__init__(glyphs)
        self.contours: list[list[Point]] = []

    def _moveTo(self, point: Point) -> None:  # noqa: N802
        self.contours.append([point])

    def _lineTo(self, point: Point) -> None:  # noqa: N802
        self.contours[-1].append(point)

    def _qCurveToOne(self, control: Point, end: Point) -> None:  # noqa: N802
        start = np.array(self.contours[-1][-1])
        for t in np.arange(1, STEPS + 1) / STEPS:
            first = start + t * (control - start)
            second = control + t * (np.array(end) - control)
            x, y = first + t * (second - first)
            self.contours[-1].append((float(x), float(y)))

    def _closePath(self) -> None:  # noqa: N802
        pass


def is_wanted(codepoint: int) -> bool:
    """Whether labels may need a character: of three scripts, or punctuation and signs."""
    character = chr(codepoint)
    name = unicodedata.name(character, "")
    if unicodedata.category(character)[0] == "L":
        return name.startswith(SCRIPTS) and codepoint < 0x2100
    return codepoint < 0x2200 and unicodedata.category(character)[0] in "NPSZ"


def main() -> None:
    """Read, flatten, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ttf", type=Path)
    parser.add_argument("npz", type=Path)
    arguments = parser.parse_args()
    font = TTFont(arguments.ttf)
    scale = EM / font["head"].unitsPerEm
    names = {code: name for code, name in font.getBestCmap().items() if is_wanted(code)}
    # Figures of one width: a percentage that changes moves nothing else.
    names |= {ord("0") + i: f"{font.getBestCmap()[ord('0') + i]}.tf" for i in range(10)}
    # Polygons are filled where an odd number of them lies.
    removeOverlaps(font)
    glyphs = font.getGlyphSet()
    advances, contour_ends, point_ends = [], [], []
    points: list[Point] = []
    for name in (names[code] for code in sorted(names)):
        pen = PolygonPen(glyphs)
        glyphs[name].draw(pen)
        advances.append(round(glyphs[name].width * scale))
        for contour in pen.contours:
            # From a baseline with y upwards to pixels with y downwards.
            points.extend((round(x * scale), round(-y * scale)) for x, y in contour)
            point_ends.append(len(points))
        contour_ends.append(len(point_ends))
    np.savez_compressed(
        arguments.npz,
        em=np.uint16(EM),
        codepoints=np.array(sorted(names), np.uint32),
        advances=np.array(advances, np.uint16),
        contour_ends=np.array(contour_ends, np.uint32),
        point_ends=np.array(point_ends, np.uint32),
        points=np.array(points, np.int16),
    )
    print(f"{len(names):,} characters, {arguments.npz.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
