"""Errors as RFC 9457 problem documents: one catalogue, one shape, whichever part of us refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

MEDIA_TYPE = "application/problem+json"

TYPE_PREFIX = "urn:mien:problem:"
"""A problem's `type` is this and its name in `PROBLEMS`."""

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "The request is malformed"),
    "bad-file-name": (400, "The file name is not a plain name"),
    "token-needed": (401, "A token is needed"),
    "origin-refused": (403, "This origin may not use the server"),
    "not-found": (404, "There is nothing here"),
    "no-such-job": (404, "There is no such job"),
    "detector-missing": (404, "The server has no face detector for browsers"),
    "method-not-allowed": (405, "This method is not allowed here"),
    "upload-too-slow": (408, "The upload took too long"),
    "job-not-done": (409, "The job is not done"),
    "too-large": (413, "That is too large"),
    "too-many-pixels": (413, "The picture or video has too many pixels"),
    "too-long": (413, "The video is too long"),
    "wrong-type": (415, "This kind of file is not taken"),
    "host-refused": (421, "The server does not go by this name"),
    "invalid": (422, "The request does not fit the API"),
    "unreadable": (422, "The file cannot be decoded"),
    "too-many-requests": (429, "Too many requests"),
    "failed": (500, "The server failed"),
    "job-interrupted": (500, "The job was interrupted"),
    "not-supported": (501, "The server cannot do this on its operating system"),
    "busy": (503, "The server is busy"),
    "not-ready": (503, "The server is not ready"),
}
"""Every problem's name: its HTTP status and its title."""


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """A request that is refused; it becomes a problem document.

    Args:
        name: Its name in `PROBLEMS`.
        detail: What was found, what was expected and what to do.
        retry_after_s: Seconds after which to try again, where that may help.
        extra: Further members of the document, such as the `file` in question.
    """

    def __init__(
        self, name: str, detail: str, *, retry_after_s: float | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail
        self.status, self.title = PROBLEMS[name]
        self.retry_after_s = retry_after_s
        self.extra = extra

    @property
    def document(self) -> dict[str, Any]:
        """The problem document's members (RFC 9457, section 3.1)."""
        return {
            "type": TYPE_PREFIX + self.name,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that go with it."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(round(self.retry_after_s), 1))
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="mien"'
        return headers

    def response(self) -> Response:
        """Return it as an HTTP response."""
        return Response(
            json.dumps(self.document),
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


def install(app: FastAPI) -> None:
    """Let every error of `app` leave it as a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return Problem("invalid", "; ".join(faults)).response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, Problem):
            # FastAPI wraps what is raised while it reads a body.
            return error.__cause__.response()
        response = _from_http(request, error).response()
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["Allow"] = ", ".join(sorted(_methods(request)))
        return response

    @app.exception_handler(Exception)
    async def _failure(_: Request, __: Exception) -> Response:
        # Starlette logs the traceback; a client has no use for it.
        return Problem("failed", "This is a fault of the server; its log says more.").response()


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes for a path; Starlette tells those of the first one only."""
    methods: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return methods


def _from_http(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 404:
        return Problem("not-found", f"There is no {request.url.path}.")
    if error.status_code == 405:
        return Problem("method-not-allowed", f"{request.method} is not for {request.url.path}.")
    return Problem("bad-request", str(error.detail))
