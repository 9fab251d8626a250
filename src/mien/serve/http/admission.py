"""Turns away what is too much, before anything of it is read: by its headers and its sender."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from mien.serve.http.access import AccessControl, bearer_token
from mien.serve.http.body import LimitedBody
from mien.serve.http.clients import ConcurrencyLimit, RateLimit, client_of
from mien.serve.http.problems import Problem
from mien.serve.settings import Limits

UNLIMITED_PATHS = frozenset({"/healthz", "/readyz"})
"""What everyone may ask, as often as they like, under any name of the server."""

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_BODY_WITHOUT_FILES = 10_000
# What a form or a JSON document adds to its files: boundaries, headers, names.
_OVERHEAD = 100_000


class Admission:
    """Turns away foreign host names, floods, strangers, and big, slow or too many uploads."""

    def __init__(self, app: ASGIApp, access: AccessControl, limits: Limits) -> None:
        self._app = app
        self._access = access
        self._limits = limits
        self._rate = RateLimit(limits.requests_per_minute)
        self._uploads = ConcurrencyLimit("uploads", limits.uploads, limits.uploads_per_client)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or answer with a problem instead."""
        if scope["type"] == "lifespan" or scope["path"] in UNLIMITED_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            self._access.check_host(Headers(scope=scope))
            self._rate.check(client_of(scope))
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] in _METHODS_WITH_BODY:
            await self._admit(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application on a request with a body, or answer with a problem instead."""
        headers = Headers(scope=scope)
        upload_bytes = self._upload_bytes(scope["path"])
        body = LimitedBody(
            receive,
            upload_bytes or _BODY_WITHOUT_FILES,
            self._limits.upload_seconds,
            self._limits.upload_rate,
        )
        send = body.answer_with(send)
        try:
            # A route's dependencies are looked at when the body has come, which is too late here.
            self._access.check_origin(HTTPConnection(scope))
            self._access.check_token(bearer_token(headers))
            body.check_declared(headers)
            if upload_bytes:
                with self._uploads.take(client_of(scope)):
                    await self._app(scope, body, send)
            else:
                await self._app(scope, body, send)
        except Problem as problem:
            await _refuse(problem, scope, body, send)

    def _upload_bytes(self, path: str) -> int | None:
        """Return how many bytes may be uploaded to a path; None where nothing is."""
        limits = self._limits
        # With a slash at its end a path is no other: the client is told so, whatever it sends.
        path = path.removesuffix("/")
        if path == "/v1/images":
            return limits.image_bytes * limits.images_per_request + _OVERHEAD
        if path == "/v1/images/annotated":
            # Base64 makes four bytes of three.
            return limits.image_bytes * 4 // 3 + _OVERHEAD
        if path == "/v1/videos":
            return limits.video_bytes + _OVERHEAD
        if path == "/v1/reports":
            return limits.record_bytes
        return None


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    # Starlette turns the response into a refused handshake where it is a WebSocket's.
    if scope["type"] == "websocket":
        await receive()
    await problem.response()(scope, receive, send)
