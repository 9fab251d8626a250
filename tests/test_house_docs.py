"""The pages must not promise what is not there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import typer.main

from mien.cli import app
from mien.core.types import Box, FaceEmotion

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
EXPERIMENT = re.compile(r"experiments/\S+\.toml")
EMPTY = {"-": ""}  # a figure that a run has not


def command_names(group) -> set[str]:
    names = set()
    for name, command in group.commands.items():
        inner = command_names(command) if hasattr(command, "commands") else {""}
        if getattr(command, "invoke_without_command", False):
            inner.add("")
        names |= {f"{name} {rest}".strip() for rest in inner}
    return names


def code_blocks(page: Path) -> str:
    return "\n".join(re.findall(r"```\w*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))


def test_recipes_to_copy_are_toml():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        tomllib.loads(block)


def test_links_lead_somewhere():
    link = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
    links = [
        (page.name, page.parent / found)
        for page in PAGES
        for found in link.findall(page.read_text(encoding="utf-8"))
    ]
    assert links
    assert not [(name, path) for name, path in links if not path.exists()]


def test_commands_exist():
    known = command_names(typer.main.get_command(app))
    command = re.compile(r"^[!.\\\w/]*?\bmien ((?:[a-z]+ ?){1,2})", re.MULTILINE)
    lines = [(page.name, line) for page in PAGES for line in command.findall(code_blocks(page))]
    assert lines
    assert not [
        (name, line) for name, line in lines if not {line.strip(), line.partition(" ")[0]} & known
    ]


def test_what_fer_and_deepface_have_as_dictionaries_goes_through_json():
    page = (ROOT / "docs/from-fer-and-deepface.md").read_text(encoding="utf-8")
    said = re.findall(r"`(?:json\.dumps\()?(face\.to_dict\(\)[^`)]*)\)?`", page)
    row = np.full(7, 1 / 7, np.float32)
    face = FaceEmotion(0, 0.0, 0, Box(1.0, 2.0, 3.0, 4.0), 0.9, "happy", 1 / 7, row, False)
    found = [json.loads(json.dumps(eval(each, {"face": face}))) for each in said]
    assert len(found) == 4
    assert found[0]["happy"] == pytest.approx(1 / 7)


def test_experiment_files_exist():
    named = {name for page in PAGES for name in EXPERIMENT.findall(code_blocks(page))}
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def rows_of_experiments():
    """Each experiment's row on its page: its file, title and figures."""
    from mien.training.config import load_experiment
    from mien.training.iterations import iteration_history

    for line in iteration_history(ROOT / "experiments", ROOT / "results" / "runs"):
        name, _, said = line.partition(" ")
        recipe = ROOT / "experiments" / f"{name}.toml"
        if not recipe.is_file():
            continue
        experiment = load_experiment(recipe)
        count = 6 if experiment.network.family != "temporal" else 7
        figures = [EMPTY.get(each, each.replace("%", " %")) for each in said.split()[:count]]
        cells = ["not run"] + [""] * (count - 1) if figures[0] == "not" else figures
        link = f"[{name[:3]}](../experiments/{recipe.name})"
        yield f"| {' | '.join([link, experiment.title, *cells])} |"


@pytest.fixture
def _committed_runs():
    pytest.importorskip("pydantic", reason="needs mien[train]")
    command = ["git", "status", "--porcelain", "--", "experiments", "results/runs"]
    status = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if status.returncode or status.stdout:
        pytest.skip("the experiments and runs here are not those that are committed")


@pytest.mark.usefixtures("_committed_runs")
def test_the_report_of_the_shipped_network_has_the_iteration_history_of_today():
    from mien.training.iterations import iteration_history

    report = (ROOT / "results/model/final_emotion_model_arch.txt").read_text(encoding="utf-8")
    printed = report.partition("Iteration history\n=================\n")[2].rstrip("\n").split("\n")
    assert printed == iteration_history(ROOT / "experiments", ROOT / "results" / "runs")


@pytest.mark.usefixtures("_committed_runs")
@pytest.mark.parametrize("folder", sorted(ROOT.glob("results/runs/*")), ids=lambda path: path.name)
def test_the_report_of_a_run_has_its_figures_and_finding(folder, tmp_path):
    from mien.training.final_figures import refresh_final_figures
    from mien.training.run_folder import RunFolder

    run = RunFolder(shutil.copytree(folder, tmp_path / folder.name))
    if not run.architecture.is_file():
        pytest.skip("a temporal network has no such report")
    refresh_final_figures(run)
    assert run.architecture.read_bytes() == RunFolder(folder).architecture.read_bytes()


@pytest.mark.usefixtures("_committed_runs")
def test_the_page_of_experiments_has_every_one_with_its_figures():
    page = (ROOT / "docs/experiments.md").read_text(encoding="utf-8").splitlines()
    assert [row for row in rows_of_experiments() if row not in page] == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_steps_to_a_token_work_on_a_fresh_machine(tmp_path):
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    (steps,) = re.findall(r"```sh\n([^`]*openssl[^`]*)  mien serve --token-file (\S+)\n", text)
    (tmp_path / "etc").mkdir()
    script = steps[0].replace("/etc/", f"{tmp_path}/etc/")
    subprocess.run(["sh", "-euc", script], check=True)
    token = Path(f"{tmp_path}{steps[1]}")
    assert len(token.read_text().strip()) == 48
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_release_links_the_readme_to_its_repository(tmp_path):
    pytest.importorskip("hatchling", reason="needs mien[dev]")
    address = "https://git.example/people/mien"
    code = (
        "import hatchling.build as b, sys; print(b.prepare_metadata_for_build_wheel(sys.argv[1]))"
    )
    environment = {"GITHUB_SERVER_URL": "https://git.example", "GITHUB_REPOSITORY": "people/mien"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    metadata = (tmp_path / done.stdout.strip() / "METADATA").read_text(encoding="utf-8")
    assert f"Project-URL: Repository, {address}" in metadata
    # What others made is in the wheel, and so are their licences.
    for name in ("inter_semibold", "face_detection_yunet_2023mar"):
        assert f"License-File: src/mien/assets/{name}.LICENSE" in metadata
    readme = metadata.partition("\n\n")[2]
    links = re.findall(r"\]\(([^)]+)\)", readme)
    assert links
    assert all(link.startswith(("https://", "http://", "#")) for link in links)
    assert f"{address}/raw/v" in readme
    assert f"{address}/blob/v" in readme


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {project['version']}\n" in citation
    assert version("mien") == project["version"]
