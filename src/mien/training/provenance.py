"""Which faces or clips a run was trained on, so that nothing goes on with others unnoticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.data.clips import ClipSet
from mien.data.test_faces import find_test_faces
from mien.data.usage import TEST_USAGES, USAGE_OF_NAME
from mien.training.config import Experiment, load_experiment
from mien.training.faces import LabelledFaces
from mien.training.run_folder import RunFolder

FER2013_TRAINING = Path("data/train.csv")
"""What is trained on where nothing else is named."""

LARGEST_TEST_PART = 0.05
"""Of FER2013's training faces 3 % are copies of test faces, no larger part is."""

FER2013_FINGERPRINT = "01352062659e2e38f85c6a78ed50f63707be1e71dfa2d57b45eeb06c83a762d5"
"""`LabelledFaces.fingerprint` of FER2013's training faces."""

FER2013_SPLIT = "266d7f4960473cedf766f2d81d5fad0338390a69418a5776f191211b9652b21e"
"""`LabelledFaces.split_fingerprint` of these."""


def data_of(experiment: Experiment) -> Path:
    """Return the faces to train on where none are named: the recipe's, else FER2013's."""
    return Path(experiment.data.path) if experiment.data.path else FER2013_TRAINING


def data_of_run(run: RunFolder) -> Path:
    """Return the faces that a run was trained on: what it says, else its recipe, else FER2013's.

    Raises:
        ModelError: if what it says cannot be read.
    """
    if "source" in (known := _read(run)):
        return Path(known["source"])
    return data_of(load_experiment(run.recipe)) if run.recipe.is_file() else FER2013_TRAINING


def describe_data(data: LabelledFaces | ClipSet) -> dict[str, Any]:
    """Say which faces or clips these are: the content of a run's `data.json`."""
    source, sha256 = str(data.source), data.fingerprint()
    if isinstance(data, ClipSet):
        return {"source": source, "clips": len(data.clips), "sha256": sha256}
    return {
        "source": source,
        "faces": len(data.labels),
        "sha256": sha256,
        "split_sha256": data.split_fingerprint(),
        "pictures_sha256": _digest_of_pictures(data.faces_u8),
    }


def _digest_of_pictures(faces_u8: NDArray[np.uint8]) -> str:
    """Return a SHA-256 of faces, in whatever order they come."""
    digests = sorted(hashlib.sha256(face.tobytes()).digest() for face in faces_u8)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def has_learnt(faces_u8: NDArray[np.uint8], data: Path, run: RunFolder) -> bool:
    """Say whether these are the faces that a run was given to learn from.

    Args:
        faces_u8: (N, 48, 48) uint8.
        data: The file or folder in which they lie: what a run learnt from, it has learnt, though
            a few pictures came or went since, and so what lies in that folder, but for a test.
        run: The run.

    Raises:
        ModelError: if its `data.json` cannot be read.
    """
    source, data = data_of_run(run).resolve(), data.resolve()
    if data.is_relative_to(source):
        return USAGE_OF_NAME.get(data.name.casefold()) not in TEST_USAGES
    return same_pictures(faces_u8, run)


def same_pictures(faces_u8: NDArray[np.uint8], run: RunFolder) -> bool:
    """Say whether a run was trained on the same pictures as these, in whatever file and order.

    Args:
        faces_u8: (N, 48, 48) uint8.
        run: The run; older ones do not tell their pictures.

    Raises:
        ModelError: if its `data.json` cannot be read.
    """
    return bool(_read(run).get("pictures_sha256") == _digest_of_pictures(faces_u8))


def splits_alike(faces: LabelledFaces, run: RunFolder) -> bool:
    """Say whether a run's faces are split as these: the same pictures, labels and groups.

    Of a run that does not tell, they are taken to be, but for groups: they are split otherwise now.

    Raises:
        ModelError: if its `data.json` cannot be read.
    """
    known = _read(run)
    if "split_sha256" not in known:
        return faces.groups is None or faces.kept_for_validation is not None
    return bool(known["split_sha256"] == faces.split_fingerprint())


def known_clips(run: RunFolder) -> frozenset[str]:
    """Return the keys (`mien.data.clips.Clip.key`) of the clips that a run has learnt.

    Raises:
        ModelError: if its `data.json` cannot be read.
    """
    return frozenset(_read(run).get("known_clips", ()))


def choosing_clips(run: RunFolder) -> frozenset[str]:
    """Return the keys of the other clips that have chosen a run's epoch; older runs do not tell.

    Raises:
        ModelError: if its `data.json` cannot be read.
    """
    return frozenset(_read(run).get("choosing_clips", ()))


def check_data(data: LabelledFaces | ClipSet, run: RunFolder) -> None:
    """See that a run was trained on these faces or clips; older runs do not tell theirs.

    Raises:
        ModelError: if it was trained on others, or its faces were split otherwise than now.
    """
    known = _read(run)
    if known and known["sha256"] != data.fingerprint():
        found = describe_data(data)
        raise ModelError(
            f"{run.path} holds a run on other data: {_count(known)} of {known['source']}, not "
            f"these {_count(found)} of {found['source']}, or with other labels or groups. Name "
            "its data with --data; or give the recipe another name, or throw that run away with "
            "--restart."
        )
    if known and isinstance(data, LabelledFaces) and not splits_alike(data, run):
        raise ModelError(
            f"{run.path} holds a run of an earlier mien, which split the groups of these faces "
            "otherwise: it has learnt from faces that would choose its epoch now. Throw it away "
            "with --restart, or give the recipe another name."
        )


def check_same_input(known: Mapping[str, str], run: RunFolder) -> None:
    """See that a temporal network goes on with what the same artifact says by the same reading.

    Args:
        known: The artifact's SHA-256, the reading's name and, of clips, that of the detector, by
            the keys of `data.json`.
        run: Where it is kept; of a run that does not tell, they are taken to be the same.

    Raises:
        ModelError: if they are others.
    """
    described = _read(run)
    changed = [key for key, value in known.items() if described.get(key, value) != value]
    if changed == ["detector"]:
        raise ModelError(
            f"{run.path} learns from faces that {described['detector']} found; now there is "
            f"{known['detector']}: throw that run away with --restart."
        )
    if changed:
        raise ModelError(
            f"{run.path} learns from what another network, or reading, says of faces than the one "
            "that ships now: throw that run away with --restart."
        )


def _count(described: Mapping[str, Any]) -> str:
    kind = "clips" if "clips" in described else "faces"
    return f"{described[kind]:,} {kind}"


def is_foreign(run: RunFolder) -> bool:
    """Say whether a run was trained on other data than FER2013's faces; older runs were not.

    Raises:
        ModelError: if its `data.json` cannot be read.
    """
    return _read(run).get("sha256", FER2013_FINGERPRINT) != FER2013_FINGERPRINT


def told_of_test_faces(faces: LabelledFaces) -> str | None:
    """Say how many of FER2013's test faces a network would learn; None if hardly any."""
    known = int((find_test_faces(faces.faces_u8) >= 0).sum())
    if known <= LARGEST_TEST_PART * len(faces.labels):
        return None
    return (
        f"{known:,} of the {len(faces.labels):,} faces to train on are FER2013's test faces: what "
        "this network scores on that test will say nothing"
    )


def _read(run: RunFolder) -> dict[str, Any]:
    if not run.data.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(run.data.read_text(encoding="utf-8"))
        _ = content["source"], content["sha256"], _count(content)
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f"{run.data} does not name the run's data: throw the run away with --restart."
        ) from None
    return content
