import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect


def test_follows_a_person_from_frame_to_frame(client, astronaut_jpeg, stream_of):
    with stream_of(client) as stream:
        ready = stream.receive_json()
        assert ready["limits"] == {"frame_bytes": 2_000_000, "frame_pixels": 1920 * 1080}
        results = []
        for _ in range(3):
            stream.send_bytes(astronaut_jpeg)
            results.append(stream.receive_json())
    assert [result["type"] for result in results] == ["result"] * 3
    assert [result["frame"] for result in results] == [0, 1, 2]
    times = [result["timestamp_ms"] for result in results]
    assert times[0] == 0.0
    assert times == sorted(times)
    assert (results[0]["width"], results[0]["height"]) == (512, 512)
    faces = [{face["track_id"]: face["emotion"] for face in result["faces"]} for result in results]
    assert faces[0]
    assert faces[0] == faces[1] == faces[2]


def test_the_newest_frame_wins_and_the_client_is_told(client, astronaut_jpeg, stream_of):
    with stream_of(client) as stream:
        stream.receive_json()
        for _ in range(30):
            stream.send_bytes(astronaut_jpeg)
        results, frames = [], 0
        while frames < 30:
            results.append(stream.receive_json())
            frames += 1 + results[-1]["dropped"]
    assert results[-1]["frame"] == 29
    assert len(results) < 30
    indices = [result["frame"] for result in results]
    assert indices == sorted(set(indices))


def test_a_bad_frame_is_a_problem_and_the_stream_goes_on(client, astronaut_jpeg, stream_of):
    with stream_of(client) as stream:
        stream.receive_json()
        stream.send_bytes(b"nonsense")
        answer = stream.receive_json()
        assert answer["type"] == "problem"
        assert answer["problem"]["type"] == "urn:mien:problem:wrong-type"
        assert answer["frame"] == 0
        stream.send_bytes(astronaut_jpeg)
        assert stream.receive_json()["type"] == "result"


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_frames_are_of_the_kinds_that_need_no_process_of_their_own(
    client, astronaut_bgr, astronaut_jpeg, encode, stream_of, kind
):
    frame = encode(astronaut_bgr[:64, :64], ".avif")
    with stream_of(client) as stream:
        stream.receive_json()
        stream.send_bytes(frame if kind == "AVIF" else frame.replace(b"avif", b"heic"))
        problem = stream.receive_json()["problem"]
        assert problem["type"] == "urn:mien:problem:wrong-type"
        assert f"no JPEG, PNG or WebP picture but {kind}" in problem["detail"]
        stream.send_bytes(astronaut_jpeg)
        assert stream.receive_json()["type"] == "result"


def test_a_fault_of_ours_costs_one_frame_and_not_the_stream(
    client, astronaut_jpeg, stream_of, monkeypatch
):
    with stream_of(client) as stream:
        stream.receive_json()
        with monkeypatch.context() as patch:
            patch.setattr("mien.engine.stages.VideoAnalyser.analyse", lambda *_: 1 / 0)
            stream.send_bytes(astronaut_jpeg)
            answer = stream.receive_json()
        assert answer["problem"]["type"] == "urn:mien:problem:failed"
        assert "division" not in answer["problem"]["detail"]
        stream.send_bytes(astronaut_jpeg)
        assert stream.receive_json()["type"] == "result"
    assert 'mien_stream_frames_total{outcome="failed"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("limits", "problem"),
    [({"frame_pixels": 1000}, "too-many-pixels"), ({"frame_bytes": 1000}, "too-large")],
)
def test_a_frame_that_is_too_big_is_refused(client_of, astronaut_jpeg, limits, problem, stream_of):
    with stream_of(client_of(limits)) as stream:
        stream.receive_json()
        stream.send_bytes(astronaut_jpeg)
        assert stream.receive_json()["problem"]["type"] == f"urn:mien:problem:{problem}"


@pytest.mark.parametrize("parameter", ["reading", "ticket"])
def test_what_no_parameter_can_be_is_a_problem(client, parameter, stream_of):
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        stream_of(client, f"?{parameter}={'a' * 101}"),
    ):
        pass
    assert refused.value.status_code == 422
    assert refused.value.json()["type"] == "urn:mien:problem:invalid"
    assert parameter in refused.value.json()["detail"]


def test_a_text_ends_the_stream(client, stream_of):
    with stream_of(client) as stream:
        stream.receive_json()
        stream.send_text("{}")
        assert stream.receive_json()["problem"]["status"] == 400
        with pytest.raises(WebSocketDisconnect) as closed:
            stream.receive_json()
    assert closed.value.code == 1008


@pytest.mark.parametrize(
    ("limit", "problem", "code"),
    [("stream_idle_seconds", "upload-too-slow", 1008), ("stream_seconds", "too-long", 1000)],
)
def test_a_stream_does_not_last_for_ever_and_says_whether_to_connect_again(
    client_of, limit, problem, code, stream_of
):
    with stream_of(client_of({limit: 0.05})) as stream:
        stream.receive_json()
        last = stream.receive_json()
        assert last["problem"]["type"] == f"urn:mien:problem:{problem}"
        assert "frame" not in last
        with pytest.raises(WebSocketDisconnect) as closed:
            stream.receive_json()
    assert closed.value.code == code


def test_streams_beyond_the_limit_are_sent_away_and_places_come_free(client_of, stream_of):
    client = client_of({"streams": 1})
    with stream_of(client) as stream:
        stream.receive_json()
        with pytest.raises(WebSocketDenialResponse) as refused, stream_of(client):
            pass
        assert refused.value.status_code == 503
        assert int(refused.value.headers["retry-after"]) >= 1
    with stream_of(client) as stream:
        assert stream.receive_json()["type"] == "ready"
