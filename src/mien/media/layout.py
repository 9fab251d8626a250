"""Where labels go: at their faces, over no face and no other label.

A face whose label has no place gets a number, and the legend says what it stands for. Where most
faces have no place, all are numbered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box
from mien.media.labels import tile_size

# In ems of a picture whose shorter side is 540 pixels, where one pixel is one of the screen's.
_LARGEST_EM, _SMALLEST_EM = 22, 11
_EM_OF_FACE = 0.16  # of a face's width: "Happy 92%" is then about as wide as the face
_NUMBER_OF_FACE = 0.3
_SMALLEST_NUMBER_EM = 8  # pixels: below it, figures are no figures
_LEGEND_EMS = (15, 13, 11)
_MOST_OF_PICTURE = 0.4  # that the legend may cover
_GRID = 96  # cells along the longer side, in which a place for the legend is searched
# Of a face that leaves no place beside it, its own label may cover this much; and this much before
# the legend would cover other faces.
_OWN_SHARE, _MOST_OF_OWN = 0.1, 0.3

Rectangles = NDArray[np.int64]  # (N, 4): left, top, right, bottom

Spots = dict[int, int]
"""Which of the spots around a face its label had, by key: so that it does not jump to and fro."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What is to be written at a face.

    Attributes:
        key: Tells who it is from frame to frame; 0 where nobody knows.
        box: Where the face is.
        texts: What to write, the best first, the shortest last.
        number: What stands for it where nothing of that has a place.
        icon: Whether a little face goes before the text, where there is room.
    """

    key: int
    box: Box
    texts: tuple[str, ...]
    number: str
    icon: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A text on its tile.

    Attributes:
        text: What is written.
        em_px: Size of its letters in pixels.
        icon: Whether a little face goes before it.
        left: Left edge of the tile in pixels.
        top: Top edge of the tile in pixels.
    """

    text: str
    em_px: int
    icon: bool
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class Legend:
    """What numbers stand for, in columns.

    Attributes:
        left: Left edge in pixels.
        top: Top edge in pixels.
        width: Width in pixels.
        height: Height in pixels.
        em_px: Size of its letters in pixels.
        rows: How many lines a column has.
        column_px: Width of a column in pixels.
        number_px: Width of the numbers' tiles in pixels.
        shown: Indices of the captions that have a line.
        more: How many have none, for want of room.
    """

    left: int
    top: int
    width: int
    height: int
    em_px: int
    rows: int
    column_px: int
    number_px: int
    shown: tuple[int, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes.

    Attributes:
        lines: What is written at each face, in their order.
        legend: What the numbers stand for; None where there are none.
    """

    lines: tuple[Line, ...]
    legend: Legend | None


def picture_scale(height: int, width: int) -> float:
    """Return the picture's shorter side in units of 540 pixels, at least 1: less is unreadable."""
    return max(min(height, width) / 540, 1.0)


def line_px(box: Box, scale: float) -> int:
    """Return the width of a box's line in pixels: thin around a small face."""
    return max(min(round(min(box.width, box.height) / 16), round(2 * scale)), 1)


def lay_out(
    height: int,
    width: int,
    captions: Sequence[Caption],
    occupied: Sequence[Box] = (),
    spots: Spots | None = None,
) -> Layout:
    """Find a place for every caption.

    Args:
        height: The picture's, in pixels.
        width: The picture's, in pixels.
        captions: What is to be written at each face.
        occupied: What else is not to be covered.
        spots: Where labels were in the frame before, which changes it to what is there now.
    """
    spots = {} if spots is None else spots

    def attempt(own_share: float) -> tuple[Layout, float]:
        return _try(_Picture(height, width, captions, occupied, spots), own_share)

    for key in spots.keys() - {caption.key for caption in captions}:
        del spots[key]
    layout, cover = attempt(_OWN_SHARE)
    if cover > 0:
        closer, closer_cover = attempt(_MOST_OF_OWN)
        if closer_cover < cover:
            return closer
    return layout


def _try(picture: _Picture, own_share: float) -> tuple[Layout, float]:
    """A layout, and how much its legend covers."""
    captions = picture.captions
    # Large faces first: their labels are the largest, and the small ones find gaps.
    order = sorted(range(len(captions)), key=lambda i: -captions[i].box.area)
    lines = {index: picture.label(index, own_share) for index in order}
    numbered = [index for index in order if lines[index] is None]
    if 2 * len(numbered) > len(captions):
        picture.clear()
        numbered = order
    lines |= {index: picture.number(index) for index in numbered}
    placed = tuple(line for _, line in sorted(lines.items()) if line is not None)
    if not numbered:
        return Layout(placed, None), 0.0
    legend, cover = picture.legend(sorted(numbered))
    return Layout(placed, legend), cover


class _Picture:
    """A picture that fills up."""

    def __init__(
        self,
        height: int,
        width: int,
        captions: Sequence[Caption],
        occupied: Sequence[Box],
        spots: Spots,
    ) -> None:
        self.captions = captions
        self._height, self._width = height, width
        self._spots = spots
        self._scale = picture_scale(height, width)
        self._faces = [self._clipped(caption.box) for caption in captions]
        self._occupied = [self._clipped(box) for box in occupied]
        self.clear()

    def clear(self) -> None:
        """Take all lines away again."""
        self._taken = np.array([*self._faces, *self._occupied], np.int64).reshape(-1, 4)

    def _clipped(self, box: Box) -> tuple[int, int, int, int]:
        line = line_px(box, self._scale)
        return (
            min(max(math.floor(box.x) - line, 0), self._width),
            min(max(math.floor(box.y) - line, 0), self._height),
            min(max(math.ceil(box.right) + line, 0), self._width),
            min(max(math.ceil(box.bottom) + line, 0), self._height),
        )

    def label(self, index: int, own_share: float) -> Line | None:
        """Take a place for the label of a face; None where there is none.

        Args:
            index: Of the face.
            own_share: How much of the face it may cover where there is no other place.
        """
        caption = self.captions[index]
        smallest = round(_SMALLEST_EM * self._scale)
        largest = round(_LARGEST_EM * self._scale)
        em_px = min(max(_stepped(_EM_OF_FACE * caption.box.width), smallest), largest)
        smaller = max(_stepped(0.75 * em_px), smallest)
        sizes = dict.fromkeys((em_px, smaller))
        wishes = [(text, size, caption.icon) for text in caption.texts for size in sizes]
        if caption.icon:
            wishes.append((caption.texts[-1], smaller, False))
        for text, size, icon in wishes:
            place = self._beside(index, *tile_size(text, size, icon=icon))
            if place is not None:
                return self._take(text, size, icon, place)
        for text, size, icon in wishes:
            line = self._within(index, text, size, icon, own_share)
            if line:
                return line
        return None

    def _within(
        self, index: int, text: str, em_px: int, icon: bool, own_share: float
    ) -> Line | None:
        """A place in the face itself."""
        width, height = tile_size(text, em_px, icon=icon)
        left, top, right, bottom = self._faces[index]
        if width > right - left or width * height > own_share * (right - left) * (bottom - top):
            return None
        places = _rectangles([(left, top), (left, bottom - height)], width, height)
        others = np.delete(self._taken, index, axis=0)
        free = np.flatnonzero(_shared(places, others).sum(axis=1) == 0)
        return self._take(text, em_px, icon, places[free[0]]) if free.size else None

    def number(self, index: int) -> Line:
        """Take a place for the number of a face: beside it, else in the corner that is freest."""
        caption = self.captions[index]
        side = min(caption.box.width, caption.box.height)
        largest = round(_LARGEST_EM * self._scale)
        em_px = min(max(_stepped(_NUMBER_OF_FACE * side), _SMALLEST_NUMBER_EM), largest)
        width, height = tile_size(caption.number, em_px)
        beside = self._beside(index, width, height)
        if beside is not None:
            return self._take(caption.number, em_px, False, beside)
        left, top, right, bottom = self._faces[index]
        corners = [
            (x, y)
            for y in (top, max(bottom - height, top))
            for x in (left, max(right - width, left))
        ]
        # A face at the edge has its number in the picture too.
        places = self._inside(_rectangles(corners, width, height))
        others = np.delete(self._taken, index, axis=0)
        best = int(np.argmin(_shared(places, others).sum(axis=1)))
        return self._take(caption.number, em_px, False, places[best])

    def legend(self, indices: Sequence[int]) -> tuple[Legend, float]:
        """Find the place where the legend covers least, and how many cells of what it covers."""
        cell = max(max(self._width, self._height) / _GRID, 1.0)
        covered = self._covered_cells(cell)
        best: tuple[float, Legend] | None = None
        for em in _LEGEND_EMS:
            em_px = round(em * self._scale)
            for legend in self._legends(indices, em_px):
                cover, left, top = _freest(covered, cell, legend.width, legend.height)
                if best is None or cover < best[0]:
                    left = min(left, self._width - legend.width)
                    top = min(top, self._height - legend.height)
                    best = cover, replace(legend, left=max(left, 0), top=max(top, 0))
                if cover == 0:
                    return best[1], 0.0
        assert best is not None
        return best[1], best[0]

    def _legends(self, indices: Sequence[int], em_px: int) -> list[Legend]:
        """Legends of one, two, three … columns that are not too large for the picture."""
        captions = [self.captions[index] for index in indices]
        number_px = max(tile_size(caption.number, em_px)[0] for caption in captions)
        texts = [tile_size(caption.texts[-1], em_px)[0] for caption in captions]
        row_px = tile_size("0", em_px)[1] + max(em_px // 6, 1)
        column_px = number_px + max(texts)
        pad = em_px // 2
        most_columns = max((self._width - 2 * pad) // column_px, 1)
        most_rows = max((self._height - 2 * pad) // row_px, 1)
        area = _MOST_OF_PICTURE * self._width * self._height
        room = max(min(int(area / (row_px * column_px)), most_rows * most_columns), 1)
        shown = tuple(indices) if len(indices) <= room else tuple(indices[: room - 1])
        lines = len(shown) + (len(shown) < len(indices))
        legends: dict[int, Legend] = {}
        for columns in range(1, min(most_columns, lines) + 1):
            rows = math.ceil(lines / columns)
            if rows <= most_rows:
                width, height = columns * column_px + 2 * pad, rows * row_px + 2 * pad
                legends.setdefault(
                    rows,
                    Legend(
                        *(0, 0, width, height, em_px, rows, column_px, number_px, shown),
                        len(indices) - len(shown),
                    ),
                )
        return list(legends.values())

    def _beside(self, index: int, width: int, height: int) -> NDArray[np.int64] | None:
        """The best free place of a tile at a face: where it was before, if that is free."""
        places = self._places_at(index, width, height)
        is_free = self._is_free(places, index)
        if not is_free.any():
            return None
        key = self.captions[index].key
        spot = self._spots.get(key, 0)
        if not is_free[spot]:
            spot = int(is_free.argmax())
        if key:
            self._spots[key] = spot
        return np.asarray(places[spot])

    def _places_at(self, index: int, width: int, height: int) -> Rectangles:
        """The places of a tile at a face, the best first; they may lie outside the picture."""
        left, top, right, bottom = self._faces[index]
        across = [left, right - width, (left + right - width) // 2]
        across = [max(min(x, self._width - width), 0) for x in across]
        down = [max(min(y, self._height - height), 0) for y in (top, bottom - height)]
        corners = [(x, y) for y in (top - height, bottom) for x in across]
        corners += [(x, y) for y in down for x in (right, left - width)]
        return _rectangles(corners, width, height)

    def _inside(self, places: Rectangles) -> Rectangles:
        """The places, moved into the picture."""
        limit = np.array([self._width, self._height])
        over = np.maximum(places[:, 2:] - limit, 0)
        moved = places - np.tile(over, 2)
        under = np.minimum(moved[:, :2], 0)
        return np.asarray(moved - np.tile(under, 2))

    def _is_free(self, places: Rectangles, index: int) -> NDArray[np.bool_]:
        """Which places at a face cover nothing, and could not be taken for another face's."""
        is_free = (places[:, :2] >= 0).all(axis=1)
        is_free &= (places[:, 2:] <= (self._width, self._height)).all(axis=1)
        is_free &= _shared(places, self._taken).sum(axis=1) == 0
        # Whoever reads takes a label for that of the face below it: any other keeps its distance.
        is_above = places[:, 3] <= self._faces[index][1]
        height = places[0, 3] - places[0, 1]
        others = np.delete(self._taken[: len(self._faces)], index, axis=0)
        wide = others + np.array([-height, -height, height, height])
        is_free &= is_above | (_shared(places, wide).sum(axis=1) == 0)
        return np.asarray(is_free)

    def _take(self, text: str, em_px: int, icon: bool, place: NDArray[np.int64]) -> Line:
        self._taken = np.concatenate([self._taken, place[None]])
        return Line(text, em_px, icon, int(place[0]), int(place[1]))

    def _covered_cells(self, cell: float) -> NDArray[np.int64]:
        """Sums of the cells that something lies in: (rows + 1, columns + 1)."""
        rows, columns = math.ceil(self._height / cell), math.ceil(self._width / cell)
        covered = np.zeros((rows + 1, columns + 1), np.int64)
        for left, top, right, bottom in self._taken:
            first_row, first_column = int(top / cell) + 1, int(left / cell) + 1
            last_row, last_column = math.ceil(bottom / cell) + 1, math.ceil(right / cell) + 1
            covered[first_row:last_row, first_column:last_column] = 1
        return covered.cumsum(axis=0).cumsum(axis=1)


def _freest(
    covered: NDArray[np.int64], cell: float, width: int, height: int
) -> tuple[float, int, int]:
    """Where a panel covers fewest cells, nearest to a corner: how many, left, top."""
    rows, columns = covered.shape[0] - 1, covered.shape[1] - 1
    panel_rows = min(math.ceil(height / cell), rows)
    panel_columns = min(math.ceil(width / cell), columns)
    sums = covered[panel_rows:, panel_columns:] - covered[:-panel_rows, panel_columns:]
    sums = sums - covered[panel_rows:, :-panel_columns] + covered[:-panel_rows, :-panel_columns]
    down, across = np.ogrid[: sums.shape[0], : sums.shape[1]]
    corner = np.minimum(down, sums.shape[0] - 1 - down)
    corner = corner + np.minimum(across, sums.shape[1] - 1 - across)
    top, left = np.unravel_index(np.argmin(sums * 1000 + corner), sums.shape)
    return float(sums[top, left]), math.ceil(left * cell), math.ceil(top * cell)


def _stepped(em: float) -> int:
    """A size among few, so that letters do not pulse with their face: steps of an eighth."""
    if em < 1:
        return 1
    return round(2 ** (round(6 * math.log2(em)) / 6))


def _rectangles(corners: Sequence[tuple[int, int]], width: int, height: int) -> Rectangles:
    return np.array([(x, y, x + width, y + height) for x, y in corners], np.int64)


def _shared(places: Rectangles, taken: Rectangles) -> NDArray[np.int64]:
    """Areas that each place shares with each of what is taken: (N, M), in square pixels."""
    first, second = places[:, None], taken[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(
        first[..., :2], second[..., :2]
    )
    return np.asarray(np.maximum(sides, 0).prod(axis=2))
