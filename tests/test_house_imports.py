import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_run_column_imports_without_a_training_library():
    script = Path(__file__).with_name("import_run_column.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mien.cli" in done.stdout


def test_the_command_line_needs_no_third_party_package_but_typer():
    code = (
        "import sys, mien.cli; print({'numpy', 'cv2', 'onnxruntime', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("module", ["export.publish", "training.fit", "evaluation.keras_network"])
def test_what_tensorflow_reads_is_set_before_it_is_imported(module):
    pytest.importorskip("tensorflow", reason="needs mien[train]")
    code = f"""
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("keras", "tensorflow"):
            print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
import mien.{module}
"""
    environment = {
        key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
