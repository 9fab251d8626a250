"""The artifact: a network and the sidecar that says how to use it.

`emotion.onnx` reads crops of faces and answers with one or more **heads**, rows that sum to 1, each
over classes of its own; mien's networks have one for FER2013's labels and one for what FER+'s
raters say. `emotion.json` beside it holds what the graph does not say itself: how a crop becomes
the input, the classes of each head, and the **readings**, each of which makes the probabilities of
its labels out of the heads. The two are written together and belong together: the sidecar holds the
network's SHA-256.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mien.core.errors import ModelError, SettingError
from mien.core.preprocess import FER2013_INPUT, NetworkInput
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

ARTIFACT_NAME = "emotion.onnx"
"""What export names the network; the sidecar is named alike."""

FORMAT_VERSION = 2
"""The sidecar's format; a reader refuses any other."""

MOST_LABELS = 16
"""A reading has no more labels than this: as many colours can be told apart, just."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How to get from a detector's box to the square that the network's training faces show.

    Attributes:
        scale: Side of the square as a multiple of the box's longer side.
        offset_x: Shift of the square's centre to the right of the box's, in box widths.
        offset_y: Shift of the square's centre down from the box's, in box heights.

    Raises:
        ModelError: if a value is no number, or the scale or a shift is beyond any face.
    """

    scale: float
    offset_x: float
    offset_y: float

    def __post_init__(self) -> None:
        for name, least, most in (("scale", 0.1, 10), ("offset_x", -5, 5), ("offset_y", -5, 5)):
            value = getattr(self, name)
            if not is_number(value) or not least <= value <= most:
                raise ModelError(
                    f"The crop has the {name} {value!r}; expected a number from {least} to {most}."
                )


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to make probabilities out of the network's heads: whose words they are in.

    The columns of `labels` are taken out of each head and renormalised, the heads are added up by
    their shares, and the sum is calibrated: `mien.classifier.reading.read` does it.

    Attributes:
        labels: What it tells apart, in the order of the probabilities; 1 to 16.
        shares: The weight of each head that it reads, by the head's name; they sum to 1.
        temperature: The logarithms of the sum are divided by this, and its rows renormalised, to
            calibrate it (`mien.classifier.reading.apply_temperature`); 1.0 changes nothing.
        metrics: What was measured of it on validation faces; JSON values.

    Raises:
        ModelError: if a value is not valid.
    """

    labels: tuple[str, ...]
    shares: Mapping[str, float]
    temperature: float = 1.0
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names("labels", self.labels)
        if len(self.labels) > MOST_LABELS:
            raise ModelError(
                f"There are {len(self.labels)} labels; expected 1 to {MOST_LABELS} of them."
            )
        shares = list(self.shares.values())
        if not all(is_number(share) and 0 <= share <= 1 for share in shares) or not math.isclose(
            sum(shares), 1.0, abs_tol=1e-6
        ):
            raise ModelError(
                f"The shares of the heads are {dict(self.shares)}; expected numbers from 0 to 1 "
                "that sum to 1."
            )
        if not is_number(self.temperature) or not 0.01 <= self.temperature <= 100:
            raise ModelError(
                f"The temperature is {self.temperature!r}; expected a number from 0.01 to 100."
            )


@dataclass(frozen=True, slots=True)
class Artifact:
    """A network's file and what its sidecar says.

    Attributes:
        onnx_path: The network's file.
        experiment: Name of the experiment that it was trained by.
        heads: The classes of each head, in the order of its columns, by the output's name.
        readings: What can be read out of the heads, by name.
        default_reading: The reading that is used where none is named.
        input: How a crop becomes the network's input.
        face_likeness: Name of the output, (N, 1), that holds the log odds of being a face; None
            where there is none.
        features: Name of the output, (N, F), that holds what the heads read; None where there is
            none.
        crop: The framing that the network wants, by the detector's name.
        metrics: What was measured of it, as `mien evaluate` names it; may be empty.
        sha256: SHA-256 of the network's file, in hexadecimal; empty until it is written.
        format_version: The sidecar's format.

    Raises:
        ModelError: if two of these do not fit together, or a value is not valid.
    """

    onnx_path: Path
    experiment: str
    heads: Mapping[str, tuple[str, ...]]
    readings: Mapping[str, Reading]
    default_reading: str
    input: NetworkInput = FER2013_INPUT
    face_likeness: str | None = None
    features: str | None = None
    crop: Mapping[str, Framing] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        check_characters("name of the experiment", self.experiment)
        extra = [name for name in (self.face_likeness, self.features) if name is not None]
        check_names("outputs", [*self.heads, *extra])
        for head, classes in self.heads.items():
            check_names(f"classes of the head {head!r}", classes)
        check_names("readings", list(self.readings))
        for name, reading in self.readings.items():
            self._check_reading(name, reading)
        if self.default_reading not in self.readings:
            raise ModelError(
                f"The default reading is {self.default_reading!r}; the artifact has "
                f"{' and '.join(self.readings)}."
            )

    def reading(self, name: str | None = None) -> Reading:
        """Return the reading of that name; the default one if None.

        Raises:
            SettingError: if there is none of that name.
        """
        name = self.default_reading if name is None else name
        if name not in self.readings:
            raise SettingError(
                f"The artifact {self.experiment} has no reading {name!r}: expected "
                f"{' or '.join(self.readings)}."
            )
        return self.readings[name]

    def _check_reading(self, name: str, reading: Reading) -> None:
        for head in reading.shares:
            if head not in self.heads:
                raise ModelError(
                    f"The reading {name!r} reads the head {head!r}; the network has "
                    f"{', '.join(self.heads)}."
                )
            missing = set(reading.labels) - set(self.heads[head])
            if missing:
                raise ModelError(
                    f"The reading {name!r} has the labels {', '.join(sorted(missing))}, which the "
                    f"head {head!r} does not know: it has {', '.join(self.heads[head])}."
                )


def load_artifact(onnx_path: str | Path | None = None) -> Artifact:
    """Read a network's sidecar and check that the two belong together.

    Args:
        onnx_path: The network, with its sidecar beside it (`emotion.onnx` and `emotion.json`);
            None for the shipped network.

    Raises:
        ModelError: if one of the files is missing or cannot be read, the sidecar is no JSON, is of
            another format, lacks a key or holds a wrong value, or the network is not the one it was
            written for.
    """
    try:
        path = bundled(ARTIFACT_NAME) if onnx_path is None else Path(onnx_path)
    except TypeError:
        raise ModelError(
            f"Found {type(onnx_path).__name__} as a network; expected the path of its ONNX file."
        ) from None
    try:
        return _load(path, sidecar_of(path))
    except OSError as error:
        raise ModelError(f"The network {path} cannot be read: {error.strerror}.") from None


def _load(path: Path, sidecar: Path) -> Artifact:
    if not path.is_file():
        raise ModelError(
            f"There is no network {path}: `mien train` and `mien export` write one; without a path "
            "mien takes the one that ships."
        )
    if not sidecar.is_file():
        raise ModelError(
            f"{path} has no sidecar: expected {sidecar} beside it. Copy it from where the network "
            "came from, or write both with `mien export`."
        )
    artifact = _parse(path, sidecar)
    read_network(path, artifact.sha256)
    return artifact


def write_artifact(network: bytes, artifact: Artifact) -> Artifact:
    """Write a network and its sidecar; see `write_pair`.

    Args:
        network: The ONNX file's content.
        artifact: What to write of it, to `artifact.onnx_path` and beside it with the suffix
            `.json`; its `sha256` is found here.

    Returns:
        The artifact, as `load_artifact` would read it.
    """
    artifact = replace(artifact, sha256=hashlib.sha256(network).hexdigest())
    content = asdict(_of_plain_dicts(artifact))
    # The sidecar lies beside the network, wherever the two are copied to.
    del content["onnx_path"]
    write_pair(artifact.onnx_path, network, content)
    return artifact


def _of_plain_dicts(artifact: Artifact) -> Artifact:
    """Return the same artifact without other kinds of mappings, which cannot be copied."""
    return replace(
        artifact,
        heads=dict(artifact.heads),
        readings={
            name: replace(reading, shares=dict(reading.shares), metrics=dict(reading.metrics))
            for name, reading in artifact.readings.items()
        },
        crop=dict(artifact.crop),
        metrics=dict(artifact.metrics),
    )


def _parse(onnx_path: Path, sidecar: Path) -> Artifact:
    content = read_sidecar(sidecar)
    if "face_artifact" in content:
        raise ModelError(
            f"{onnx_path} is a temporal network; expected one that reads single faces, such as "
            f"{ARTIFACT_NAME}. A temporal one is named beside it:  --temporal {onnx_path}  or, in "
            "Python,  mien.EngineSettings(temporal=...)"
        )
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{sidecar} is of format {version!r}; this mien reads format {FORMAT_VERSION}. Export "
            "the network again from its Keras file:  mien export NETWORK.keras --out FOLDER"
        )
    with naming_sidecar(sidecar, "export the network again with `mien export`"):
        return Artifact(
            onnx_path=onnx_path,
            experiment=as_text(content["experiment"]),
            heads={name: as_texts(classes) for name, classes in content["heads"].items()},
            readings={name: _reading(each) for name, each in content["readings"].items()},
            default_reading=as_text(content["default_reading"]),
            input=_network_input(content["input"]),
            face_likeness=_optional_text(content.get("face_likeness")),
            features=_optional_text(content.get("features")),
            crop={name: Framing(**framing) for name, framing in content["crop"].items()},
            metrics=dict(content["metrics"]),
            sha256=as_text(content["sha256"]),
        )


def _network_input(content: Mapping[str, Any]) -> NetworkInput:
    return NetworkInput(
        name=as_text(content["name"]),
        side=as_integer(content["side"]),
        channels=as_integer(content["channels"]),
        mean=tuple(map(as_number, content["mean"])),
        scale=tuple(map(as_number, content["scale"])),
    )


def _reading(content: Mapping[str, Any]) -> Reading:
    return Reading(
        labels=as_texts(content["labels"]),
        shares=dict(content["shares"]),
        temperature=content["temperature"],
        metrics=dict(content["metrics"]),
    )


def _optional_text(value: Any) -> str | None:
    return None if value is None else as_text(value)
