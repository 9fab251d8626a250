"""HEAD and OPTIONS for every path, and an `Allow` that names all methods of a path."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.serve.http.problems import Problem


class _AnsweredError(Exception):
    """Ends the making of a response whose head was all that was asked for."""


class Methods:
    """Answers OPTIONS, answers HEAD as GET without a body, and refuses what a path does not know.

    Args:
        app: The application.
        routes: All its routes.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = [
            (route.path_regex, frozenset(route.methods or ()))
            for route in routes
            if isinstance(route, APIRoute)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or answer in its place."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        allowed = self._allowed(scope["path"])
        if allowed and method == "OPTIONS":
            response = Response(status_code=204, headers={"Allow": _listed(allowed)})
            await response(scope, receive, send)
        elif allowed and method not in allowed:
            problem = Problem("method-not-allowed", f"{method} is not for {scope['path']}.")
            response = problem.response()
            response.headers["Allow"] = _listed(allowed)
            await response(scope, receive, send)
        elif method == "HEAD":
            await self._head(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _allowed(self, path: str) -> frozenset[str]:
        """Return all methods of a path; none where there is no such path."""
        found = frozenset[str]().union(
            *(methods for pattern, methods in self._routes if pattern.match(path))
        )
        if not found:
            return found
        return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_no_body(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})
            else:
                # What nobody would read is not made.
                raise _AnsweredError

        as_get = {**scope, "method": "GET"}
        with contextlib.suppress(_AnsweredError):
            await self._app(as_get, receive, send_no_body)
        # For the log, which is written further out.
        scope["route"] = as_get.get("route")


def _listed(methods: frozenset[str]) -> str:
    return ", ".join(sorted(methods))
