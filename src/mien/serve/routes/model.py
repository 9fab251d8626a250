"""`/v1/model`: what the network is, and the files that a page needs to run it by itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from mien.core.artifact import Artifact
from mien.core.temporal import TemporalArtifact, bundled_temporal, load_temporal
from mien.engine.settings import EngineSettings
from mien.engine.smoothing import SMOOTH_MS
from mien.faces.detect import FRAMINGS
from mien.faces.models import YUNET_SHA256, find_yunet, read_yunet
from mien.faces.reduce import DETECTION_SIDE
from mien.faces.yunet import YUNET_SCORE
from mien.recognizer import Recognizer
from mien.serve.http.files import file_response
from mien.serve.http.openapi import responses
from mien.serve.http.problems import Problem
from mien.serve.routes.dependencies import ServerContext, require_access
from mien.serve.routes.schemas import (
    DetectorInfo,
    FramingInfo,
    InputInfo,
    ModelInfo,
    ReadingInfo,
    TemporalInfo,
)

router = APIRouter(prefix="/v1/model", tags=["model"], dependencies=[Depends(require_access)])

_ONNX = "application/octet-stream"
_ONNX_CONTENT = {_ONNX: {"schema": {"type": "string", "format": "binary"}}}
_ONNX_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": _ONNX_CONTENT},
    206: {"description": "The part that `Range` asks for", "content": _ONNX_CONTENT},
    304: {"description": "It is what `If-None-Match` names"},
    **responses(400, 401, 416, 429),
}


@router.get("", responses=responses(401, 429))
def describe_model(context: ServerContext) -> ModelInfo:
    """Say what the network is, how good it is and how to feed it."""
    return model_info(context.recognizer, context.settings.engine, context.temporal)


def model_info(
    recognizer: Recognizer, engine: EngineSettings, temporal: TemporalArtifact | None = None
) -> ModelInfo:
    """Return what the API and an exported page say of a recogniser's network."""
    artifact = recognizer.artifact
    return ModelInfo(
        sha256=artifact.sha256,
        experiment=artifact.experiment,
        input=InputInfo(**asdict(artifact.input)),
        heads={name: list(classes) for name, classes in artifact.heads.items()},
        face_likeness=artifact.face_likeness,
        features=artifact.features,
        readings={
            name: ReadingInfo(**asdict(reading)) for name, reading in artifact.readings.items()
        },
        reading=recognizer.classifier.reading_name,
        metrics=dict(artifact.metrics),
        url="/v1/model/emotion.onnx",
        server_detector=recognizer.detector.name,
        page_detector=_page_detector(recognizer),
        # Until its user chooses a temporal network, the page smooths by itself.
        smooth_ms=engine.smooth_ms if temporal is None else SMOOTH_MS,
        temporal_sha256=None if temporal is None else temporal.sha256,
        page_temporal=_temporal_info(temporal_for_page(artifact, temporal)),
        quality_gate=asdict(engine.gate),
    )


@router.get(
    "/emotion.onnx",
    response_class=Response,
    responses=_ONNX_RESPONSES,
)
def emotion_network(request: Request, context: ServerContext) -> Response:
    """Fetch the network, an ONNX graph.

    It maps the `input` of `/v1/model`, float32 (N, side, side, channels), to the `heads`, float32
    (N, classes) whose rows sum to 1, and to `face_likeness`, float32 (N, 1), the log odds that it
    is a face, which networks from elsewhere may lack.
    """
    artifact = context.recognizer.artifact
    return _file(request, artifact.onnx_path, artifact.sha256)


@router.get(
    "/yunet.onnx",
    response_class=Response,
    responses=_ONNX_RESPONSES | responses(404),
)
def yunet_network(request: Request) -> Response:
    """Fetch the face detector YuNet, if this server has it."""
    path = find_yunet()
    if path is None:
        raise Problem("detector-missing", "Run  mien models download  on the server.")
    read_yunet(path)  # Raises where it is another file.
    return _file(request, path, YUNET_SHA256)


@router.get(
    "/temporal.onnx",
    response_class=Response,
    responses=_ONNX_RESPONSES | responses(404),
)
def temporal_network(request: Request, context: ServerContext) -> Response:
    """Fetch the temporal network, an ONNX graph, if there is one for this network.

    It takes one moment of N faces and their states, and gives probabilities and the next states.
    """
    found = temporal_for_page(context.recognizer.artifact, context.temporal)
    if found is None:
        raise Problem("not-found", "No temporal network belongs to this network.")
    return _file(request, found.onnx_path, found.sha256)


def temporal_for_page(
    artifact: Artifact, served: TemporalArtifact | None
) -> TemporalArtifact | None:
    """Return the temporal network for a page: the server's own, else what ships and belongs."""
    if served is not None:
        return served
    shipped = load_temporal(bundled_temporal())
    return shipped if shipped.face_artifact_sha256 == artifact.sha256 else None


def _temporal_info(artifact: TemporalArtifact | None) -> TemporalInfo | None:
    if artifact is None:
        return None
    return TemporalInfo(
        url="/v1/model/temporal.onnx",
        sha256=artifact.sha256,
        reading=artifact.reading,
        state=artifact.state,
        longest_elapsed_ms=artifact.longest_elapsed_ms,
    )


def _page_detector(recognizer: Recognizer) -> DetectorInfo | None:
    if find_yunet() is None:
        return None
    framing = recognizer.artifact.crop.get("yunet", FRAMINGS["yunet"])
    return DetectorInfo(
        name="yunet",
        score_threshold=YUNET_SCORE,
        longest_side=DETECTION_SIDE,
        framing=FramingInfo(**asdict(framing)),
        url="/v1/model/yunet.onnx",
    )


def _file(request: Request, path: Path, sha256: str) -> Response:
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "private, no-cache"}
    return file_response(request, path, headers, _ONNX)
