"""The notebooks of examples/ run as they are, and are committed without what they printed."""

import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
MOST_SECONDS = 300  # a cell
# Long enough to see that it works; nobody reads the figures.
SHORTER = {"EPOCHS, PART = 3, 0.1": "EPOCHS, PART = 1, 0.5", "EPOCHS = 30": "EPOCHS = 2"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


@pytest.mark.parametrize("text", SHORTER)
def test_what_is_made_shorter_stands_in_a_notebook(text):
    assert any(text in json.dumps(json.loads(path.read_text("utf-8"))) for path in NOTEBOOKS)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, reader_folder, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs mien[dev]")
    nbformat = pytest.importorskip("nbformat", reason="needs mien[dev]")
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for text, shorter in SHORTER.items():
            cell.source = cell.source.replace(text, shorter)
    resources = {"metadata": {"path": str(reader_folder)}}
    nbclient.NotebookClient(notebook, timeout=MOST_SECONDS, resources=resources).execute()
