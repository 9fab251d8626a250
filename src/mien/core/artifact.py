"""The artifact: an ONNX network and the sidecar that says how to use it.

`emotion.onnx` reads `faces`, float32 (N, 48, 48, 1) in [0, 1], and returns `probabilities`,
float32 (N, 7), each row summing to 1, in the order of `mien.EMOTIONS`; and, unless it was exported
without training faces at hand, `face_likeness`, float32 (N, 1): how much each picture looks like a
face at all, 0 and above for nine of ten faces. `emotion.json` beside it holds what the network does
not say itself. The two are written together and belong together: the sidecar holds the network's
SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE

ARTIFACT_NAME = "emotion.onnx"
"""What export names the network; the sidecar is named alike."""

FORMAT_VERSION = 1
"""The sidecar's format; a reader refuses any other."""

PIXEL_SCALE = 1 / 255
"""What a grey value (0 to 255) is multiplied by; `mien.core.preprocess` does it."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How to get from a detector's box to the square that FER2013 would have cut out.

    Attributes:
        scale: Side of the square as a multiple of the box's longer side.
        offset_x: Shift of the square's centre to the right of the box's, in box widths.
        offset_y: Shift of the square's centre down from the box's, in box heights.
    """

    scale: float
    offset_x: float
    offset_y: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """A network in ONNX and what its sidecar says.

    Attributes:
        onnx_path: The network's file.
        sha256: SHA-256 of that file, in hexadecimal.
        experiment: Name of the experiment that it was trained by.
        labels: The emotion of each output, in order.
        input_size: Side of the input in pixels.
        pixel_scale: What grey values (0 to 255) are multiplied by before they enter.
        temperature: Divide the logits by this to calibrate the probabilities; 1.0 changes
            nothing. See `apply_temperature`.
        crop: The framing that the network wants, by the detector's name.
        metrics: What was measured of it, as `mien evaluate` names it; may be empty.
        format_version: The sidecar's format.
    """

    onnx_path: Path
    sha256: str
    experiment: str
    labels: tuple[str, ...] = EMOTIONS
    input_size: int = FACE_SIZE
    pixel_scale: float = PIXEL_SCALE
    temperature: float = 1.0
    crop: Mapping[str, Framing] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


def load_artifact(onnx_path: Path | None = None) -> Artifact:
    """Read a network's sidecar and check that the two belong together.

    Args:
        onnx_path: The network, with its sidecar beside it (`emotion.onnx` and `emotion.json`);
            None for the network that ships with mien.

    Raises:
        ModelError: if one of the files is missing or cannot be read, the sidecar is no JSON, is of
            another format, lacks a key or holds a wrong value, or the network is not the one it was
            written for.
    """
    path = _bundled() if onnx_path is None else onnx_path
    try:
        return _load(path, path.with_suffix(".json"))
    except OSError as error:
        raise ModelError(f"The network {path} cannot be read: {error.strerror}.") from None


def _load(path: Path, sidecar: Path) -> Artifact:
    if not path.is_file():
        raise ModelError(f"There is no network {path}: `mien export` writes one.")
    if not sidecar.is_file():
        raise ModelError(
            f"{path} has no sidecar: expected {sidecar} beside it. Copy it from where the network "
            "came from, or write both with `mien export`."
        )
    artifact = _parse(path, sidecar)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != artifact.sha256:
        raise ModelError(
            f"{path} is not the network that {sidecar.name} was written for: its SHA-256 is "
            f"{found}, expected {artifact.sha256}. The file is damaged or was exchanged: copy both "
            "anew, or write both with `mien export`."
        )
    return artifact


def write_artifact(
    network: bytes,
    onnx_path: Path,
    *,
    experiment: str,
    temperature: float = 1.0,
    crop: Mapping[str, Framing] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Artifact:
    """Write a network and its sidecar.

    Each file is replaced as a whole. Whoever is stopped between the two leaves a pair that
    `load_artifact` refuses.

    Args:
        network: The ONNX file's content, of the input and output that this module describes.
        onnx_path: Where to; the sidecar goes beside it with the suffix `.json`.
        experiment: Name of the experiment that it was trained by.
        temperature: See `Artifact`; above 0.
        crop: The framing that the network wants, by the detector's name.
        metrics: What was measured of it; JSON values only.

    Returns:
        The artifact, as `load_artifact` would read it.

    Raises:
        ModelError: if `temperature` is not a number above 0.
    """
    artifact = Artifact(
        onnx_path=onnx_path,
        sha256=hashlib.sha256(network).hexdigest(),
        experiment=experiment,
        temperature=_check_temperature(temperature, str(onnx_path)),
        crop=dict(crop or {}),
        metrics=dict(metrics or {}),
    )
    content = asdict(artifact)
    # The sidecar lies beside the network, wherever the two are copied to.
    del content["onnx_path"]
    write_atomically(onnx_path, network)
    write_atomically(onnx_path.with_suffix(".json"), json.dumps(content, indent=2) + "\n")
    return artifact


def apply_temperature(
    probabilities: NDArray[np.float32], temperature: float
) -> NDArray[np.float32]:
    """Divide the logits behind `probabilities` by `temperature` (Guo et al. 2017, section 4.2).

    Args:
        probabilities: (N, C) float32, each row sums to 1.
        temperature: Above 0; above 1 makes the probabilities less sure, 1 leaves them alone.

    Returns:
        (N, C) float32, each row sums to 1; the order within a row stays.
    """
    if temperature == 1.0:
        return probabilities
    # log(p) is the logits up to a constant per row, which softmax ignores.
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / np.float32(temperature)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    calibrated: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return calibrated


def _bundled() -> Path:
    return Path(str(resources.files("mien"))) / "assets" / "emotion.onnx"


def _parse(onnx_path: Path, sidecar: Path) -> Artifact:
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{sidecar} is not a JSON file: {error}.") from None
    if not isinstance(content, dict):
        raise ModelError(f"{sidecar} holds a {type(content).__name__}; expected a JSON object.")
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{sidecar} is of format {version!r}; this mien reads format {FORMAT_VERSION}. "
            "Install the mien that wrote it, or export the network anew."
        )
    try:
        artifact = Artifact(
            onnx_path=onnx_path,
            sha256=str(content["sha256"]),
            experiment=str(content["experiment"]),
            labels=tuple(content["labels"]),
            input_size=int(content["input_size"]),
            pixel_scale=float(content["pixel_scale"]),
            temperature=_check_temperature(content["temperature"], str(sidecar)),
            crop={name: Framing(**framing) for name, framing in content["crop"].items()},
            metrics=dict(content["metrics"]),
        )
    except KeyError as error:
        raise ModelError(
            f"{sidecar} lacks the key {error}: export the network anew with `mien export`."
        ) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{sidecar} holds a value of the wrong type: {error}.") from None
    _check_fits(artifact, sidecar)
    return artifact


def _check_fits(artifact: Artifact, sidecar: Path) -> None:
    if artifact.labels != EMOTIONS:
        raise ModelError(
            f"{sidecar} lists the labels {', '.join(map(str, artifact.labels))}; expected "
            f"{', '.join(EMOTIONS)}, in this order (FER2013's labels 0 to 6)."
        )
    if artifact.input_size != FACE_SIZE or not math.isclose(
        artifact.pixel_scale, PIXEL_SCALE, rel_tol=1e-6
    ):
        raise ModelError(
            f"{sidecar} asks for faces of {artifact.input_size} pixels scaled by "
            f"{artifact.pixel_scale:.6g}; mien gives {FACE_SIZE} pixels scaled by "
            f"{PIXEL_SCALE:.6g} (1/255)."
        )


def _check_temperature(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ModelError(f"{where}: the temperature is {value!r}; expected a number above 0.")
    return float(value)
