"""Files that are sent in part, or not again to who has them: the networks and the page."""

import pytest

NETWORK = "/v1/model/emotion.onnx"


@pytest.fixture
def paged(client_of, tmp_path):
    """The client of a server with a page."""
    (tmp_path / "index.html").write_text("<title>mien</title>")
    return client_of(static_folder=tmp_path)


@pytest.mark.parametrize("path", [NETWORK, "/"])
@pytest.mark.parametrize("known", ["{}", "W/{}", '"another", {}', '"an, other",W/{}', "*"])
def test_what_a_client_has_already_is_not_sent_again(paged, path, known):
    whole = paged.get(path)
    again = paged.get(path, headers={"If-None-Match": known.format(whole.headers["etag"])})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control"):
        assert again.headers[name] == whole.headers[name]


@pytest.mark.parametrize("path", [NETWORK, "/"])
@pytest.mark.parametrize("known", ['"another"', "", "etag", '"*"'])
def test_what_has_changed_is_sent(paged, path, known):
    answer = paged.get(path, headers={"If-None-Match": known})
    assert answer.status_code == 200
    assert answer.content


def test_a_part_of_a_file_is_sent(client):
    whole = client.get(NETWORK).content
    answer = client.get(NETWORK, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, whole[10:20])
    changed = {"Range": "bytes=10-19", "If-Range": '"another"'}
    assert client.get(NETWORK, headers=changed).content == whole


@pytest.mark.parametrize(
    ("wanted", "status", "problem"),
    [
        ("bytes=abc", 400, "bad-request"),
        ("lines=1-2", 400, "bad-request"),
        ("bytes=999999999999-", 416, "no-such-range"),
    ],
)
@pytest.mark.parametrize("path", [NETWORK, "/"])
def test_a_part_that_cannot_be_had_is_a_problem(paged, path, wanted, status, problem):
    answer = paged.get(path, headers={"Range": wanted})
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:mien:problem:{problem}"
    if status == 416:
        size = len(paged.get(path).content)
        assert answer.headers["content-range"] == f"bytes */{size}"


def test_the_answers_are_described(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"200", "206", "304", "400", "416"} <= paths[NETWORK]["get"]["responses"].keys()
    for path, operations in paths.items():
        for operation in operations.values():
            assert ("421" in operation["responses"]) == (path not in ("/healthz", "/readyz"))
