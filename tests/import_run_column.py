"""Import the whole run column in this interpreter; fail when a training library came along.

The tests run it in a fresh interpreter, and `.ci/run` in an environment without extras:

    python tests/import_run_column.py [--no-extras]
"""

import importlib
import pkgutil
import sys
from importlib.util import find_spec

RUN_COLUMN = (
    "mien.cli",
    "mien.core",
    "mien.media",
    "mien.classifier",
    "mien.faces",
    "mien.recognizer",
    "mien.engine",
    "mien.record",
    "mien.live",
    "mien.video",
    "mien.batch",
)
NEEDS_AN_EXTRA = ("mien.serve",)
TRAINING_LIBRARIES = (
    *("keras", "tensorflow", "torch", "jax", "sklearn", "matplotlib", "seaborn", "tf2onnx"),
    *("mien.data", "mien.models", "mien.training", "mien.evaluation", "mien.export"),
)


def import_with_submodules(name: str) -> None:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        importlib.import_module(found.name)


def main() -> None:
    names = [name for name in RUN_COLUMN if find_spec(name)]
    if "--no-extras" in sys.argv:
        present = [name for name in TRAINING_LIBRARIES if "." not in name and find_spec(name)]
        assert not present, f"the base installation brought {', '.join(present)}"
    else:
        names += [name for name in NEEDS_AN_EXTRA if find_spec(name)]
    for name in names:
        import_with_submodules(name)
    loaded = [name for name in TRAINING_LIBRARIES if name in sys.modules]
    assert not loaded, f"importing the run column loaded {', '.join(loaded)}"
    print(f"imported without a training library: {', '.join(names)}")


if __name__ == "__main__":
    main()
