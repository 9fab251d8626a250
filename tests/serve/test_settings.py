"""The settings, as docs/deploy.md lists them."""

import inspect
import re
from pathlib import Path

import pytest

from mien.serve.settings import ENVIRONMENT_PREFIX, Limits, Settings

PAGE = Path(__file__).parents[2] / "docs/deploy.md"
COMPUTED = {"threads": "one a core", "state_file": "in the user's cache"}


def descriptions(model):
    """What the docstring says of each setting, on one line."""
    attributes = inspect.getdoc(model).partition("Attributes:")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def shown(name, default):
    if name in COMPUTED:
        return COMPUTED[name]
    if isinstance(default, bool) or default in (None, ()):
        return "no" if default is False else "none"
    if isinstance(default, str):
        return default
    return f"{default:,.0f}" if default >= 10_000 else f"{default:g}"


def rows(model, name_of):
    said = descriptions(model)
    assert said.keys() == model.model_fields.keys()
    for name, field in model.model_fields.items():
        if name != "limits":
            yield f"| `{name_of(name)}` | {shown(name, field.default)} | {said[name]} |"


@pytest.mark.parametrize(
    ("model", "name_of"),
    [(Settings, lambda name: ENVIRONMENT_PREFIX + name.upper()), (Limits, str)],
    ids=["settings", "limits"],
)
def test_the_page_lists_every_setting_as_it_is(model, name_of):
    expected = list(rows(model, name_of))
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index(expected[0])
    assert lines[start : start + len(expected)] == expected
    assert not "".join(lines[start + len(expected) :][:1])  # No further row.
