"""Files that come in: as a form, as a body of their own, or as Base64 in JSON.

Whatever the form, they pass through temporary files without names, so that memory does not grow
with the number of uploads.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from mien.serve.http.problems import Problem
from mien.serve.settings import Limits

MOST_FIELDS = 16
"""Fields of a form beside its files: mien reads none, but browsers and tools add some."""

MOST_IN_JSON = 100
"""Pictures in one JSON document, unless a limit says less."""

_FIELD_BYTES = 10_000
# Half a surrogate pair is no character, and no JSON document could show it.
_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_CHARSETS = (b"utf-8", b"utf8")
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,")
# A JSON document is held in memory as a whole: one at a time.
_unpacker = ThreadPoolExecutor(1, thread_name_prefix="unpack")


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture as it came.

    Attributes:
        name: Its name as sent; empty where it has none.
        media_type: What it is said to be; empty where nothing is said.
        file: Its content; at its start.
        problem: Why there is no content.
    """

    name: str
    media_type: str
    file: SpooledTemporaryFile[bytes]
    problem: Problem | None = None

    def check(self, limits: Limits) -> None:
        """Refuse what need not be decoded to be refused.

        Raises:
            Problem: `bad-file-name`, `wrong-type`, `too-large`, or its own.
        """
        if self.problem is not None:
            raise self.problem
        check_name(self.name)
        if self.media_type and not _may_be_picture(self.media_type):
            raise Problem(
                "wrong-type",
                f"The file is sent as {self.media_type[:80]}; expected image/jpeg, image/png, "
                "image/webp, image/heic or image/avif.",
            )
        size = self.file.seek(0, 2)
        self.file.seek(0)
        if size > limits.image_bytes:
            raise Problem(
                "too-large",
                f"The picture has {size:,} bytes; at most {limits.image_bytes:,} are taken.",
            )


class Base64Picture(BaseModel):
    """A picture inside a JSON document."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(description="Shown again in the answer.", max_length=255)] = ""
    base64: str = Field(description="The file in Base64; a data URL is taken as well.")


class Base64Pictures(BaseModel):
    """Pictures as a JSON document."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Base64Picture], Field(min_length=1, max_length=MOST_IN_JSON)]


_BINARY = {"type": "string", "format": "binary"}
_PICTURE = {"schema": _BINARY}


def pictures_body(*, several: bool) -> dict[str, Any]:
    """Return OpenAPI's `requestBody` of a route that takes pictures.

    Swagger UI shows a button for a file where the schema says `format: binary`, which FastAPI, as
    OpenAPI 3.1 wants it, does not.
    """
    files = {"type": "array", "items": _BINARY, "minItems": 1} if several else _BINARY
    images: dict[str, Any] = {"type": "array", "items": Base64Picture.model_json_schema()}
    # How many are taken, a limit says, which is answered with 413.
    images |= {"minItems": 1}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {"files": files},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "additionalProperties": False,
                    "properties": {"images": images},
                }
            },
            **dict.fromkeys(
                ("image/jpeg", "image/png", "image/webp", "image/heic", "image/avif"), _PICTURE
            ),
        },
    }


@asynccontextmanager
async def receive_pictures(
    request: Request, limits: Limits, *, most: int
) -> AsyncIterator[list[Upload]]:
    """Receive the pictures of a request; their files are closed when the block is left.

    Args:
        request: A form with `files`, a picture, or a JSON document with `images`.
        limits: The server's.
        most: How many pictures are taken.

    Raises:
        Problem: `wrong-type`, `too-large`, `invalid`, or `bad-request` for a broken form.
    """
    kind = media_type_of(request.headers)
    async with AsyncExitStack() as stack:
        if kind == "multipart/form-data":
            uploads = await _from_form(request, stack, most)
        elif kind == "application/json":
            uploads = await _from_json(request, stack, limits)
        elif kind and _may_be_picture(kind):
            file = await _spool(request, stack, limits.image_bytes)
            uploads = [Upload("", kind, file)]
        else:
            raise Problem(
                "wrong-type",
                f"The request is sent as {kind[:80] or 'nothing'}; expected multipart/form-data "
                "with files, a picture as image/jpeg, image/png, image/webp, image/heic or "
                "image/avif, or application/json with Base64.",
            )
        if len(uploads) > most:
            raise _too_many(most)
        yield uploads


async def receive_file(request: Request, stack: AsyncExitStack, field: str) -> UploadFile:
    """Receive a form with one file, which is closed with `stack`.

    Args:
        request: A form.
        stack: Where closing it is noted.
        field: The field's name.

    Raises:
        Problem: `wrong-type`, `invalid`, or `bad-request` for a broken form.
    """
    kind = media_type_of(request.headers)
    if kind != "multipart/form-data":
        raise Problem(
            "wrong-type",
            f"The request is sent as {kind[:80] or 'nothing'}; expected multipart/form-data with "
            f"{field}.",
        )
    (file,) = await _form_files(request, stack, field, 1)
    return file


def media_type_of(headers: Headers) -> str:
    """Return the `Content-Type` without its parameters, in small letters; empty for none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_name(name: str | None) -> None:
    """Refuse file names with folders or control characters; names are only ever shown.

    Raises:
        Problem: `bad-file-name`.
    """
    if name and (not _PLAIN_NAME.fullmatch(name) or name in (".", "..")):
        raise Problem(
            "bad-file-name",
            "A file name has up to 255 characters and no /, \\ or control character; leave the "
            "folder out.",
        )


async def _from_form(request: Request, stack: AsyncExitStack, most: int) -> list[Upload]:
    uploads = []
    for file in await _form_files(request, stack, "files", most):
        uploads.append(Upload(file.filename or "", media_type_of(file.headers), _spooled(file)))
    return uploads


async def _form_files(
    request: Request, stack: AsyncExitStack, field: str, most: int
) -> list[UploadFile]:
    _check_charset(request)
    form = request.form(max_files=most, max_fields=MOST_FIELDS, max_part_size=_FIELD_BYTES)
    try:
        found = await stack.enter_async_context(form)
    except HTTPException as error:
        if str(error.detail).startswith("Too many files"):
            raise _too_many(most) from None
        raise
    except (ValueError, LookupError) as error:
        raise Problem("bad-request", f"The form cannot be read: {error}.") from None
    parts = found.getlist(field)
    files = [part for part in parts if not isinstance(part, str)]
    if not files or len(files) < len(parts):
        fields = ", ".join(sorted({f"{name!r:.40}" for name in found})[:5]) or "no fields"
        raise Problem(
            "invalid",
            f"Found a form with {fields}; expected {field!r}, with a file and no text.",
        )
    return files


def _check_charset(request: Request) -> None:
    """Refuse a form whose texts are not UTF-8.

    Starlette would decode them with any codec that Python knows: some make what is no character, or
    fail in ways of their own.
    """
    charset = parse_options_header(request.headers["content-type"])[1].get(b"charset", b"utf-8")
    if charset.lower() not in _CHARSETS:
        raise Problem(
            "bad-request",
            f"The form is sent in the charset {charset[:80].decode('latin-1')!r}; expected utf-8.",
        )


async def _from_json(request: Request, stack: AsyncExitStack, limits: Limits) -> list[Upload]:
    # Base64 makes four bytes of three.
    body = await _spool(request, stack, limits.image_bytes * 4 // 3 + MOST_FIELDS * _FIELD_BYTES)
    uploads = await asyncio.get_running_loop().run_in_executor(_unpacker, _unpack, body)
    for upload in uploads:
        stack.callback(upload.file.close)
    return uploads


def _unpack(body: SpooledTemporaryFile[bytes]) -> list[Upload]:
    try:
        document = Base64Pictures.model_validate_json(body.read())
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        told = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:5]]
        raise Problem("invalid", "; ".join(told)) from None
    uploads = []
    for picture in document.images:
        begun = _DATA_URL.match(picture.base64)
        start = begun.end() if begun else 0
        file, problem = _new_file(), None
        try:
            # Tools break the lines; anything else that is no Base64 is an error.
            text = picture.base64[start:].encode("ascii").translate(None, b" \t\r\n")
            file.write(base64.b64decode(text, validate=True))
        except ValueError as error:
            problem = Problem("unreadable", f"The picture is no Base64: {error}.")
        file.seek(0)
        uploads.append(Upload(picture.name, "", file, problem))
    return uploads


async def _spool(
    request: Request, stack: AsyncExitStack, most_bytes: int
) -> SpooledTemporaryFile[bytes]:
    """Receive a request's body into a temporary file."""
    file = _new_file()
    stack.callback(file.close)
    upload = UploadFile(file, size=0)  # type: ignore[arg-type] # Starlette's own use of it.
    async for piece in request.stream():
        await upload.write(piece)
        if (upload.size or 0) > most_bytes:
            raise Problem(
                "too-large",
                f"The body has {upload.size:,} bytes or more; at most {most_bytes:,} are taken.",
            )
    await upload.seek(0)
    return file


def _new_file() -> SpooledTemporaryFile[bytes]:
    return SpooledTemporaryFile(max_size=MultiPartParser.spool_max_size)


def _spooled(file: UploadFile) -> SpooledTemporaryFile[bytes]:
    spooled: Any = file.file
    return spooled  # type: ignore[no-any-return]


def _may_be_picture(media_type: str) -> bool:
    return media_type.startswith("image/") or media_type == "application/octet-stream"


def _too_many(most: int) -> Problem:
    return Problem("too-large", f"The request has more files than {most}, which are taken at once.")
