"""Errors as RFC 9457 problem documents: one catalogue, one shape, whichever part of us refuses."""

from __future__ import annotations

import errno
import json
import logging
import sqlite3
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import (
    RequestValidationError,
    ValidationException,
    WebSocketRequestValidationError,
)
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("mien.serve")

MEDIA_TYPE = "application/problem+json"

TYPE_PREFIX = "urn:mien:problem:"
"""A problem's `type` is this and its name in `PROBLEMS`."""

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "The request is malformed"),
    "bad-file-name": (400, "The file name is not a plain name"),
    "token-needed": (401, "A token is needed"),
    "origin-refused": (403, "This origin may not use the server"),
    "list-refused": (403, "This server lists no jobs"),
    "not-found": (404, "There is nothing here"),
    "no-such-job": (404, "There is no such job"),
    "no-such-reading": (422, "The artifact has no such reading"),
    "detector-missing": (404, "The server has no face detector for browsers"),
    "method-not-allowed": (405, "This method is not allowed here"),
    "upload-too-slow": (408, "The upload took too long"),
    "job-not-done": (409, "The job is not done"),
    "too-large": (413, "That is too large"),
    "too-many-pixels": (413, "The picture or video has too many pixels"),
    "too-long": (413, "The video is too long"),
    "wrong-type": (415, "This kind of file is not taken"),
    "no-such-range": (416, "The file has no such range"),
    "host-refused": (421, "The server does not go by this name"),
    "invalid": (422, "The request does not fit the API"),
    "unreadable": (422, "The file cannot be decoded"),
    "too-many-requests": (429, "Too many requests"),
    "failed": (500, "The server failed"),
    "job-interrupted": (500, "The job was interrupted"),
    "not-supported": (501, "The server cannot do this on its operating system"),
    "busy": (503, "The server is busy"),
    "not-ready": (503, "The server is not ready"),
    "no-space": (507, "The server has no space left"),
}
"""Every problem's name: its HTTP status and its title."""


_NO_SPACE_S = 60.0


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:mien:problem:too-large"])
    title: str = Field(examples=["That is too large"])
    status: int = Field(examples=[413])
    detail: str = Field(examples=["The picture has 30,000,000 bytes; at most 20,000,000."])


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


class Failures:
    """Answers with the problem `failed` where the application failed, and logs how.

    FastAPI's handler of all exceptions stands outside of what adds headers to every answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and answer in its place if it fails before it answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_answered = False

        async def send_and_look(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        except Exception:
            if is_answered:
                raise
            # A client has no use for the traceback.
            log.exception("A request failed")
            problem = Problem("failed", "This is a fault of the server; its log says more.")
            await problem.response()(scope, receive, send)


def install(app: FastAPI) -> None:
    """Let every error that `app` knows leave it as a problem document; `Failures` does the rest."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return _invalid_request(error).response()

    @app.exception_handler(WebSocketRequestValidationError)
    async def _invalid_stream(websocket: WebSocket, error: WebSocketRequestValidationError) -> None:
        await websocket.send_denial_response(_invalid_request(error).response())

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, Problem):
            # FastAPI wraps what is raised while it reads a body.
            return error.__cause__.response()
        response = _from_http(request, error).response()
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(OSError)
    @app.exception_handler(sqlite3.Error)
    async def _storage(_: Request, error: OSError | sqlite3.Error) -> Response:
        if not _is_out_of_space(error):
            raise error
        log.error("There is no space left for uploads or for the state file: %s", error)
        return Problem(
            "no-space",
            "The disk of the server's temporary files or of its state file is full; try later.",
            retry_after_s=_NO_SPACE_S,
        ).response()

    @app.exception_handler(ClientDisconnect)
    async def _gone(_: Request, __: ClientDisconnect) -> Response:
        return Problem("bad-request", "The connection ended before the request did.").response()


def _invalid_request(error: ValidationException) -> Problem:
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return Problem("invalid", "; ".join(faults))


def _is_out_of_space(error: OSError | sqlite3.Error) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _from_http(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 404:
        return Problem("not-found", f"There is no {request.url.path}.")
    return Problem("bad-request", str(error.detail))
