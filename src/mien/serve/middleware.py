"""What happens to every request before and after its route: headers, limits, counting."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.serve.access import Gate
from mien.serve.metrics import Metrics
from mien.serve.problems import Problem
from mien.serve.settings import Limits

log = logging.getLogger("mien.serve")

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI writes style attributes, and its style sheet holds pictures.
_DOCS_POLICY = _PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "img-src 'self'", "img-src 'self' data:"
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    # Together these give the page threads in WebAssembly.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_CLIENTS_REMEMBERED = 10_000
_UPLOAD_METHODS = frozenset({"POST", "PUT", "PATCH"})
_UNLIMITED_PATHS = frozenset({"/healthz", "/readyz"})
_BODY_WITHOUT_FILES = 10_000
_LINGER_S = 10.0
# What a multipart body adds to its files: boundaries, headers.
_MULTIPART_OVERHEAD = 100_000


class SecurityHeaders:
    """Adds the security headers and the content security policy to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and add headers to what it sends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = _DOCS_POLICY if scope["path"] == "/docs" else _PAGE_POLICY

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers["Content-Security-Policy"] = policy
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Watch:
    """Counts and logs requests: method, path, status and time; never a query or a body."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.request(scope["method"], route, status, seconds)
            log.info("%s %s %d %.0f ms", scope["method"], route, status, seconds * 1000)


class Admission:
    """Turns away what is too much: foreign host names, floods, big or slow or too many uploads."""

    def __init__(self, app: ASGIApp, gate: Gate, limits: Limits) -> None:
        self._app = app
        self._gate = gate
        self._limits = limits
        self._rate = RateLimit(limits.requests_per_minute)
        self._uploads = 0
        self._crowd = _Crowd()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or answer with a problem instead."""
        if scope["type"] == "lifespan" or scope["path"] in _UNLIMITED_PATHS:
            await self._app(scope, receive, send)
            return
        is_upload = scope["type"] == "http" and scope["method"] in _UPLOAD_METHODS
        if is_upload:
            most = self._most_bytes(scope["path"])
            receive = body = _LimitedBody(receive, most, self._limits.upload_seconds)
            send = body.answer_with(send)
        try:
            self._gate.check_host(Headers(scope=scope))
            self._rate.check(scope)
            if is_upload:
                body.check_declared(Headers(scope=scope))
                await self._upload(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._uploads >= self._limits.uploads:
            raise Problem(
                "busy",
                f"{self._uploads} uploads are under way, as many as are taken at once.",
                retry_after_s=self._crowd.refuse(),
            )
        self._uploads += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._uploads -= 1
            self._crowd.finish()

    def _most_bytes(self, path: str) -> int:
        limits = self._limits
        if path == "/v1/images":
            return limits.image_bytes * limits.images_per_request + _MULTIPART_OVERHEAD
        if path == "/v1/videos":
            return limits.video_bytes + _MULTIPART_OVERHEAD
        if path == "/v1/reports":
            return limits.record_bytes
        return _BODY_WITHOUT_FILES


class _Crowd:
    """Says after how long those who are sent away should come back, so that not all come at once.

    If ten are sent away for each that is served, a refused client waits ten seconds: then about as
    many come in a second as are served in one.
    """

    _LONGEST_S = 30.0

    def __init__(self) -> None:
        self._second = 0
        self._refused = self._finished = 0
        self._wait_s = 1.0

    def refuse(self) -> float:
        """Note that a client was sent away; return how many seconds it should wait."""
        self._turn()
        self._refused += 1
        return self._wait_s

    def finish(self) -> None:
        """Note that a client was served."""
        self._turn()
        self._finished += 1

    def _turn(self) -> None:
        second = int(time.monotonic())
        if second != self._second:
            ratio = self._refused / max(self._finished, 1)
            self._wait_s = min(max(ratio, 1.0), self._LONGEST_S)
            self._second, self._refused, self._finished = second, 0, 0


class _LimitedBody:
    """A request's `receive` that ends with a problem when the body is too big or too slow.

    Most clients read an answer only when they have sent everything, and a connection that is closed
    before takes the answer along. So what still comes after an early answer is taken in and thrown
    away for a while.
    """

    def __init__(self, receive: Receive, most_bytes: int, seconds: float) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._bytes = 0
        self._complete = False

    def check_declared(self, headers: Headers) -> None:
        """Refuse a body that is declared to be too big.

        Raises:
            Problem: `too-large`.
        """
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._most_bytes:
            raise _too_large(int(declared), self._most_bytes)

    def answer_with(self, send: Send) -> Send:
        """Return the `send` that ends an answer when the body has come, or has had its time."""

        async def send_and_linger(message: Message) -> None:
            ends = message["type"] == "http.response.body" and not message.get("more_body", False)
            if ends and not self._complete:
                await send({**message, "more_body": True})
                await self._linger()
                message = {"type": "http.response.body"}
            await send(message)

        return send_and_linger

    async def _linger(self) -> None:
        seconds = min(_LINGER_S, self._deadline - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                while not self._complete:
                    message = await self._receive()
                    self._complete = not message.get("more_body", False)

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(max(self._deadline - time.monotonic(), 0)):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                "upload-too-slow", f"The upload did not come in within {self._seconds:g} s."
            ) from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._bytes > self._most_bytes:
                raise _too_large(self._bytes, self._most_bytes)
        return message


class RateLimit:
    """A token bucket for each client: it holds a minute's requests, and fills steadily.

    Args:
        per_minute: Requests a minute.
    """

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        # Client: tokens left, and when that was.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, scope: Scope) -> None:
        """Take one token of the client's.

        Raises:
            Problem: `too-many-requests` if none is left.
        """
        client = _client(scope)
        now = time.monotonic()
        left, then = self._buckets.pop(client, (self._capacity, now))
        left = min(left + (now - then) * self._per_second, self._capacity)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _CLIENTS_REMEMBERED:
            self._buckets.popitem(last=False)
        if not allowed:
            raise Problem(
                "too-many-requests",
                f"At most {self._capacity:.0f} requests a minute are taken from one client.",
                retry_after_s=(1 - left) / self._per_second,
            )


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    # Starlette turns the response into a refused handshake where it is a WebSocket's.
    if scope["type"] == "websocket":
        await receive()
    await problem.response()(scope, receive, send)


def _too_large(found: int, most: int) -> Problem:
    return Problem("too-large", f"The request has {found:,} bytes or more; at most {most:,} here.")


def _client(scope: Scope) -> str:
    """Return the client's address; of IPv6 the network, as one client has all of it."""
    host = scope["client"][0] if scope.get("client") else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return address.exploded[:19]
    return host
