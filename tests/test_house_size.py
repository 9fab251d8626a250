"""A clone stays small: of weights, the repository keeps the networks that ship, once."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST_TREE = 25_000_000  # bytes
WEIGHTS = {".keras", ".onnx", ".h5", ".pt", ".pth", ".safetensors", ".tflite"}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = listed.stdout.decode().split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def test_the_tracked_tree_is_small(tracked):
    largest = sorted(tracked, key=lambda path: path.stat().st_size, reverse=True)[:5]
    total = sum(path.stat().st_size for path in tracked)
    assert total <= LARGEST_TREE, f"{total:,} bytes are tracked; the largest files: {largest}"


def test_only_the_networks_that_ship_are_tracked(tracked):
    weights = {path.relative_to(ROOT).as_posix() for path in tracked if path.suffix in WEIGHTS}
    shipped = ("emotion.keras", "emotion.onnx", "temporal.onnx")
    assert weights == {f"src/mien/assets/{name}" for name in shipped}


@pytest.mark.parametrize(
    "path",
    [
        "results/model/emotion.onnx",
        "results/model/final_emotion_model.keras",
        "results/runs/003_spatial_dropout/final_emotion_model.keras",
    ],
)
def test_a_trained_network_is_not_committed_by_chance(tracked, path):
    ignored = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False)
    assert ignored.returncode == 0
