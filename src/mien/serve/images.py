"""`POST /v1/images`: pictures in, their faces out."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Request, UploadFile

from mien.recognizer import Recognizer
from mien.record.table import row_of
from mien.serve.access import require_access
from mien.serve.documents import responses
from mien.serve.pictures import decode_picture
from mien.serve.problems import Problem
from mien.serve.recognition import Recognition
from mien.serve.schemas import FaceRecord, PictureResult, PicturesResult
from mien.serve.settings import Limits, Settings

router = APIRouter(prefix="/v1", tags=["pictures"], dependencies=[Depends(require_access)])

_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,255}")


@router.post("/images", responses=responses(400, 401, 403, 408, 413, 415, 422, 429, 503))
async def recognise_images(
    request: Request,
    files: Annotated[
        list[UploadFile], File(description="One or several JPEG, PNG or WebP pictures.")
    ],
) -> PicturesResult:
    """Find the faces in pictures and say what each shows.

    The pictures are answered for together: one that is refused refuses the request, and the
    problem document names it in `file` (its index). Nothing is kept.
    """
    settings: Settings = request.app.state.settings
    recognition: Recognition = request.app.state.recognition
    limits = settings.limits
    if len(files) > limits.images_per_request:
        raise Problem(
            "too-large",
            f"The request has {len(files)} pictures; at most {limits.images_per_request} here.",
        )
    for index, file in enumerate(files):
        _check_upload(file, index, limits)
    images = []
    for index, file in enumerate(files):
        content = await file.read()
        lane = recognition.for_picture()
        work = partial(_recognise, lane.recognizer, content, index, file.filename or "", limits)
        try:
            images.append(await lane.run("image", work))
        except Problem as problem:
            problem.extra["file"] = index
            raise
    request.app.state.metrics.faces.inc(sum(len(image.faces) for image in images))
    return PicturesResult(model=request.app.state.recognizer.artifact.sha256, images=images)


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


def _check_upload(file: UploadFile, index: int, limits: Limits) -> None:
    check_name(file.filename)
    declared = (file.content_type or "application/octet-stream").partition(";")[0].strip()
    if not declared.startswith("image/") and declared != "application/octet-stream":
        raise Problem(
            "wrong-type",
            f"The file is sent as {declared[:80]}; expected image/jpeg, image/png or image/webp.",
            file=index,
        )
    if (file.size or 0) > limits.image_bytes:
        raise Problem(
            "too-large",
            f"The picture has {file.size:,} bytes; at most {limits.image_bytes:,} are taken.",
            file=index,
        )


def _recognise(
    recognizer: Recognizer, content: bytes, index: int, name: str, limits: Limits
) -> PictureResult:
    image_bgr = decode_picture(
        content, most_pixels=limits.image_pixels, longest_side=limits.image_side
    )
    faces = recognizer.recognize(image_bgr, index)
    height, width = image_bgr.shape[:2]
    return PictureResult(
        name=name,
        width=width,
        height=height,
        faces=[FaceRecord.model_validate(row_of(face, smooth_ms=0.0, raw=False)) for face in faces],
    )
