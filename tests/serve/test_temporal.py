"""A server whose videos and streams a temporal network judges."""

import csv
import io
import os
import time

import pytest
from starlette.testclient import WebSocketDenialResponse

from mien.core.errors import ModelError, SettingError
from mien.core.temporal import bundled_temporal, load_temporal
from mien.engine.smoothing import SMOOTH_MS
from mien.serve import Settings


@pytest.fixture
def over_time(client_of):
    return client_of(temporal="shipped")


def test_each_person_of_a_stream_has_an_answer_for_all_so_far(
    over_time, astronaut_jpeg, stream_of, client
):
    network = load_temporal(bundled_temporal())
    with stream_of(over_time) as stream:
        stream.receive_json()
        for _ in range(2):
            stream.send_bytes(astronaut_jpeg)
            faces = stream.receive_json()["faces"]
    assert faces
    for face in faces:
        assert (face["temporal_sha256"], face["smooth_ms"]) == (network.sha256, 0)
        whole = [face[f"whole_{label}"] for label in network.labels]
        assert sum(whole) == pytest.approx(1, abs=1e-4)
    described = over_time.get("/v1/model").json()
    # The page by itself smooths, until its user chooses otherwise.
    assert (described["temporal_sha256"], described["smooth_ms"]) == (network.sha256, SMOOTH_MS)
    assert client.get("/v1/model").json()["temporal_sha256"] is None


def test_a_page_gets_the_network_over_time_of_its_server_or_the_shipped_one(over_time, client):
    network = load_temporal(bundled_temporal())
    for one in (over_time, client):
        told = one.get("/v1/model").json()["page_temporal"]
        assert (told["sha256"], told["reading"]) == (network.sha256, network.reading)
        answer = one.get(told["url"])
        assert answer.content == network.onnx_path.read_bytes()
        again = one.get(told["url"], headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_a_network_from_elsewhere_has_none_over_time(client_of, foreign_artifact, tmp_path):
    foreign_artifact(tmp_path / "foreign.onnx")
    foreign = client_of(artifact=tmp_path / "foreign.onnx")
    assert foreign.get("/v1/model").json()["page_temporal"] is None
    assert foreign.get("/v1/model/temporal.onnx").status_code == 404


@pytest.mark.skipif(os.name != "posix", reason="videos need files without a name")
def test_the_answer_for_a_video_is_the_networks(over_time, video_of):
    video = {"file": ("a.mp4", video_of(10), "video/mp4")}
    job = over_time.post("/v1/videos", files=video).json()
    deadline = time.monotonic() + 300
    while (status := over_time.get(f"/v1/videos/{job['id']}").json())["finished_s"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status["state"] == "done"
    result = over_time.get(status["result_url"]).json()
    network = load_temporal(bundled_temporal())
    assert result["summary"]["networks_over_time"] == [network.sha256]
    (person,) = result["summary"]["persons"]
    last = [face for face in result["faces"] if face["track_id"] == person["track_id"]][-1]
    for label in network.labels:
        assert person["probabilities"][label] == pytest.approx(last[f"whole_{label}"], abs=1e-4)
    table = over_time.get(status["result_url"], params={"format": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["temporal_sha256"] for row in rows} == {network.sha256}
    report = over_time.post("/v1/reports", content=table, headers={"Content-Type": "text/csv"})
    assert network.sha256[:12] in report.text


def test_a_reading_that_the_network_does_not_read_is_refused_for_videos_and_streams(
    over_time, astronaut_jpeg, stream_of
):
    answer = over_time.post("/v1/videos?reading=labels", files={"file": ("a.mp4", b"x")})
    assert answer.status_code == 422
    assert "belongs to the reading 'raters'; found 'labels'" in answer.json()["detail"]
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        stream_of(over_time, "?reading=labels"),
    ):
        pass
    assert refused.value.status_code == 422
    picture = over_time.post("/v1/images?reading=labels", files={"files": astronaut_jpeg})
    assert picture.status_code == 200


def test_what_cannot_be_meant_is_refused_before_the_server_listens(client_of, tmp_path):
    with pytest.raises(SettingError, match="choose --temporal or --smooth"):
        Settings.parse({"temporal": "shipped", "smooth_ms": 50})
    assert Settings.parse({"temporal": "none", "smooth_ms": 50}).engine.smooth_ms == 50
    with pytest.raises(ModelError, match=r"nothing\.onnx cannot be read"):
        client_of(temporal=str(tmp_path / "nothing.onnx"))
    with pytest.raises(ModelError, match="belongs to the reading 'raters'"):
        client_of(temporal="shipped", reading="labels")
