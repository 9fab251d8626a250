"""The settings, as docs/deploy.md lists them and as `mien serve` takes them."""

import inspect
import re
from pathlib import Path

import pytest

from mien.cli import main
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
    if isinstance(default, bool) or default in (None, (), {}):
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


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--token-file", "{empty}"], "token file {empty} is empty"),
        (["--threads", "0"], "threads (MIEN_SERVE_THREADS)"),
        (["--workers", "0"], "workers (MIEN_SERVE_WORKERS)"),
        (["--limit", "foo=1"], "there is no limits.foo; expected one of "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_option_that_is_empty_or_nought_is_not_taken_for_none(words, found, tmp_path, capsys):
    empty = tmp_path / "token"
    empty.write_text("\n")
    words = [word.format(empty=empty) for word in words]
    # Were it taken for none, this would be refused for another reason, and no server start.
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--offline", "--host", "0.0.0.0", *words])
    assert stopped.value.code == 2
    assert found.format(empty=empty) in capsys.readouterr().err
