"""The API against its own description, with requests that schemathesis makes up."""

import json
import re
import shutil
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
    words += ["--exclude-checks", UNDECIDABLE, "--max-examples", "10", "--no-color"]
    words += ["--generation-deterministic"]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in server.log.read_text()


def test_every_operation_is_described(server):
    document = json.loads(server.ask("/openapi.json")[2])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert operation["operationId"].isidentifier()
    assert "securitySchemes" not in document["components"]


def examples(document, language):
    return re.findall(rf"```{language}\n(.*?)```", document["info"]["description"], re.DOTALL)


@pytest.fixture
def files(video_of, astronaut_jpeg, tmp_path):
    """The files of which the examples speak, in the folder `tmp_path`."""
    (tmp_path / "people.jpg").write_bytes(astronaut_jpeg)
    (tmp_path / "clip.mp4").write_bytes(video_of(5))


@pytest.mark.usefixtures("files")
def test_the_examples_for_python_run(server, tmp_path):
    pytest.importorskip("httpx2", reason="needs mien[dev]")
    document = json.loads(server.ask("/openapi.json")[2])
    pieces = examples(document, "python")
    assert len(pieces) == 2
    for piece in pieces:
        program = piece.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        program = program.replace("import httpx\n", "import httpx2 as httpx\n")
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "emotion" in done.stdout or "frame_bytes" in done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.usefixtures("files")
def test_the_examples_for_curl_run(server, tmp_path):
    (commands,) = examples(json.loads(server.ask("/openapi.json")[2]), "sh")
    script = commands.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    script = script.replace("curl ", "curl --fail --silent --show-error ")
    done = subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"faces":') == 2
    assert (tmp_path / "annotated.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_every_upload_has_a_button_for_a_file(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path, field in (("/v1/images", "files"), ("/v1/images/annotated", "files")):
        content = paths[path]["post"]["requestBody"]["content"]
        assert next(iter(content)) == "multipart/form-data"  # What Swagger UI shows first.
        schema = content["multipart/form-data"]["schema"]["properties"][field]
        assert schema.get("items", schema)["format"] == "binary"
        assert content["image/jpeg"]["schema"]["format"] == "binary"
