"""The settings, as docs/deploy.md lists them and as `mien serve` takes them."""

import inspect
import re
from collections import defaultdict
from pathlib import Path

import pytest

from mien.cli import main
from mien.core.errors import SettingError
from mien.serve.settings import ENVIRONMENT_PREFIX, Limits, Settings

PAGE = Path(__file__).parents[2] / "docs/deploy.md"
OF_A_TABLE = defaultdict(str, gate="__…")
WRITTEN = {"port": "8000", "threads": "one per core", "state_file": "in the user's cache"}


def descriptions(model):
    """What the docstring says of each setting, on one line."""
    attributes = inspect.getdoc(model).partition("Attributes:")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def shown(name, default):
    if name in WRITTEN:
        return WRITTEN[name]
    if isinstance(default, bool) or default in (None, (), {}):
        return "no" if default is False else "none"
    if isinstance(default, str):
        return default
    return f"{default:,.0f}" if default >= 1000 else f"{default:g}"


def rows(model, name_of):
    said = descriptions(model)
    assert said.keys() == model.model_fields.keys()
    for name, field in model.model_fields.items():
        if name != "limits":
            yield f"| `{name_of(name)}` | {shown(name, field.default)} | {said[name]} |"


@pytest.mark.parametrize(
    ("model", "name_of"),
    [(Settings, lambda name: ENVIRONMENT_PREFIX + name.upper() + OF_A_TABLE[name]), (Limits, str)],
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


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("MIEN_SERVE_GATE", "min_confidence=0.5", "MIEN_SERVE_GATE__MIN_CONFIDENCE=0.5"),
        ("MIEN_SERVE_LIMITS", "streams=3", "MIEN_SERVE_LIMITS__STREAMS=10"),
        ("MIEN_SERVE_LIMITS", "", "MIEN_SERVE_LIMITS__STREAMS=10"),
    ],
)
def test_a_variable_for_all_limits_is_told_how_one_is_set(monkeypatch, variable, text, expected):
    monkeypatch.setenv(variable, text)
    with pytest.raises(SettingError) as refused:
        Settings.from_environment({"limits": {"streams": "2"}, "gate": {"min_side_px": 20.0}})
    assert f"Found {variable}={text}; expected a variable for each" in str(refused.value)
    assert str(refused.value).endswith(f" {expected}.")


@pytest.mark.parametrize(
    ("token", "position"),
    [
        ("a-tökén-of-some-length", 4),
        ("a-token-of-some-length ", 23),
        (" a-token-of-some-length", 1),
        ("a-token-of\nsome-length", 11),
    ],
)
def test_a_token_that_no_client_could_show_is_refused(token, position):
    with pytest.raises(SettingError, match=f"Character {position} of the token") as refused:
        Settings.parse({"token": token})
    assert token not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Mien.Example.org:8443", "mien.example.org"),
        ("[FD00::1]:8443", "fd00::1"),
        ("fd00::1", "fd00::1"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("*", "*"),
    ],
)
def test_a_host_is_allowed_with_its_port_and_in_capitals(written, meant):
    assert Settings.parse({"allowed_hosts": [written]}).allowed_hosts == (meant,)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://Example.org/", "https://example.org"),
        ("HTTPS://example.org:443", "https://example.org"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_allowed_as_people_write_it(written, meant):
    assert Settings.parse({"allowed_origins": [written]}).allowed_origins == (meant,)


@pytest.mark.parametrize(
    "values",
    [
        *(
            {"allowed_hosts": [host]}
            for host in ("https://example.org", "example.org/mien", "é.de")
        ),
        *({"allowed_origins": [origin]} for origin in ("example.org", "https://example.org/app")),
        *({"allowed_origins": [origin]} for origin in ("*", "null", "https://")),
    ],
    ids=lambda values: "".join(*values.values()),
)
def test_what_can_be_no_host_or_origin_is_refused(values):
    ((found,),) = values.values()
    with pytest.raises(SettingError, match=re.escape(f"{found!r}; expected")):
        Settings.parse(values)
