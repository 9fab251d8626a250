"""The files of recipes, as text: found, read and copied without what training needs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from mien.core.errors import ModelError, SettingError
from mien.core.files import write_atomically


def read_recipe_file(path: Path) -> str:
    """Return the text of a recipe's file.

    Raises:
        ModelError: if it is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows' editors begin with a mark.
    except FileNotFoundError:
        raise ModelError(
            f"There is no experiment file {path}: name one, such as experiments/000_baseline.toml, "
            "or write one with `mien experiments new`."
        ) from None
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is not a TOML file: {error}.") from None


def shipped_file(name: str) -> Path:
    """Return the file of a recipe that ships with mien, by its name or the number before it.

    Raises:
        ModelError: if there is none of that name.
    """
    paths = {path.stem: path for folder in _shipped_folders() for path in folder.glob("*.toml")}
    found = [path for stem, path in paths.items() if name in (stem, stem.partition("_")[0])]
    if len(found) != 1:
        raise ModelError(
            f"mien ships no recipe {name!r}; expected the path of a file, or one of "
            f"{', '.join(sorted(paths))}."
        )
    return found[0]


def recipe_file(name: Path) -> Path:
    """Return the file of a recipe: a path that ends in .toml, or the name of one that ships.

    Raises:
        ModelError: if none of that name ships; whether a path is there is not looked at.
    """
    return name if name.suffix == ".toml" else shipped_file(str(name))


def new_recipe(name: str, origin: Path, folder: Path) -> Path:
    """Write a recipe to change, as a copy of another one; return its path.

    Args:
        name: What it is to be called.
        origin: See `recipe_file`.
        folder: Where it goes; made where it is missing.

    Raises:
        SettingError: if the name is no file's, or there is such a file.
        ModelError: if there is no such origin.
    """
    path = folder / f"{name}.toml"
    if not name or path.parent != folder or name.startswith("."):
        raise SettingError(f"{name!r} is no name of a recipe: give one such as 100_own.")
    if path.exists():
        raise SettingError(f"There is a {path} already: give another name.")
    statements = _of_a_new_recipe(_statements(read_recipe_file(recipe_file(origin))))
    write_atomically(path, "\n".join(statements) + "\n")
    return path


def _of_a_new_recipe(statements: Iterable[str]) -> Iterator[str]:
    """Leave out what has been found, and that it is the one that ships."""
    in_table = False
    for statement in statements:
        in_table = in_table or statement.lstrip().startswith("[")
        key = "" if in_table else statement.partition("=")[0].strip()
        if key == "status" and tomllib.loads(statement) == {"status": "selected"}:
            yield 'status = "candidate"'
        elif key != "finding":
            yield statement


def _statements(text: str) -> Iterator[str]:
    """Cut TOML into the fewest lines that are TOML by themselves; what is none is left whole."""
    lines: list[str] = []
    for line in text.rstrip("\n").split("\n"):
        lines.append(line)
        try:
            tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError:
            continue
        yield "\n".join(lines)
        lines.clear()
    if lines:
        yield "\n".join(lines)


def _shipped_folders() -> list[Path]:
    """Return the folder in the package, and in a checkout that of the repository's experiments."""
    package = Path(str(resources.files("mien")))
    return [package / "assets" / "recipes", package.parents[1] / "experiments"]
