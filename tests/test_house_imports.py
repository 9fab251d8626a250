import subprocess
import sys
from pathlib import Path


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
