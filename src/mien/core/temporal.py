"""The file of a temporal network, and the sidecar that says which face artifact it belongs to.

`temporal.onnx` takes one moment of N faces and N states in, and gives probabilities and the next
states. It reads what one face artifact says of faces, so it is good for that artifact and that
reading alone: `temporal.json` beside it names both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mien.core.artifact import MOST_LABELS, Artifact
from mien.core.errors import ModelError
from mien.core.sidecar import (
    as_integer,
    as_number,
    as_text,
    as_texts,
    bundled,
    check_characters,
    check_names,
    is_number,
    naming_sidecar,
    read_network,
    read_sidecar,
    sidecar_of,
    write_pair,
)

TEMPORAL_NAME = "temporal.onnx"
"""What export names the network; the sidecar is named alike."""

TEMPORAL_FORMAT = 1
"""The sidecar's format; a reader refuses any other."""

_MOST_NUMBERS = 100_000  # of features or of a state; no network has so many
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TemporalArtifact:
    """A temporal network and what its sidecar says.

    Attributes:
        onnx_path: The network's file.
        experiment: Name of the experiment that it was trained by.
        face_artifact: Name of the experiment of the face artifact that it belongs to.
        face_artifact_sha256: SHA-256 of that artifact's network.
        reading: Name of the reading whose probabilities it reads.
        labels: The labels of that reading, in the order of its answers.
        features: How many features it reads.
        state: How many numbers a face's state has; a new face's are zeros.
        longest_elapsed_ms: A longer pause, and the time before the first moment, counts as this.
        metrics: What was measured of it; JSON values.
        sha256: SHA-256 of the network's file, in hexadecimal; empty until it is written.
        format_version: The sidecar's format.

    Raises:
        ModelError: if a value is not valid.
    """

    onnx_path: Path
    experiment: str
    face_artifact: str
    face_artifact_sha256: str
    reading: str
    labels: tuple[str, ...]
    features: int
    state: int
    longest_elapsed_ms: float
    metrics: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    format_version: int = TEMPORAL_FORMAT

    def __post_init__(self) -> None:
        check_characters("name of the experiment", self.experiment)
        check_characters("name of the face artifact", self.face_artifact)
        check_characters("name of the reading", self.reading)
        check_names("labels", self.labels)
        if len(self.labels) > MOST_LABELS:
            raise ModelError(
                f"There are {len(self.labels)} labels; expected 1 to {MOST_LABELS} of them."
            )
        for name, value in (("face artifact's", self.face_artifact_sha256), ("own", self.sha256)):
            if value and not _SHA256.fullmatch(value):
                raise ModelError(
                    f"The {name} SHA-256 is {value!r}; expected 64 digits from 0 to f."
                )
        for name, least in (("features", 0), ("state", 1)):
            size = getattr(self, name)
            if not least <= size <= _MOST_NUMBERS:
                raise ModelError(
                    f"The number of {name} is {size}; expected {least} to {_MOST_NUMBERS:,}."
                )
        longest_ms = self.longest_elapsed_ms
        if not is_number(longest_ms) or not 0 < longest_ms <= 3_600_000:
            raise ModelError(
                f"The longest elapsed time is {longest_ms!r} ms; expected a number above 0, an "
                "hour at most."
            )

    def check_belongs_to(self, artifact: Artifact, reading: str) -> None:
        """Refuse to run on what another artifact, or another reading, says of faces.

        Args:
            artifact: The face artifact.
            reading: The name of its reading.

        Raises:
            ModelError: if it is another one.
        """
        again = (
            f"mien train experiments/{self.experiment}.toml --restart  trains one for the artifact "
            "that ships; with another one, leave --temporal out."
        )
        if artifact.sha256 != self.face_artifact_sha256:
            raise ModelError(
                f"{self.onnx_path} belongs to the artifact {self.face_artifact} (SHA-256 "
                f"{self.face_artifact_sha256}); found {artifact.experiment} "
                f"({artifact.sha256}). {again}"
            )
        if reading != self.reading:
            raise ModelError(
                f"{self.onnx_path} belongs to the reading {self.reading!r}; found {reading!r}. "
                f"Choose --reading {self.reading}, or leave --temporal out."
            )
        labels = artifact.reading(reading).labels
        if labels != self.labels:
            raise ModelError(
                f"{self.onnx_path} tells {', '.join(self.labels)}; the reading {reading!r} tells "
                f"{', '.join(labels)}. {again}"
            )


def bundled_temporal() -> Path:
    """Return the shipped temporal network, for the artifact that ships."""
    return bundled(TEMPORAL_NAME)


def load_temporal(path: str | Path) -> TemporalArtifact:
    """Read a network's sidecar and check that the two belong together.

    Args:
        path: The ONNX file; its sidecar lies beside it.

    Raises:
        ModelError: if one of the files is missing or cannot be read, the sidecar is no JSON, is of
            another format, lacks a key or holds a wrong value, or was written for another network.
    """
    onnx_path = Path(path)
    sidecar = sidecar_of(onnx_path)
    try:
        content = read_sidecar(sidecar)
    except OSError as error:
        raise ModelError(
            f"The temporal network {onnx_path} cannot be read: {error.filename}: "
            f"{error.strerror}. Expected it and its sidecar {sidecar.name} beside it, as "
            "mien train writes them."
        ) from None
    found = _parse(onnx_path, sidecar, content)
    read_network(onnx_path, found.sha256)
    return found


def write_temporal(network: bytes, artifact: TemporalArtifact) -> TemporalArtifact:
    """Write a temporal network and its sidecar; its `sha256` is found here.

    Args:
        network: The ONNX file's content.
        artifact: What to write of it, to `artifact.onnx_path` and beside it.
    """
    artifact = replace(artifact, sha256=hashlib.sha256(network).hexdigest())
    content = asdict(replace(artifact, metrics=dict(artifact.metrics)))
    del content["onnx_path"]
    write_pair(artifact.onnx_path, network, content)
    return artifact


def _parse(onnx_path: Path, sidecar: Path, content: Mapping[str, Any]) -> TemporalArtifact:
    version = content.get("format_version")
    if version != TEMPORAL_FORMAT:
        raise ModelError(
            f"{sidecar} is of format {version!r}; this mien reads format {TEMPORAL_FORMAT} of "
            "temporal networks."
        )
    with naming_sidecar(sidecar, "write both files again with `mien train`"):
        return TemporalArtifact(
            onnx_path=onnx_path,
            experiment=as_text(content["experiment"]),
            face_artifact=as_text(content["face_artifact"]),
            face_artifact_sha256=as_text(content["face_artifact_sha256"]),
            reading=as_text(content["reading"]),
            labels=as_texts(content["labels"]),
            features=as_integer(content["features"]),
            state=as_integer(content["state"]),
            longest_elapsed_ms=as_number(content["longest_elapsed_ms"]),
            metrics=dict(content["metrics"]),
            sha256=as_text(content["sha256"]),
        )
