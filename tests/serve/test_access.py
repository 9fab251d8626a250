import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from mien.core.errors import SettingError
from mien.serve import Settings

TOKEN = "a-token-of-some-length"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def guarded(client_of):
    return client_of(token=TOKEN)


@pytest.mark.parametrize(
    "path",
    ["/v1/model", "/v1/model/emotion.onnx", "/v1/videos/x", "/v1/videos/x/result", "/metrics"],
)
def test_without_the_token_nothing_is_told(guarded, path):
    for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["type"] == "urn:mien:problem:token-needed"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert guarded.get(path, headers=BEARER).status_code in (200, 404)


def test_health_and_page_need_no_token(guarded):
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/readyz").status_code == 200
    assert guarded.get("/").status_code in (200, 404)


def test_a_stream_opens_with_the_token_or_with_a_ticket_once(guarded, stream_of):
    with stream_of(guarded, headers=BEARER) as stream:
        assert stream.receive_json()["type"] == "ready"
    ticket = guarded.post("/v1/tickets", headers=BEARER).json()["ticket"]
    with stream_of(guarded, f"?ticket={ticket}") as stream:
        assert stream.receive_json()["type"] == "ready"
    for query in ("", "?ticket=nonsense", f"?ticket={ticket}"):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            stream_of(guarded, query),
        ):
            pass
        assert refused.value.status_code == 401


def test_where_no_stream_is_free_no_ticket_is_given(client_of, stream_of):
    client = client_of({"streams": 1})
    with stream_of(client) as stream:
        assert stream.receive_json()["type"] == "ready"
        refused = client.post("/v1/tickets")
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:mien:problem:busy"
        assert int(refused.headers["retry-after"]) > 0


def test_a_ticket_is_good_for_a_short_while(client_of, stream_of):
    client = client_of({"tickets_seconds": 1e-9}, token=TOKEN)
    ticket = client.post("/v1/tickets", headers=BEARER).json()["ticket"]
    with (
        pytest.raises(WebSocketDenialResponse),
        stream_of(client, f"?ticket={ticket}"),
    ):
        pass


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 415),
        ("http://localhost:8000", 415),
        ("https://localhost:8000", 415),
        ("http://localhost:9000", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
    ids=str,
)
def test_pages_of_other_sites_are_refused(client, origin, status, stream_of):
    headers = {} if origin is None else {"Origin": origin}
    assert client.post("/v1/images", headers=headers).status_code == status
    if status == 403:
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            stream_of(client, headers=headers),
        ):
            pass
        assert refused.value.status_code == 403
        assert refused.value.json()["type"] == "urn:mien:problem:origin-refused"
    else:
        with stream_of(client, headers=headers):
            pass


def test_cors_is_off_unless_an_origin_is_allowed(client, client_of, stream_of):
    headers = {"Origin": "https://app.example"}
    assert "access-control-allow-origin" not in client.get("/v1/model", headers=headers).headers
    allowing = client_of(allowed_origins=("https://App.example/",))
    answer = allowing.get("/v1/model", headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert allowing.post("/v1/images", headers=headers).status_code == 415
    with stream_of(allowing, headers=headers):
        pass


def test_a_loopback_server_goes_by_its_own_names_only(client, client_of, stream_of):
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        assert client.get("/v1/model", headers={"Host": host}).status_code == 200
    answer = client.get("/v1/model", headers={"Host": "rebound.example"})
    assert answer.status_code == 421
    with (
        pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)),
        stream_of(client, headers={"Host": "rebound.example"}),
    ):
        pass
    named = client_of(allowed_hosts=("Mien.example:8443",))
    assert named.get("/v1/model", headers={"Host": "mien.example"}).status_code == 200


def test_every_answer_carries_the_security_headers(client_of, monkeypatch, caplog):
    monkeypatch.setattr("mien.serve.store.Store.jobs_of", lambda *_: 1 / 0)
    client = client_of(allowed_origins=("https://app.example",))
    statuses = set()
    for path in ("/", "/docs", "/healthz", "/nowhere", "/v1/model", "/v1/videos"):
        answer = client.get(path, headers={"Origin": "https://app.example"})
        headers = answer.headers
        statuses.add(answer.status_code)
        assert headers["access-control-allow-origin"] == "https://app.example"
        assert headers["cache-control"] in ("no-store", "no-cache")
        assert "'wasm-unsafe-eval'" in headers["content-security-policy"]
        assert {
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "connect-src 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        } <= set(headers["content-security-policy"].split("; "))
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-embedder-policy"] == "require-corp"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
        for refused in ("microphone=()", "geolocation=()", "display-capture=()"):
            assert refused in headers["permissions-policy"]
    assert statuses >= {200, 404, 500}
    assert answer.json()["type"] == "urn:mien:problem:failed"
    assert "ZeroDivisionError" in caplog.text


def test_beyond_loopback_a_token_is_required_unless_refused():
    with pytest.raises(SettingError, match="no token"):
        Settings.parse({"host": "0.0.0.0"})
    with pytest.raises(SettingError, match="16"):
        Settings.parse({"host": "0.0.0.0", "token": "short"})
    assert Settings.parse({"host": "0.0.0.0", "token": TOKEN}).token is not None
    assert Settings.parse({"host": "0.0.0.0", "allow_anyone": True}).token is None
    assert Settings.parse({"host": "::1"}).is_loopback


def test_the_token_is_not_shown():
    assert TOKEN not in repr(Settings.parse({"token": TOKEN}))


def test_settings_survive_the_way_through_the_environment(monkeypatch):
    settings = Settings.parse(
        {
            "port": 9000,
            "token": TOKEN,
            "allowed_hosts": ["a.example", "b.example"],
            "limits": {"streams": 3, "video_seconds": 1.5},
        }
    )
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == settings
    assert Settings.from_environment({"port": 9001}).port == 9001


def test_what_kubernetes_says_of_a_service_called_mien_serve_is_no_setting(monkeypatch):
    variables = {
        "PORT": "tcp://10.0.0.1:8000",
        "PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "PORT_8000_TCP_ADDR": "10.0.0.1",
        "PORT_8000_TCP_PORT": "8000",
        "PORT_8000_TCP_PROTO": "tcp",
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "8000",
        "SERVICE_PORT_HTTP": "8000",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"MIEN_SERVE_{name}", value)
    assert Settings.from_environment() == Settings()
    monkeypatch.setenv("MIEN_SERVE_PORT", "8x")
    with pytest.raises(SettingError, match="MIEN_SERVE_PORT"):
        Settings.from_environment()
