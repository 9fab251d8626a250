"""`/v1/images`: pictures in, their faces or an annotated picture out."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from numpy.typing import NDArray

from mien.core.types import FaceEmotion
from mien.media.draw import draw_faces
from mien.recognizer import Recognizer
from mien.record.table import row_of
from mien.serve.context import Context
from mien.serve.http.clients import client_of, while_there
from mien.serve.http.openapi import responses
from mien.serve.http.problems import Problem
from mien.serve.pictures.decode import decode_picture
from mien.serve.routes.dependencies import (
    ReadingName,
    ServerContext,
    check_reading,
    require_access,
)
from mien.serve.routes.schemas import FaceRecord, PictureResult, PicturesResult
from mien.serve.routes.uploads import Upload, pictures_body, receive_pictures
from mien.serve.settings import Settings

router = APIRouter(prefix="/v1", tags=["pictures"], dependencies=[Depends(require_access)])

_PROBLEMS = responses(400, 401, 403, 408, 413, 415, 422, 429, 503, 507)
_JPEG_QUALITY = 92


@router.post(
    "/images",
    responses=_PROBLEMS,
    openapi_extra={"requestBody": pictures_body(several=True)},
)
async def recognise_images(
    request: Request, context: ServerContext, reading: ReadingName = None
) -> PicturesResult:
    """Find the faces in pictures and say what each shows.

    Send JPEG, PNG, WebP, HEIC or AVIF: as `files` of a form, one picture as the body itself, or
    JSON with Base64. A picture that cannot be read has a `problem` instead of its faces; if
    that is so of all, the first one's is the answer. Nothing is kept.
    """
    limits = context.settings.limits
    check_reading(context, reading)
    async with receive_pictures(request, limits, most=limits.images_per_request) as uploads:
        client = client_of(request.scope)
        images = await while_there(request, _recognise_all(client, context, uploads, reading))
    context.metrics.faces.inc(sum(len(image.faces) for image in images))
    return PicturesResult(model=context.recognizer.artifact.sha256, images=images)


@router.post(
    "/images/annotated",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"format": "binary"}}}}, **_PROBLEMS},
    openapi_extra={"requestBody": pictures_body(several=False)},
)
async def annotate_image(
    request: Request, context: ServerContext, reading: ReadingName = None
) -> Response:
    """Draw a box and a label on every face of one picture, and send it back as JPEG.

    The picture comes in like those of `/v1/images`. Nothing is kept.
    """
    limits = context.settings.limits
    check_reading(context, reading)
    async with receive_pictures(request, limits, most=1) as (upload,):
        upload.check(limits)
        call = partial(_annotate, upload, context.settings, reading)
        annotating = context.recognition.run(client_of(request.scope), "image", call)
        jpeg, faces = await while_there(request, annotating)
    context.metrics.faces.inc(faces)
    return Response(jpeg, media_type="image/jpeg")


async def _recognise_all(
    client: str, context: Context, uploads: list[Upload], reading: str | None
) -> list[PictureResult]:
    images: list[PictureResult] = []
    problems: list[Problem] = []
    for index, upload in enumerate(uploads):
        try:
            images.append(await _recognise(client, context, upload, index, reading))
        except Problem as problem:
            problem.extra["file"] = index
            problems.append(problem)
            images.append(PictureResult(name=upload.name, problem=problem.document))
    if len(problems) == len(images):
        raise problems[0]
    return images


async def _recognise(
    client: str, context: Context, upload: Upload, index: int, reading: str | None
) -> PictureResult:
    settings = context.settings
    upload.check(settings.limits)

    def call(recognizer: Recognizer) -> PictureResult:
        image_bgr, faces = _decode_and_recognise(upload, index, settings, reading, recognizer)
        height, width = image_bgr.shape[:2]
        rows = [row_of(face, smooth_ms=0.0, raw=False) for face in faces]
        return PictureResult(
            name=upload.name,
            width=width,
            height=height,
            faces=[FaceRecord.model_validate(row) for row in rows],
        )

    return await context.recognition.run(client, "image", call)


def _annotate(
    upload: Upload, settings: Settings, reading: str | None, recognizer: Recognizer
) -> tuple[bytes, int]:
    """Return the annotated picture as JPEG, and how many faces it has."""
    image_bgr, faces = _decode_and_recognise(upload, 0, settings, reading, recognizer)
    draw_faces(image_bgr, faces)
    encoded = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return encoded.tobytes(), len(faces)


def _decode_and_recognise(
    upload: Upload,
    index: int,
    settings: Settings,
    reading: str | None,
    recognizer: Recognizer,
) -> tuple[NDArray[np.uint8], list[FaceEmotion]]:
    limits = settings.limits
    # Read here, in a lane: never are more pictures in memory than there are lanes.
    image_bgr = decode_picture(
        upload.file.read(), most_pixels=limits.image_pixels, longest_side=limits.image_side
    )
    recognizer = recognizer if reading is None else recognizer.with_reading(reading)
    return image_bgr, recognizer.recognize(image_bgr, index, gate=settings.engine.gate)
