"""mien works with the oldest versions of everything that pyproject.toml allows.

They are found and installed by uv, in an environment that is made here. Warnings are no errors in
it: old versions warn of what newer ones have mended.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs mien[train]")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Older versions of Starlette test with httpx.
TOOLS = ("pytest", "hypothesis", "scikit-image", "httpx", "httpx2")
# Photographs, networks, recordings, the service, and a training of a minute with its export.
TESTS = (
    "tests/test_recognizer.py",
    "tests/classifier",
    "tests/media",
    "tests/serve/test_images.py",
    "tests/export/test_export.py",
)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python that has the oldest versions."""
    folder = tmp_path_factory.mktemp("lowest")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    made = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    install = [made, "-m", "uv", "pip", "install", "--quiet", "--python", made]
    lowest = [*install, "--resolution", "lowest-direct"]
    for command in (
        [made, "-m", "pip", "install", "--quiet", "uv"],
        [*lowest, "--editable", f"{ROOT}[train,serve,video,heic]"],
        [*install, *TOOLS],  # of which the newest will do
    ):
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            lines = installed.stderr.strip().splitlines()
            told = lines[-1] if lines else "the installer said nothing"
            pytest.skip(f"the oldest versions cannot be installed: {told}")
    return made


def test_the_oldest_versions_that_are_allowed_work(python):
    ran = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", *TESTS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
