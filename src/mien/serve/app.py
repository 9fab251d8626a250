"""The application: what `mien serve` runs, and what any ASGI server can.

    uvicorn --factory mien.serve:create_app

Without settings, they come from environment variables that begin with `MIEN_SERVE_`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from mien.core.temporary import remove_left
from mien.engine.temporal import TemporalMemory
from mien.serve.context import Context
from mien.serve.http import openapi, problems
from mien.serve.http.access import AccessControl
from mien.serve.http.admission import Admission
from mien.serve.http.clients import ConcurrencyLimit
from mien.serve.http.headers import SecurityHeaders
from mien.serve.http.methods import Methods
from mien.serve.http.request_log import RequestLog
from mien.serve.jobs.runner import JobRunner
from mien.serve.metrics import Metrics
from mien.serve.recognition import Recognition
from mien.serve.routes import images, model, page, reports, status, stream, videos
from mien.serve.settings import Settings
from mien.serve.store import Store

_DESCRIPTION = """
Finds faces in pictures, videos and live streams, and says which emotion each shows.

Errors are problem documents (RFC 9457, `application/problem+json`); 429 and 503 carry
`Retry-After`. A method that a path does not know is answered with 405 and `Allow`.
Live streams go over the WebSocket `/v1/stream`, which OpenAPI cannot describe: send JPEG, PNG or
WebP frames as binary messages, and read JSON messages. The newest frame wins:
one that comes while another waits takes its place, and the next message counts it in `dropped`.
Where a stream ends with the problem `too-long` (close code 1000) or with code 1012, connect again.

```sh
curl -F files=@people.jpg http://127.0.0.1:8000/v1/images
curl --data-binary @people.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/v1/images
curl -F files=@people.jpg http://127.0.0.1:8000/v1/images/annotated -o annotated.jpg
curl -F file=@clip.mp4 http://127.0.0.1:8000/v1/videos
```

To a server with a token, add `-H "Authorization: Bearer $TOKEN"`. In Python, with
[httpx](https://www.python-httpx.org) or a library like it:

```python
import time

import httpx

with httpx.Client(base_url="http://127.0.0.1:8000") as mien:
    picture = {"files": open("people.jpg", "rb")}
    for face in mien.post("/v1/images", files=picture).json()["images"][0]["faces"]:
        print(face["emotion"], face["confidence"])

    job = mien.post("/v1/videos", files={"file": open("clip.mp4", "rb")}).json()
    while job["finished_s"] is None:
        time.sleep(1)
        job = mien.get(f"/v1/videos/{job['id']}").json()
    print(mien.get(job["result_url"], params={"format": "csv"}).text)
```

And a stream, with [websockets](https://websockets.readthedocs.io):

```python
import json

from websockets.sync.client import connect

with connect("ws://127.0.0.1:8000/v1/stream", compression=None) as stream:
    print(json.loads(stream.recv())["limits"])
    stream.send(open("people.jpg", "rb").read())
    print(json.loads(stream.recv())["faces"])
```
"""


_ROUTERS = [module.router for module in (images, videos, stream, reports, model, status, page)]


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application.

    Args:
        settings: What it may do; None for what the environment says.

    Returns:
        An ASGI application. What needs time or threads is opened when it starts, not here.

    Raises:
        SettingError: if the settings are wrong.
        ModelError: if the network, the temporal network or the detector cannot be used.
    """
    settings = settings or Settings.from_environment()
    access = AccessControl(settings)
    metrics = Metrics()
    recognizers = [settings.open_recognizer() for _ in range(settings.threads)]
    for recognizer in recognizers:
        # At the full size of a large photograph, the search for small faces takes seconds.
        recognizer.limit_photographs(settings.limits.search_side)

    path = settings.engine.temporal
    temporal = None
    if path is not None:
        # Refused here, not by the first stream.
        temporal = TemporalMemory(path, recognizers[0].classifier).artifact

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = Store(settings.state_file, worker=secrets.token_hex(8))
        context = Context(
            settings=settings,
            access=access,
            metrics=metrics,
            recognizer=recognizers[0],
            temporal=temporal,
            recognition=Recognition(recognizers, metrics),
            store=store,
            jobs=JobRunner(store, settings, metrics),
            streams=ConcurrencyLimit(
                "streams", settings.limits.streams, settings.limits.streams_per_client
            ),
            static_folder=settings.static_folder or page.static_folder(),
        )
        context.attach_to(app)
        context.jobs.start()
        await asyncio.to_thread(remove_left)
        yield
        await context.jobs.stop()
        context.recognition.close()

    app = FastAPI(
        title="mien",
        version=version("mien"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        # FastAPI's own page loads its scripts from elsewhere; see `page`.
        docs_url=None,
        redoc_url=None,
        middleware=_middleware(settings, access, metrics),
    )
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    openapi.describe(app, needs_token=access.needs_token)
    return app


def _middleware(settings: Settings, access: AccessControl, metrics: Metrics) -> list[Middleware]:
    """Return what stands around the routes, the outermost first."""
    cors = []
    if settings.allowed_origins:
        cors = [
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.allowed_origins),
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["Location", "Retry-After"],
            )
        ]
    return [
        Middleware(SecurityHeaders),
        Middleware(RequestLog, metrics=metrics),
        *cors,
        Middleware(problems.Failures),
        Middleware(Admission, access=access, limits=settings.limits),
        Middleware(Methods, routes=[route for router in _ROUTERS for route in router.routes]),
    ]
