import asyncio
import threading
from types import SimpleNamespace

import pytest

from mien.serve import create_app
from mien.serve.http import body as body_module
from mien.serve.http.body import LimitedBody
from mien.serve.http.problems import Problem


def test_a_client_that_asks_too_often_is_told_when_to_come_back(client_of):
    client = client_of({"requests_per_minute": 3})
    answers = [client.get("/v1/model") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert answers[-1].json()["type"] == "urn:mien:problem:too-many-requests"
    assert client.get("/healthz").status_code == 200


def test_each_client_has_a_limit_of_its_own(settings_of):
    app = create_app(settings_of({"requests_per_minute": 1}))

    async def run():
        async with app.router.lifespan_context(app):
            return [(await ask(app, "/v1/reports", nothing, client))[0] for client in clients]

    clients = ["::ffff:203.0.113.1", "::ffff:203.0.113.2", "203.0.113.1", "2001:db8::1"]
    clients += ["2001:db8::2", "2001:db8:0:1::1"]
    assert asyncio.run(run()) == [415, 415, 429, 415, 429, 415]


def test_a_body_without_declared_length_is_cut_off(client_of):
    client = client_of({"image_bytes": 1000, "images_per_request": 1})

    def flood():
        for _ in range(1000):
            yield b"x" * 10_000

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/v1/images", content=flood(), headers=headers)
    assert answer.status_code == 413


def test_a_slash_too_many_leads_to_the_path(client, astronaut_jpeg):
    headers = {"Content-Type": "image/jpeg"}
    answer = client.post(
        "/v1/images/", content=astronaut_jpeg, headers=headers, follow_redirects=False
    )
    assert answer.status_code == 307
    answer = client.post(answer.headers["location"], content=astronaut_jpeg, headers=headers)
    assert answer.json()["images"][0]["faces"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "image/png"},
    ],
    ids=str,
)
def test_a_body_that_is_no_form_is_a_problem(client, headers):
    answer = client.post("/v1/images", content=b"{}", headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", ["X-A: b\r\n" * 100, f"X-A: {'b' * 10_000}\r\n"])
def test_headers_without_end_in_a_form_are_refused(client, headers, astronaut_jpeg):
    part = f'--x\r\n{headers}Content-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    answer = client.post(
        "/v1/images",
        content=part.encode() + astronaut_jpeg + b"\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 400


def scope_of(path, headers, client):
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
        "client": (client, 1),
        "server": ("localhost", 8000),
        "scheme": "http",
    }


async def ask(app, path, receive, client="127.0.0.1"):
    """Send a request whose body comes as `receive` gives it; return status and headers."""
    sent = []

    async def send(message):
        sent.append(message)

    form = (b"content-type", b"multipart/form-data; boundary=x")
    await app(scope_of(path, [form], client), receive, send)
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_a_slow_upload_ends_with_a_problem(settings_of):
    app = create_app(settings_of({"upload_seconds": 0.05}))

    async def never():
        await asyncio.Event().wait()

    async def run():
        async with app.router.lifespan_context(app):
            return await ask(app, "/v1/images", never)

    status, headers = asyncio.run(run())
    assert status == 408
    assert headers["content-type"] == "application/problem+json"


def test_an_upload_has_the_time_that_its_bytes_take(monkeypatch):
    now_s = 0.0

    async def receive_in_15_s():
        nonlocal now_s
        now_s += 15
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def receive(bytes_per_s):
        body = LimitedBody(receive_in_15_s, 10_000, seconds=20, bytes_per_s=bytes_per_s)
        for _ in range(5):
            await body()

    monkeypatch.setattr(body_module, "time", SimpleNamespace(monotonic=lambda: now_s))
    asyncio.run(receive(bytes_per_s=50))
    with pytest.raises(Problem, match=r"2,000 bytes came in 45 s; expected"):
        asyncio.run(receive(bytes_per_s=200))


async def nothing():
    return {"type": "http.request", "body": b"", "more_body": False}


def test_uploads_beyond_the_limit_are_sent_away_at_once(settings_of):
    app = create_app(settings_of({"uploads": 2}))

    async def run():
        released = asyncio.Event()

        async def when_released():
            await released.wait()
            return await nothing()

        async with app.router.lifespan_context(app):
            slow = [asyncio.create_task(ask(app, "/v1/images", when_released)) for _ in range(2)]
            await asyncio.sleep(0)
            refused = await ask(app, "/v1/images", nothing)
            released.set()
            return refused, await asyncio.gather(*slow), await ask(app, "/v1/images", nothing)

    (status, headers), slow, afterwards = asyncio.run(run())
    assert status == 503
    assert int(headers["retry-after"]) >= 1
    assert [found for found, _ in slow] == [422, 422]
    assert afterwards[0] == 422


def test_the_metrics_count_what_was_served(client, astronaut_png):
    client.post("/v1/images", files={"files": astronaut_png})
    client.post("/v1/images/annotated", files={"files": astronaut_png})
    client.request("NONSENSE", "/v1/images")
    text = client.get("/metrics").text
    assert 'mien_request_seconds_count{method="POST",route="/v1/images",status="200"} 1.0' in text
    assert 'method="other"' in text
    assert "NONSENSE" not in text
    assert 'mien_recognition_seconds_count{source="image"} 2.0' in text
    assert float(text.split("\nmien_faces_total ")[1].split()[0]) >= 2


def test_concurrent_uploads_are_all_answered(client, astronaut_jpeg):
    answers = []

    def post():
        answers.append(client.post("/v1/images", files={"files": astronaut_jpeg}))

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.text for answer in answers}) == 1
