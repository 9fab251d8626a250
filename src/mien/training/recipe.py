"""A recipe and its name: one of `experiments/`, one that ships, or a variant of these."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from mien.core.errors import ModelError, SettingError
from mien.training.config import Experiment, parse_experiment
from mien.training.recipe_file import read_recipe_file, recipe_file, shipped_file


@dataclass(frozen=True, slots=True)
class Recipe:
    """An experiment, its name and its text.

    Attributes:
        name: That of its run folder.
        experiment: The checked content.
        text: The same as TOML.
        folder: Where the recipes of the runs lie that it needs.
    """

    name: str
    experiment: Experiment
    text: str
    folder: Path

    def variant(self, name: str, changes: Mapping[str, Any]) -> Recipe:
        """Return a recipe of another name with some values changed.

        Args:
            name: Its name.
            changes: Values by their key, such as "training.learning_rate"; None takes a key away.

        Raises:
            ModelError: if the result is not valid; the message names the key.
        """
        table = tomllib.loads(self.text)
        if table["status"] == "selected":
            # Only the recipe itself is what the repository ships.
            table["status"] = "candidate"
        for key, value in changes.items():
            *path, last = key.split(".")
            inner = table
            for part in path:
                inner = inner.setdefault(part, {})
                if not isinstance(inner, dict):
                    raise ModelError(f"{key!r} is no key of a recipe: {part!r} is a value.")
            if value is None:
                inner.pop(last, None)
            else:
                inner[last] = value
        text = tomli_w.dumps(table)
        return Recipe(name, parse_experiment(text, name), text, self.folder)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe's file; its name is that of the file.

    Raises:
        ModelError: see `mien.training.config.load_experiment`.
    """
    text = read_recipe_file(path)
    return Recipe(path.stem, parse_experiment(text, str(path)), text, path.parent)


def shipped_recipe(name: str) -> Recipe:
    """Read a recipe that ships with mien, by its name or the number that it begins with.

    Raises:
        ModelError: if there is none of that name.
    """
    return load_recipe(shipped_file(name))


def find_recipe(name: Path) -> Recipe:
    """Read a recipe by its path, or by its name where it ships with mien.

    Raises:
        ModelError: if there is none, or it is not valid.
    """
    return load_recipe(recipe_file(name))


def parse_change(text: str) -> tuple[str, Any]:
    """Read `KEY=VALUE`, the value in TOML; a word that is no TOML is itself.

    Raises:
        SettingError: if there is no key, or more than one value.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingError(f"Found {text!r}; expected KEY=VALUE, as training.learning_rate=0.01.")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key.strip(), value
    if len(parsed) > 1:
        raise SettingError(f"Found {text!r}; expected one KEY=VALUE, and --set again for another.")
    return key.strip(), parsed["value"]


def parse_changes(texts: Sequence[str]) -> dict[str, Any]:
    """Read several of `parse_change`.

    Raises:
        SettingError: if one is not valid, or a key comes twice.
    """
    changes: dict[str, Any] = {}
    for key, value in map(parse_change, texts):
        if key in changes:
            raise SettingError(f"--set {key} is given twice, {changes[key]!r} and {value!r}.")
        changes[key] = value
    return changes
