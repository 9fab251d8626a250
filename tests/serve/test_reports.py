import os

import numpy as np

from mien.core.types import Box, FaceEmotion
from mien.record.table import columns_of, csv_line, row_of

CSV = {"Content-Type": "text/csv"}


def record(frames):
    face = FaceEmotion(
        frame=0,
        timestamp_ms=0.0,
        track_id=1,
        box=Box(1, 2, 30, 40),
        detection_score=0.9,
        emotion="surprise",
        confidence=0.7,
        probabilities=np.array([0.05, 0.05, 0.05, 0.05, 0.05, 0.7, 0.05], np.float32),
        uncertain=False,
    )
    rows = [row_of(face, smooth_ms=0.0, raw=False) for _ in range(frames)]
    lines = [csv_line(row | {"frame": i, "timestamp_ms": 40 * i}) for i, row in enumerate(rows)]
    return ",".join(columns_of(raw=False)) + "\n" + "".join(lines)


def test_a_record_becomes_a_page(client):
    answer = client.post("/v1/reports", content=record(50), headers={"Content-Type": "Text/CSV"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "surprise" in answer.text
    assert "Person 1" in answer.text


def test_what_is_no_record_is_a_problem(client):
    table = record(2)
    long = "x" * 131_073  # characters, one more than Python's reader takes in a value
    contents = ("", "a,b\n1,2\n", table.splitlines()[0], table.replace("0.7", "high"))
    for content in (*contents, f"{long}\n", table.replace("surprise,0.7", f"{long},0.7")):
        answer = client.post("/v1/reports", content=content, headers=CSV)
        assert answer.status_code == 422
        assert "/tmp" not in answer.json()["detail"]
    answer = client.post("/v1/reports", content=table, headers={"Content-Type": "text/html"})
    assert answer.status_code == 415


def test_its_size_is_limited(client_of):
    answer = client_of({"record_bytes": 500}).post("/v1/reports", content=record(9), headers=CSV)
    assert answer.status_code == 413


def test_what_a_killed_server_left_is_removed(client_of, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, under_way = tmp_path / "mien-report-left", tmp_path / "mien-report-under-way"
    for folder in (left, under_way):
        folder.mkdir()
        (folder / "session.csv").write_text("a")
    os.utime(left, (1, 1))
    for number in range(9):
        # Found in the folder, and yet not there: as if another worker removed it in between.
        (tmp_path / f"mien-report-gone-{number}").symlink_to(tmp_path / "nothing")
    client = client_of()
    for _ in range(1000):
        client.get("/healthz")  # Lets the server work on.
        if not left.exists():
            break
    assert not left.exists()
    assert under_way.exists()
