"""The lock has a version of everything that the tests need, and one that pyproject.toml allows."""

import json
import re
import tomllib
import zipfile
from pathlib import Path

import pytest

packaging_requirements = pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).parents[1]
PINNED = re.compile(r"^([\w.-]+)==(\S+?)(?: ; (.+?))? \\$", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements_of(extras: set[str], project: dict) -> set[str]:
    """What a project needs with these extras, those that its own extras name among them."""
    found = set(project["dependencies"])
    for extra in extras:
        for text in project["optional-dependencies"][extra]:
            requirement = packaging_requirements.Requirement(text)
            if normal(requirement.name) == project["name"]:
                found |= requirements_of(requirement.extras, project)
            else:
                found.add(text)
    return found


def test_the_lock_satisfies_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked: dict[str, list[str]] = {}
    for name, version, _ in PINNED.findall((ROOT / "requirements.lock").read_text("utf-8")):
        locked.setdefault(normal(name), []).append(version)
    for text in requirements_of({"train", "dev"}, project):
        requirement = packaging_requirements.Requirement(text)
        versions = locked.get(normal(requirement.name))
        assert versions, f"{text} is not in requirements.lock: run make lock"
        outside = [version for version in versions if version not in requirement.specifier]
        assert not outside, f"requirements.lock has {outside}, not {text}: run make lock"


def test_the_oldest_keras_that_is_allowed_opens_the_shipped_network():
    """Keras opens what an older Keras wrote, and often not what a newer one did."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (keras,) = (
        packaging_requirements.Requirement(text)
        for text in requirements_of({"train"}, project)
        if text.startswith("keras")
    )
    with zipfile.ZipFile(ROOT / "src/mien/assets/emotion.keras") as archive:
        written_by = json.loads(archive.read("metadata.json"))["keras_version"]
    release = ".".join(written_by.split(".")[:2])
    assert str(keras.specifier) == f">={release}"
