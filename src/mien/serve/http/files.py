"""Files that are sent: whole, in part, or not at all where the client has them already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from mien.serve.http.problems import Problem

_TAG = re.compile(r'"[^"]*"')
# RFC 9110, section 15.4.5.
_KEPT_WITHOUT_BODY = ("cache-control", "etag", "vary")


def file_response(
    request: Request, path: Path, headers: Mapping[str, str], media_type: str | None = None
) -> Response:
    """Return the answer that sends a file, or says that the client has it already.

    Args:
        request: Its `If-None-Match` is heeded here, its `Range` and `If-Range` by the answer.
        path: A file that is there.
        headers: Of the answer; where they hold no `ETag`, the file's time and size make one.
        media_type: What the file is; by its name if None.
    """
    response = _File(path, headers=headers, media_type=media_type, stat_result=path.stat())
    known = ",".join(request.headers.getlist("if-none-match")).strip()
    # The comparison is the weak one, so that W/ makes no difference (section 13.1.2).
    if known == "*" or response.headers["etag"] in _TAG.findall(known):
        kept = {
            name: response.headers[name] for name in _KEPT_WITHOUT_BODY if name in response.headers
        }
        return Response(status_code=304, headers=kept)
    return response


class _File(FileResponse):
    """A file, of which a part that cannot be had is a problem as all others are."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused_with = 0

        async def send_unless_refused(message: Message) -> None:
            nonlocal refused_with
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused_with = message["status"]
            if not refused_with:
                await send(message)

        await super().__call__(scope, receive, send_unless_refused)
        if refused_with:
            await self._refusal(refused_with)(scope, receive, send)

    def _refusal(self, status: int) -> Response:
        size = self.headers["content-length"]
        if status != 416:
            expected = f"expected  bytes=FIRST-LAST  of {size} bytes"
            return Problem("bad-request", f"The header Range is malformed; {expected}.").response()
        response = Problem(
            "no-such-range", f"The file has {size} bytes; the range is beyond."
        ).response()
        response.headers["Content-Range"] = f"bytes */{size}"
        return response
