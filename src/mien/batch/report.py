"""The page of a batch: what all faces show, source by source; what is uncertain, what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.batch.folder import part_files, read_asked, read_results
from mien.batch.worker import DONE, FAILED, SET_ASIDE, SourceResult
from mien.core.errors import DataError
from mien.core.files import write_atomically
from mien.record.page import fill_page, share_bar, table_section
from mien.record.parquet import require_pyarrow

MOST_SOURCES = 1000
"""So many sources are listed, those with the most faces; the table of sources has all."""

MOST_UNCERTAIN = 100
"""So many of the sources are listed whose faces are uncertain most often."""

MOST_FAILED = 300
"""So many of the sources are listed that failed, and of those that are incomplete."""

_LONGEST_NAME = 200
_LONGEST_ERROR = 400


def write_batch_report(folder: Path, out: Path) -> None:
    """Write the page of a batch, finished or not, of at most 5 MB.

    Args:
        folder: What `mien batch` wrote.
        out: The HTML file to write.

    Raises:
        DataError: if the folder holds no batch, or nothing is done yet.
        OutputError: if the page cannot be written.
        MissingExtraError: if pyarrow is missing.
    """
    require_pyarrow()
    asked = read_asked(folder)
    results = [result for part in part_files(folder) for result in read_results(part)]
    if not results:
        raise DataError(f"{folder} holds no source that is done: start `mien batch` again.")
    write_atomically(out, batch_page(folder.resolve().name, asked, results))


def batch_page(name: str, asked: dict[str, Any], results: Sequence[SourceResult]) -> str:
    """Return the page of a batch.

    Args:
        name: What to call it.
        asked: What it was asked for; see `mien.batch.folder.read_asked`.
        results: What became of its sources.
    """
    labels = tuple(asked["labels"])
    states = Counter(result.state for result in results)
    videos = [result for result in results if result.kind == "video"]
    faces = sum(result.faces for result in results)
    uncertain = sum(result.uncertain for result in results)
    facts = {
        "Pictures": f"{len(results) - len(videos):,}",
        "Videos": f"{len(videos):,}",
        "Hours of video": f"{sum(video.duration_ms for video in videos) / 3_600_000:,.2f}",
        "Faces": f"{faces:,}",
        "Uncertain": f"{uncertain / faces:.0%}" if faces else "-",
        "Failed": f"{states[FAILED] + states[SET_ASIDE]:,}",
        "Incomplete": f"{sum(result.is_incomplete for result in results):,}",
        "Reading": str(asked["reading"]),
    }
    with_faces = [result for result in results if result.faces]
    sections = []
    if with_faces:
        sections = [
            _overall(with_faces, labels),
            _sources(with_faces, labels),
            _most_uncertain(with_faces, labels),
        ]
    if failed := [result for result in results if result.state != DONE]:
        sections.append(_reasons("Failed", failed))
    if incomplete := [result for result in results if result.is_incomplete]:
        sections.append(_reasons("Done, but incomplete", incomplete))
    return fill_page(
        name,
        "Emotions that faces showed, source by source.",
        labels,
        facts,
        sections,
        f"mien {escape(str(asked['mien_version']))}, artifact "
        f"{escape(str(asked['artifact_sha256'])[:12])}, detector "
        f"{escape(str(asked['detector']))}. A face counts once a frame. Grey stands for faces "
        "whose label is not to be relied upon. All sources are in sources.parquet. What a "
        "face shows is not what a person feels.",
    )


def _overall(results: Sequence[SourceResult], labels: tuple[str, ...]) -> str:
    shares = np.array([_shares(result) for result in results])
    counts = np.array([result.faces for result in results])
    return (
        "<section><h2>What the faces show</h2>"
        f"<h3>Every face of every frame counts once</h3>"
        f"{share_bar(np.average(shares, axis=0, weights=counts), labels)}"
        f"<h3>Every source counts once, however long it is</h3>"
        f"{share_bar(shares.mean(axis=0), labels)}</section>"
    )


def _sources(results: Sequence[SourceResult], labels: tuple[str, ...]) -> str:
    most = sorted(results, key=lambda result: (-result.faces, result.source))
    rows = _bars(most[:MOST_SOURCES], labels)
    return table_section("Source by source", rows, len(results) - MOST_SOURCES)


def _most_uncertain(results: Sequence[SourceResult], labels: tuple[str, ...]) -> str:
    doubtful = [result for result in results if result.uncertain]
    doubtful.sort(key=lambda each: (-each.uncertain / each.faces, -each.faces, each.source))
    rows = _bars(doubtful[:MOST_UNCERTAIN], labels)
    return table_section("Most uncertain", rows, len(doubtful) - MOST_UNCERTAIN)


def _reasons(title: str, results: Sequence[SourceResult]) -> str:
    results = sorted(results, key=lambda result: result.source)
    rows = (
        f"<tr>{_name(result)}<td>{escape(_cut(result.error or '', _LONGEST_ERROR))}</td></tr>"
        for result in results[:MOST_FAILED]
    )
    return table_section(title, rows, len(results) - MOST_FAILED)


def _bars(results: Iterable[SourceResult], labels: tuple[str, ...]) -> Iterable[str]:
    for result in results:
        faces = "1 face" if result.faces == 1 else f"{result.faces:,} faces"
        yield f'<tr>{_name(result)}<td class="soft">{faces}</td>'
        yield f'<td class="wide">{share_bar(_shares(result), labels)}</td></tr>'


def _name(result: SourceResult) -> str:
    return f"<th>{escape(_cut(result.source, _LONGEST_NAME))}</th>"


def _cut(text: str, longest: int) -> str:
    """The end of a long path says more than its beginning."""
    return text if len(text) <= longest else f"…{text[-longest:]}"


def _shares(result: SourceResult) -> NDArray[np.float64]:
    """(C + 1,) the part of each label among the faces, and that of the uncertain ones."""
    return np.array([*result.shown, result.uncertain]) / result.faces
