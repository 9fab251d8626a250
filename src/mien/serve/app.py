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

from mien.core.artifact import load_artifact
from mien.recognizer import Recognizer
from mien.serve import documents, images, model, page, problems, reports, status, stream, videos
from mien.serve.access import Gate
from mien.serve.jobs import JobRunner
from mien.serve.metrics import Metrics
from mien.serve.middleware import Admission, SecurityHeaders, Watch
from mien.serve.recognition import Recognition
from mien.serve.settings import Settings
from mien.serve.store import Store

_DESCRIPTION = """
Finds faces in pictures, videos and live streams, and says which of seven emotions each shows.

Errors are problem documents (RFC 9457, `application/problem+json`); 429 and 503 carry
`Retry-After`.
Live streams go over the WebSocket `/v1/stream`, which OpenAPI cannot describe: send JPEG, PNG or
WebP frames as binary messages, and read JSON messages. The newest frame wins:
one that comes while another waits takes its place, and the next message counts it in `dropped`.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application.

    Args:
        settings: What it may do; None for what the environment says.

    Returns:
        An ASGI application. What needs time or threads is opened when it starts, not here.

    Raises:
        DataError: if the settings are wrong.
        ModelError: if the network or the detector cannot be used.
    """
    settings = settings or Settings.from_environment()
    gate = Gate(settings)
    metrics = Metrics()
    artifact = load_artifact(settings.artifact)
    recognizers = [
        Recognizer(artifact, detector=settings.detector, threads=1) for _ in range(settings.threads)
    ]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = Store(settings.state_file, worker=secrets.token_hex(8))
        app.state.store = store
        app.state.recognition = Recognition(recognizers, metrics)
        app.state.jobs = JobRunner(store, settings, metrics)
        app.state.jobs.start()
        tidying = asyncio.create_task(reports.keep_tidy())
        app.state.ready = True
        yield
        app.state.ready = False
        tidying.cancel()
        await app.state.jobs.stop()
        app.state.recognition.close()

    app = FastAPI(
        title="mien",
        version=version("mien"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        # FastAPI's own page loads its scripts from elsewhere; see `page`.
        docs_url=None,
        redoc_url=None,
        middleware=_middleware(settings, gate, metrics),
    )
    app.state.settings = settings
    app.state.gate = gate
    app.state.metrics = metrics
    app.state.recognizer = recognizers[0]
    app.state.static_folder = settings.static_folder or page.static_folder()
    app.state.streams = 0
    app.state.ready = False
    problems.install(app)
    for room in (images, videos, stream, reports, model, status, page):
        app.include_router(room.router)
    documents.describe(app, needs_token=gate.needs_token)
    return app


def _middleware(settings: Settings, gate: Gate, metrics: Metrics) -> list[Middleware]:
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
        Middleware(Watch, metrics=metrics),
        *cors,
        Middleware(Admission, gate=gate, limits=settings.limits),
    ]
