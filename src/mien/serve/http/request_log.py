"""Counting and logging of requests."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.serve.metrics import Metrics

log = logging.getLogger("mien.serve")

_STARTS = ("http.response.start", "websocket.http.response.start")


class RequestLog:
    """Counts and logs requests: method, path, status and time; never a query or a body."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and note how it went."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and status == 500:
                status = 403  # As every server answers where it was not accepted before.
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            if scope["type"] == "http":
                self._metrics.request(scope["method"], route, status, seconds)
            method = scope.get("method", "WebSocket")
            log.info("%s %s %d %.0f ms", method, route, status, seconds * 1000)


class WithoutFalseAlarm(logging.Filter):
    """Leaves out what uvicorn logs as an error where a WebSocket was refused as ASGI says.

    `RequestLog` logs how each WebSocket was answered.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log `record`."""
        return "returned without completing handshake" not in record.getMessage()
