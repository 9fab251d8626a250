"""A request chooses a reading, and a network of any input and labels is served like ours."""

import csv
import io
import time

import pytest
from starlette.testclient import WebSocketDenialResponse

from mien.core.artifact import write_artifact


@pytest.fixture
def two_headed_client(tmp_path, two_headed, two_headed_network, client_of):
    artifact = two_headed(tmp_path / "emotion.onnx")
    write_artifact(two_headed_network().SerializeToString(), artifact)
    return client_of(artifact=artifact.onnx_path)


@pytest.fixture
def foreign(tmp_path, foreign_artifact, client_of):
    """Return a client, and the labels of the network that is served."""
    artifact = foreign_artifact(tmp_path / "foreign.onnx")
    return client_of(artifact=artifact.onnx_path), artifact.reading().labels


def faces_in(client, picture, query=""):
    answer = client.post(f"/v1/images{query}", files={"files": picture})
    assert answer.status_code == 200, answer.text
    (image,) = answer.json()["images"]
    return image["faces"]


def test_a_request_chooses_the_reading(two_headed_client, astronaut_png):
    (raters,) = faces_in(two_headed_client, astronaut_png)
    (labels,) = faces_in(two_headed_client, astronaut_png, "?reading=labels")
    assert (raters["reading"], labels["reading"]) == ("raters", "labels")
    assert raters["happy"] != labels["happy"]
    answer = two_headed_client.post("/v1/images?reading=mine", files={"files": astronaut_png})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:mien:problem:no-such-reading"
    assert "expected raters or labels" in answer.json()["detail"]


def test_a_stream_chooses_the_reading(two_headed_client, astronaut_jpeg, stream_of):
    with stream_of(two_headed_client, "?reading=labels") as stream:
        stream.receive_json()
        stream.send_bytes(astronaut_jpeg)
        (face,) = stream.receive_json()["faces"]
    assert face["reading"] == "labels"
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        stream_of(two_headed_client, "?reading=mine"),
    ):
        pass
    assert refused.value.status_code == 422


def test_the_server_has_a_reading_of_its_own(
    tmp_path, two_headed, two_headed_network, client_of, astronaut_png
):
    artifact = two_headed(tmp_path / "emotion.onnx")
    write_artifact(two_headed_network().SerializeToString(), artifact)
    client = client_of(
        artifact=artifact.onnx_path, reading="labels", gate={"min_confidence": 1.0}, smooth_ms=50.0
    )
    described = client.get("/v1/model").json()
    assert (described["reading"], described["smooth_ms"]) == ("labels", 50.0)
    assert described["quality_gate"]["min_confidence"] == 1.0
    (face,) = faces_in(client, astronaut_png)
    assert (face["reading"], face["uncertain"]) == ("labels", True)


def test_the_network_is_described_so_that_it_can_be_run_elsewhere(foreign):
    client, labels = foreign
    described = client.get("/v1/model").json()
    assert described["input"] == {
        "name": "pixels",
        "side": 64,
        "channels": 3,
        "mean": [127.5, 127.5, 127.5],
        "scale": [0.01, 0.01, 0.02],
    }
    assert described["heads"] == {"label_probabilities": list(labels)}
    assert described["readings"]["<i>mine</i>"]["labels"] == list(labels)
    assert (described["reading"], described["face_likeness"]) == ("<i>mine</i>", None)


def test_a_face_has_a_probability_for_each_label_of_the_network(foreign, astronaut_png):
    client, labels = foreign
    (face,) = faces_in(client, astronaut_png)
    assert face["emotion"] in labels
    shares = [face["label_emotion" if label == "emotion" else label] for label in labels]
    assert sum(shares) == pytest.approx(1.0, abs=1e-4)
    assert face["confidence"] == max(shares)


def test_the_table_of_a_video_runs_in_no_spreadsheet(foreign, video_of):
    client, labels = foreign
    job = client.post("/v1/videos", files={"file": ("a.mp4", video_of(3), "video/mp4")}).json()
    deadline = time.monotonic() + 60
    while client.get(f"/v1/videos/{job['id']}").json()["state"] not in ("done", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    result = f"/v1/videos/{job['id']}/result"
    table = client.get(result, params={"format": "csv"}).text
    columns = next(csv.reader(io.StringIO(table)))
    assert columns[10:14] == [labels[0], "'=cmd()", "label_emotion", labels[3]]
    faces = client.get(result).json()["faces"]
    assert {face["frame"] for face in faces} == {0, 1, 2}
    assert all(face["=cmd()"] >= 0 for face in faces)
    report = client.post("/v1/reports", content=table, headers={"Content-Type": "text/csv"})
    assert report.status_code == 200
    assert "<img" not in report.text
