"""The figures of `mien data explore`."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from mien.core.files import write_atomically
from mien.core.preprocess import FACE_SIZE
from mien.data.figure_file import any_text

SAMPLES_OF_CLASS = 12
SHOWN_CONFLICTS = 40
_CONFLICTS_IN_A_ROW = 8
_GAP_PIXELS = 4
_CAPTION_PIXELS = 20


@any_text()
def draw_class_balance(
    labels: Mapping[str, NDArray[np.int64]], names: Sequence[str], path: Path
) -> None:
    """Draw how many faces each class has, as shares side by side and as counts on the bars.

    Args:
        labels: By split, (N,) indices into `names`.
        names: What the classes are called; so in all figures.
        path: The PNG file to write.
    """
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(labels)
    for index, (name, of_split) in enumerate(labels.items()):
        counts = np.bincount(of_split, minlength=len(names))
        place = np.arange(len(names)) + (index - (len(labels) - 1) / 2) * width
        bars = axes.bar(
            place, 100 * counts / len(of_split), width, label=f"{name} ({len(of_split):,} faces)"
        )
        axes.bar_label(bars, [f"{count:,}" for count in counts], padding=2, fontsize=8)
    axes.set_xticks(range(len(names)), names)
    axes.set(title="Class balance", ylabel="% of the split's faces (counts on the bars)")
    axes.legend()
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


@any_text()
def draw_samples(
    faces_u8: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    names: Sequence[str],
    path: Path,
    *,
    title: str,
) -> None:
    """Draw some faces, a row per class; the same ones each time.

    Args:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) indices into `names`, or None.
        names: See `draw_class_balance`.
        path: The PNG file to write.
        title: The line above the figure.
    """
    random = np.random.default_rng(0)
    if labels is None:
        chosen = random.permutation(len(faces_u8))[: len(names) * SAMPLES_OF_CLASS]
        rows = np.array_split(
            faces_u8[chosen], range(SAMPLES_OF_CLASS, len(chosen), SAMPLES_OF_CLASS)
        )
        titles = [""] * len(rows)
    else:
        of_class = [np.flatnonzero(labels == label) for label in range(len(names))]
        rows = [faces_u8[random.permutation(of)[:SAMPLES_OF_CLASS]] for of in of_class]
        titles = [f"{name}\n{len(of):,}" for name, of in zip(names, of_class, strict=True)]
    figure = Figure(figsize=(SAMPLES_OF_CLASS, 0.4 + len(rows)), layout="constrained")
    axes = figure.subplots()
    _show_tiles(axes, rows)
    axes.set_yticks(*_ticks(titles))
    axes.set_title(title)
    _save(figure, path)


@any_text()
def draw_mean_faces(
    faces_u8: Mapping[str, NDArray[np.uint8]],
    labels: Mapping[str, NDArray[np.int64]],
    names: Sequence[str],
    path: Path,
) -> None:
    """Draw the mean face of each class in each split, and how it differs from all faces' mean.

    Args:
        faces_u8: By split, (N, 48, 48) uint8.
        labels: By split, (N,) indices into `names`; splits without are left out.
        names: See `draw_class_balance`.
        path: The PNG file to write.
    """
    means = {name: _means_of_classes(faces_u8[name], of, len(names)) for name, of in labels.items()}
    differences = {name: mean - faces_u8[name].mean(axis=0) for name, mean in means.items()}
    figure = Figure(figsize=(11, 1 + 3.2 * len(labels)), layout="compressed")
    top, bottom = figure.subplots(2, 1)
    _show_tiles(top, list(means.values()))
    shown = _show_tiles(bottom, list(differences.values()), limits=(-40, 40), colours="RdBu_r")
    figure.colorbar(shown, ax=bottom, label="grey values", shrink=0.8)
    top.set_title("Mean face of each class")
    bottom.set_title("The same, minus the mean of all faces of the split")
    for axes in (top, bottom):
        axes.set_xticks(*_ticks(names))
        axes.set_yticks(*_ticks([f"{name}\n{len(of):,} faces" for name, of in labels.items()]))
    _save(figure, path)


def _means_of_classes(
    faces_u8: NDArray[np.uint8], labels: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Return (C, 48, 48) float64, NaN where a class has no face."""
    means = np.full((classes, FACE_SIZE, FACE_SIZE), np.nan)
    for label in np.unique(labels):
        means[label] = faces_u8[labels == label].mean(axis=0)
    return means


@any_text()
def draw_brightness(
    faces_u8: Mapping[str, NDArray[np.uint8]],
    labels: Mapping[str, NDArray[np.int64]],
    names: Sequence[str],
    path: Path,
) -> None:
    """Draw how bright and how rich in contrast faces are, by split and by class.

    Args:
        faces_u8: By split, (N, 48, 48) uint8.
        labels: By split, (N,) indices into `names`; splits without are left out on the right.
        names: See `draw_class_balance`.
        path: The PNG file to write.
    """
    figure = Figure(figsize=(16, 5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    brightness = {name: faces.mean(axis=(1, 2)) for name, faces in faces_u8.items()}
    for name, faces in faces_u8.items():
        for axes, values in ((left, brightness[name]), (middle, faces.std(axis=(1, 2)))):
            axes.hist(values, bins=50, density=True, histtype="step", linewidth=1.5, label=name)
    left.set(title="Brightness", xlabel="Mean grey value of a face (0 to 255)", ylabel="Density")
    middle.set(title="Contrast", xlabel="Standard deviation of a face's grey values")
    left.legend()
    middle.legend()
    width = 0.8 / max(len(labels), 1)
    for index, (name, of_split) in enumerate(labels.items()):
        right.boxplot(
            [brightness[name][of_split == label] for label in range(len(names))],
            positions=np.arange(len(names)) + (index - (len(labels) - 1) / 2) * width,
            widths=0.8 * width,
            patch_artist=True,
            boxprops={"facecolor": f"C{index}"},
            medianprops={"color": "black"},
            flierprops={"markersize": 1},
            manage_ticks=False,
        )
    right.set_xticks(range(len(names)), names)
    right.set(title="Brightness by class", ylabel="Mean grey value of a face (0 to 255)")
    right.set_visible(bool(labels))
    _save(figure, path)


@any_text()
def draw_conflicts(
    faces_u8: Sequence[NDArray[np.uint8]],
    labels: Sequence[Mapping[str, int]],
    names: Sequence[str],
    path: Path,
) -> None:
    """Draw pictures whose copies have different labels, and which labels these are.

    Args:
        faces_u8: The pictures, each (48, 48) uint8; the first `SHOWN_CONFLICTS` are shown.
        labels: How often each picture has each class.
        names: See `draw_class_balance`.
        path: The PNG file to write.
    """
    figure = Figure(figsize=(17, 8), layout="constrained")
    left, right = np.asarray(figure.subfigures(1, 2, width_ratios=(3, 2)))
    shown = list(zip(faces_u8, labels, strict=True))[:SHOWN_CONFLICTS]
    rows = [shown[i : i + _CONFLICTS_IN_A_ROW] for i in range(0, len(shown), _CONFLICTS_IN_A_ROW)]
    axes = left.subplots()
    _show_tiles(axes, [[face for face, _ in row] for row in rows], gap=_CAPTION_PIXELS)
    step = FACE_SIZE + _CAPTION_PIXELS
    for index, (_, of_picture) in enumerate(shown):
        row, column = divmod(index, _CONFLICTS_IN_A_ROW)
        caption = "\n".join(f"{count} × {name}" for name, count in of_picture.items())
        x = column * step + FACE_SIZE / 2
        axes.text(x, row * step - 1, caption, fontsize=7, ha="center", va="bottom")
    title = f"Copies with different labels: {len(shown):,} of {len(faces_u8):,} pictures"
    axes.set_title(title, pad=28)
    _draw_pairs(right.subplots(), labels, names)
    _save(figure, path)


def _draw_pairs(axes: Axes, labels: Sequence[Mapping[str, int]], names: Sequence[str]) -> None:
    pictures = np.zeros((len(names), len(names)), dtype=np.int64)
    for of_picture in labels:
        for pair in itertools.combinations(sorted(map(names.index, of_picture)), 2):
            pictures[pair[::-1]] += 1
    seaborn.heatmap(
        pictures[1:, :-1],
        mask=np.triu(np.ones((len(names) - 1, len(names) - 1)), k=1),
        annot=True,
        fmt="d",
        cmap="Blues",
        square=True,
        linewidths=0.5,
        xticklabels=names[:-1],
        yticklabels=names[1:],
        cbar=False,
        ax=axes,
    )
    axes.tick_params(axis="y", rotation=0)
    axes.set_title("Pictures that have both labels")


def _show_tiles(
    axes: Axes,
    rows: Sequence[Sequence[NDArray[np.generic]] | NDArray[np.generic]],
    *,
    gap: int = _GAP_PIXELS,
    limits: tuple[float, float] = (0, 255),
    colours: str = "gray",
) -> AxesImage:
    """Show rows of (48, 48) pictures as one, which is much faster than axes for each."""
    step = FACE_SIZE + gap
    columns = max(len(row) for row in rows)
    canvas = np.full((len(rows) * step - gap, columns * step - gap), np.nan)
    for top, row in enumerate(rows):
        for left, picture in enumerate(row):
            place = (
                slice(top * step, top * step + FACE_SIZE),
                slice(left * step, left * step + FACE_SIZE),
            )
            canvas[place] = picture
    axes.set(xticks=[], yticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes.imshow(canvas, cmap=colours, vmin=limits[0], vmax=limits[1])


def _ticks(names: Sequence[str]) -> tuple[list[float], Sequence[str]]:
    """Return where the middle of each tile is, and its name."""
    step = FACE_SIZE + _GAP_PIXELS
    return [index * step + FACE_SIZE / 2 for index in range(len(names))], names


def _save(figure: Figure, path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100, bbox_inches="tight")
    write_atomically(path, picture.getvalue())
