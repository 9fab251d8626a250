"""What routes depend on: the application's context, and that the client may use the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mien.core.errors import SettingError
from mien.serve.context import Context, context_of
from mien.serve.http.problems import Problem

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = HTTPBearer(
    auto_error=False, description="The server's token, if it has one (`MIEN_SERVE_TOKEN`)."
)

ServerContext = Annotated[Context, Depends(context_of)]
"""A route's parameter of this type is the application's `Context`."""

ReadingName = Annotated[
    str | None,
    Query(
        max_length=100,
        description="One of the `readings` of `/v1/model`; the server's own if none.",
        examples=["raters"],
    ),
]
"""A route's parameter of this type is the name of a reading, which `check_reading` checks."""


def check_reading(context: Context, name: str | None) -> None:
    """Refuse the name of a reading that the network does not have.

    Raises:
        Problem: `no-such-reading`.
    """
    try:
        context.recognizer.artifact.reading(name)
    except SettingError as error:
        raise Problem("no-such-reading", str(error)) from None


def check_reading_over_time(context: Context, name: str | None) -> None:
    """Refuse, for a video or stream, a reading that the server's temporal network does not read.

    Raises:
        Problem: `no-such-reading`, also where the network has none of that name.
    """
    check_reading(context, name)
    temporal = context.temporal
    if temporal is not None and name is not None and name != temporal.reading:
        raise Problem(
            "no-such-reading",
            f"Videos and streams are judged by a temporal network here, which belongs to the "
            f"reading {temporal.reading!r}; found {name!r}. Pictures can be read as {name!r}.",
        )


async def require_access(
    request: Request,
    context: ServerContext,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """FastAPI dependency: let only those in who may use the API.

    Raises:
        Problem: `origin-refused` or `token-needed`.
    """
    if request.method not in _SAFE_METHODS:
        context.access.check_origin(request)
    context.access.check_token(credentials.credentials if credentials else None)
