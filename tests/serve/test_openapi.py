"""The API against its own description, with requests that schemathesis makes up."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

# No schema can tell the bytes of a picture from others.
UNDECIDABLE = "positive_data_acceptance"


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs mien[dev]")
def test_the_api_is_as_described(start, tmp_path):
    server = start("--limit", "requests_per_minute=1000000")
    words = ["-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json"]
    words += ["--exclude-checks", UNDECIDABLE, "--max-examples", "20", "--no-color"]
    words += ["--generation-deterministic"]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in server.log.read_text()


def test_every_operation_is_described(start):
    document = json.loads(start().ask("/openapi.json")[2])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert operation["operationId"].isidentifier()
    assert "securitySchemes" not in document["components"]
