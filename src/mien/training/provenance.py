"""Which faces a run was trained on, so that nothing goes on with others unnoticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mien.core.errors import ModelError
from mien.training.config import Experiment, load_experiment
from mien.training.faces import LabelledFaces
from mien.training.run_folder import RunFolder

FER2013_TRAINING = Path("data/train.csv")
"""What is trained on where nothing else is named."""

FER2013_FINGERPRINT = "01352062659e2e38f85c6a78ed50f63707be1e71dfa2d57b45eeb06c83a762d5"
"""`LabelledFaces.fingerprint` of FER2013's training faces."""


def data_of(experiment: Experiment, named: Path | None) -> Path:
    """Return the faces to train on: those named, else the recipe's, else FER2013's."""
    if named is not None:
        return named
    return Path(experiment.data.path) if experiment.data.path else FER2013_TRAINING


def data_of_run(run: RunFolder, named: Path | None) -> Path:
    """Return the faces that a run was trained on: those named, else what it says, else FER2013's.

    Raises:
        ModelError: if what it says cannot be read.
    """
    if named is not None:
        return named
    if "source" in (known := _read(run)):
        return Path(known["source"])
    return data_of(load_experiment(run.recipe), None) if run.recipe.is_file() else FER2013_TRAINING


def describe_faces(faces: LabelledFaces) -> dict[str, Any]:
    """Say which faces these are: the content of a run's `data.json`."""
    return {
        "source": str(faces.source),
        "faces": len(faces.labels),
        "sha256": faces.fingerprint(),
    }


def check_faces(faces: LabelledFaces, run: RunFolder) -> None:
    """See that a run was trained on these faces; older runs do not tell theirs.

    Raises:
        ModelError: if it was trained on others.
    """
    known, found = _read(run), describe_faces(faces)
    if known and known["sha256"] != found["sha256"]:
        raise ModelError(
            f"{run.path} holds a run on other faces: {known['faces']:,} of {known['source']}, not "
            f"these {found['faces']:,} of {found['source']}, or with other labels or groups. Name "
            "its faces with --data; or give the recipe another name, or throw that run away with "
            "--restart."
        )


def is_foreign(run: RunFolder) -> bool:
    """Say whether a run was trained on other faces than FER2013's; older runs were not.

    Raises:
        ModelError: if its `data.json` cannot be read.
    """
    return _read(run).get("sha256", FER2013_FINGERPRINT) != FER2013_FINGERPRINT


def _read(run: RunFolder) -> dict[str, Any]:
    if not run.data.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(run.data.read_text(encoding="utf-8"))
        _ = content["source"], content["faces"], content["sha256"]
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f"{run.data} does not name the run's faces: throw the run away with --restart."
        ) from None
    return content
