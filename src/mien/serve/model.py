"""`/v1/model`: what the network is, and the files that a page needs to run it by itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from mien.engine.smoothing import SMOOTH_MS
from mien.faces.crop import FRAMINGS
from mien.faces.gate import QualityGate
from mien.faces.models import YUNET_SHA256, find_yunet, read_yunet
from mien.faces.reduce import DETECTION_SIDE
from mien.faces.yunet import YUNET_SCORE
from mien.recognizer import Recognizer
from mien.serve.access import require_access
from mien.serve.documents import responses
from mien.serve.problems import Problem
from mien.serve.schemas import DetectorInfo, FramingInfo, ModelInfo

router = APIRouter(prefix="/v1/model", tags=["model"], dependencies=[Depends(require_access)])

_ONNX = "application/octet-stream"
_ONNX_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {_ONNX: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("", responses=responses(401, 429))
def describe_model(request: Request) -> ModelInfo:
    """Say what the network is, how good it is and how to feed it."""
    recognizer: Recognizer = request.app.state.recognizer
    artifact = recognizer.artifact
    return ModelInfo(
        sha256=artifact.sha256,
        experiment=artifact.experiment,
        labels=list(artifact.labels),
        input_size=artifact.input_size,
        pixel_scale=artifact.pixel_scale,
        temperature=artifact.temperature,
        metrics=dict(artifact.metrics),
        url="/v1/model/emotion.onnx",
        server_detector=recognizer.detector.name,
        page_detector=_page_detector(recognizer),
        smooth_ms=SMOOTH_MS,
        quality_gate=asdict(QualityGate()),
    )


@router.get(
    "/emotion.onnx",
    response_class=Response,
    responses=_ONNX_RESPONSE | responses(401, 429),
)
def emotion_network(request: Request) -> Response:
    """Fetch the network.

    `faces` float32 (N, 48, 48, 1) to `probabilities` float32 (N, 7), and to `face_likeness` float32
    (N, 1), the log odds that it is a face, which networks from elsewhere may lack.
    """
    artifact = request.app.state.recognizer.artifact
    return _file(request, artifact.onnx_path.read_bytes(), artifact.sha256)


@router.get(
    "/yunet.onnx",
    response_class=Response,
    responses=_ONNX_RESPONSE | responses(401, 404, 429),
)
def yunet_network(request: Request) -> Response:
    """Fetch the face detector YuNet, if this server has it."""
    path = find_yunet()
    if path is None:
        raise Problem("detector-missing", "Run  mien models download  on the server.")
    content = read_yunet(path)
    return _file(request, content, YUNET_SHA256)


def _page_detector(recognizer: Recognizer) -> DetectorInfo | None:
    if find_yunet() is None:
        return None
    framing = recognizer.artifact.crop.get("yunet", FRAMINGS["yunet"])
    return DetectorInfo(
        name="yunet",
        score_threshold=YUNET_SCORE,
        longest_side=DETECTION_SIDE,
        framing=FramingInfo(
            scale=framing.scale, offset_x=framing.offset_x, offset_y=framing.offset_y
        ),
        url="/v1/model/yunet.onnx",
    )


def _file(request: Request, content: bytes, sha256: str) -> Response:
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_ONNX)
