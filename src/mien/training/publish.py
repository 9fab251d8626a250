"""Put a finished run where the repository shows its selected network."""

from __future__ import annotations

import json
from pathlib import Path

from mien.core.files import write_atomically

_PUBLISHED = (
    "final_emotion_model.keras",
    "emotion.onnx",
    "emotion.json",
    "final_emotion_model_arch.txt",
    "learning_curves.png",
    "metrics.json",
)


def publish_run(run_folder: Path, results: Path) -> None:
    """Copy what a finished run left, file by file, to `results`.

    Args:
        run_folder: The folder of a finished and exported run.
        results: The folder to show it in, such as `results/model`.
    """
    for name in _PUBLISHED:
        write_atomically(results / name, (run_folder / name).read_bytes())
    experiment = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))["experiment"]
    print(f"published {experiment} in {results}")
