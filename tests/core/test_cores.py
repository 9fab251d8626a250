"""Threads and workers are as many as this process may use, not as many as the machine has."""

import os
import subprocess
import sys

import pytest

from mien.core import cores
from mien.core.cores import usable_cores


@pytest.fixture
def sixteen_cores(monkeypatch):
    """As on a machine with sixteen, without a share of time."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("20000 100000", 1),
        ("3200000 100000", 16),
        ("max 100000", 16),
        ("something else that is new", 16),
    ],
)
def test_a_container_s_share_of_time_counts(sixteen_cores, monkeypatch, tmp_path, said, expected):
    file = tmp_path / "cpu.max"
    file.write_text(said + "\n")
    monkeypatch.setattr(cores, "_QUOTA_FILE", file)
    assert usable_cores() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_a_server_that_is_held_on_one_core_has_one_thread():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from mien.serve.settings import Settings; print(Settings().threads)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
