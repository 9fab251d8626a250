"""HEAD, OPTIONS and `Allow`."""

import pytest


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
        ("/v1/model/emotion.onnx", "GET, HEAD, OPTIONS"),
        ("/v1/images", "OPTIONS, POST"),
        ("/v1/videos", "GET, HEAD, OPTIONS, POST"),
        ("/v1/videos/abc", "DELETE, GET, HEAD, OPTIONS"),
    ],
)
def test_every_path_says_what_it_takes(client, path, methods):
    answer = client.options(path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, methods, b"")
    for method in {"GET", "POST", "PUT", "DELETE", "TRACE"} - set(methods.split(", ")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
        assert answer.json()["type"] == "urn:mien:problem:method-not-allowed"


@pytest.mark.parametrize("path", ["/healthz", "/v1/model", "/v1/model/emotion.onnx", "/v1/nowhere"])
def test_head_is_get_without_a_body(client, path):
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers.items() == get.headers.items()


def test_what_is_not_there_has_no_methods(client):
    assert client.options("/v1/nowhere").status_code == 404
