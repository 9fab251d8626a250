"""A network's file and the JSON beside it: read, written and checked alike for every kind.

What a sidecar says is checked value by value, as it may come from anywhere: `as_text`, `as_number`
and the others raise the TypeError that a reader turns into a `ModelError` which names the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from mien.core.errors import ModelError
from mien.core.files import write_atomically

_LONGEST_NAME = 100  # characters
# Unicode's marks that embed or override the direction of writing.
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def bundled(name: str) -> Path:
    """Return where a file that ships with mien lies."""
    return Path(str(resources.files("mien"))) / "assets" / name


def sidecar_of(onnx_path: Path) -> Path:
    """Return where the sidecar of a network is: beside it, with the suffix `.json`.

    Raises:
        ModelError: if the network is a folder.
    """
    if onnx_path.is_dir():
        raise ModelError(f"{onnx_path} is a folder: name the .onnx file in it.")
    return onnx_path.with_suffix(".json")


def read_sidecar(sidecar: Path) -> dict[str, Any]:
    """Return what a sidecar holds.

    Raises:
        ModelError: if it is no JSON object.
        OSError: if it cannot be read.
    """
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{sidecar} is not a JSON file: {error}.") from None
    if not isinstance(content, dict):
        raise ModelError(f"{sidecar} holds a {type(content).__name__}; expected a JSON object.")
    return content


@contextmanager
def naming_sidecar(sidecar: Path, remedy: str) -> Iterator[None]:
    """Turn what is wrong with a sidecar's values into a ModelError that names the file.

    Args:
        sidecar: The file that the values are of.
        remedy: What to do where a key is missing.
    """
    try:
        yield
    except KeyError as error:
        raise ModelError(f"{sidecar} lacks the key {error}: {remedy}.") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{sidecar} holds a value of the wrong type: {error}.") from None
    except ModelError as error:
        raise ModelError(f"{sidecar}: {error}") from None


def read_network(onnx_path: Path, sha256: str) -> bytes:
    """Return the content of a network's file, after checking it against its sidecar's SHA-256.

    Raises:
        ModelError: if it is another one than the sidecar was written for, or cannot be read.
    """
    try:
        network = onnx_path.read_bytes()
    except OSError as error:
        raise ModelError(f"The network {onnx_path} cannot be read: {error.strerror}.") from None
    found = hashlib.sha256(network).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{onnx_path} is not the network that {onnx_path.with_suffix('.json').name} was "
            f"written for: its SHA-256 is {found}, expected {sha256}. The file is damaged or was "
            "exchanged: copy both again, or write both with `mien export` (a temporal network: "
            "`mien train`)."
        )
    return network


def write_pair(onnx_path: Path, network: bytes, sidecar: Mapping[str, Any]) -> None:
    """Write a network and, beside it with the suffix `.json`, its sidecar.

    Each file is replaced as a whole. Whoever is stopped between the two leaves a pair that
    `read_network` refuses.

    Args:
        onnx_path: Where the network goes.
        network: The ONNX file's content.
        sidecar: JSON values, among them the network's "sha256".
    """
    write_atomically(onnx_path, network)
    write_atomically(onnx_path.with_suffix(".json"), json.dumps(sidecar, indent=2) + "\n")


def as_text(value: Any) -> str:
    """Return a JSON value that must be a text; TypeError if it is something else."""
    if not isinstance(value, str):
        raise TypeError(f"found {value!r}, expected a text")
    return value


def as_texts(values: Any) -> tuple[str, ...]:
    """Return a JSON value that must be a list of texts; TypeError if it is something else."""
    if not isinstance(values, list):
        raise TypeError(f"found {values!r}, expected a list of texts")
    return tuple(map(as_text, values))


def as_integer(value: Any) -> int:
    """Return a JSON value that must be a whole number; TypeError if it is something else."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"found {value!r}, expected a whole number")
    return value


def as_number(value: Any) -> float:
    """Return a JSON value that must be a finite number; TypeError if it is something else."""
    if not is_number(value):
        raise TypeError(f"found {value!r}, expected a number")
    return float(value)


def is_number(value: Any) -> bool:
    """Whether it is a finite number that a float can hold; JSON's may have any length."""
    try:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(float(value))
        )
    except OverflowError:
        return False


def check_names(kind: str, names: Sequence[str]) -> None:
    """Refuse names that are none, or that no line of a table or window could show."""
    if not names:
        raise ModelError(f"There are no {kind}; expected one at least.")
    if len(set(names)) < len(names):
        raise ModelError(f"The {kind} are {', '.join(names)}; expected each of them once.")
    for name in names:
        if not name.strip() or len(name) > _LONGEST_NAME:
            raise ModelError(
                f"One of the {kind} is {name!r}; expected 1 to {_LONGEST_NAME} characters."
            )
        check_characters(f"text among the {kind}", name)


def check_characters(kind: str, text: str) -> None:
    """Refuse control characters, halves of characters, line and paragraph ends.

    Directions of writing are among them: they would turn round the rest of a line.
    """
    if any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in _DIRECTIONS
        for character in text
    ):
        raise ModelError(
            f"The {kind} {text!r} holds a line break or control character; expected none."
        )
