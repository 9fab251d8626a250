"""Figures to look at: the confusion matrix and the reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn
from numpy.typing import NDArray

from mien.data.figure_file import any_text, write_figure
from mien.evaluation.calibration import Calibration


@any_text()
def draw_confusion_matrix(
    confusion: list[list[int]], names: Sequence[str], path: Path, *, title: str
) -> None:
    """Draw which label was called what, as a share of its faces and as a count.

    Args:
        confusion: confusion[i][j]: faces of label i that were called j, (C, C).
        names: What the C labels are called.
        path: The PNG file to write.
        title: The line above the figure.
    """
    counts = np.asarray(confusion)
    per_emotion = counts.sum(axis=1)
    percent = 100 * counts / np.maximum(per_emotion, 1)[:, np.newaxis]
    cells = [
        [f"{share:.1f}%\n{count:,}" for share, count in zip(shares, row, strict=True)]
        for shares, row in zip(percent, counts, strict=True)
    ]
    figure, axes = plt.subplots(figsize=(9, 8), layout="constrained")
    seaborn.heatmap(
        percent,
        vmin=0,
        vmax=100,
        annot=cells,
        fmt="",
        cmap="Blues",
        linewidths=0.5,
        square=True,
        xticklabels=names,
        yticklabels=[f"{e}\n{n:,}" for e, n in zip(names, per_emotion, strict=True)],
        cbar_kws={"label": "% of the faces of an emotion (a row sums to 100)", "shrink": 0.8},
        ax=axes,
    )
    axes.tick_params(axis="y", rotation=0)
    axes.set(title=title, xlabel="Predicted", ylabel="Labelled (number of faces)")
    write_figure(figure, path)


@any_text()
def draw_reliability_diagram(
    before: Calibration, after: Calibration, path: Path, *, title: str
) -> None:
    """Draw accuracy over confidence, without and with the temperature.

    Args:
        before: Calibration of the network's own probabilities.
        after: Calibration of those that mien hands out.
        path: The PNG file to write.
        title: The line above the figure.
    """
    figure, both = plt.subplots(1, 2, figsize=(11, 5.2), layout="constrained", sharey=True)
    for axes, calibration, name in zip(
        both, (before, after), ("Network's own", "With temperature"), strict=True
    ):
        edges = np.asarray(calibration.edges)
        axes.bar(
            edges[:-1],
            [value or 0.0 for value in calibration.accuracies],
            width=np.diff(edges),
            align="edge",
            edgecolor="white",
            label="share of right answers in the bin",
        )
        axes.plot([0, 1], [0, 1], color="black", linestyle="--", label="perfectly calibrated")
        share = axes.twinx()
        share.step(
            edges,
            [0.0, *(100 * count / sum(calibration.counts) for count in calibration.counts)],
            color="tab:orange",
        )
        share.set(ylim=(0, 100), ylabel="% of the faces (orange)")
        axes.set(
            title=f"{name}: expected calibration error {calibration.expected_error:.3f}",
            xlabel="Confidence",
            ylabel="Share of right answers",
            xlim=(0, 1),
            ylim=(0, 1),
        )
        axes.legend(loc="upper left")
    figure.suptitle(title)
    write_figure(figure, path)


@any_text()
def draw_contact_sheet(
    faces_u8: NDArray[np.uint8], captions: Sequence[str], path: Path, *, title: str
) -> None:
    """Draw faces side by side, each with its caption.

    Args:
        faces_u8: (N, 48, 48) uint8, at least one.
        captions: What stands above each; may have two lines.
        path: The PNG file to write.
        title: The line above all.
    """
    columns = min(len(faces_u8), 10)
    rows = -(-len(faces_u8) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.3 * columns + 2, 1.7 * rows + 0.6), layout="constrained"
    )
    for number, cell in enumerate(np.ravel(axes)):
        cell.axis("off")
        if number < len(faces_u8):
            cell.imshow(faces_u8[number], cmap="gray", vmin=0, vmax=255)
            cell.set_title(captions[number], fontsize=7)
    figure.suptitle(title, fontsize=10)
    write_figure(figure, path)
