"""What the API answers with: the JSON documents, for FastAPI to check and to document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from mien.core.labels import EMOTIONS

_FACE_EXAMPLE: dict[str, JsonValue] = {
    "frame": 0,
    "timestamp_ms": 0.0,
    "track_id": 0,
    "x": 172.4,
    "y": 67.2,
    "width": 106.0,
    "height": 142.5,
    "detection_score": 0.93,
    "emotion": "happy",
    "confidence": 0.92,
    "angry": 0.01,
    "disgust": 0.0,
    "fear": 0.01,
    "happy": 0.92,
    "sad": 0.01,
    "surprise": 0.01,
    "neutral": 0.04,
    "uncertain": False,
    "detected": True,
    "smooth_ms": 0.0,
}


class FaceRecord(BaseModel):
    """One face in one frame: the same columns as every record of mien, in the same order."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FACE_EXAMPLE]})

    frame: int = Field(description="Index of the picture in the request, or of the frame.")
    timestamp_ms: float = Field(description="Time of the frame in its source; 0 for pictures.")
    track_id: int = Field(description="The person's number, from 1; 0 for pictures.")
    x: float = Field(description="Left edge of the box in pixels; may lie outside the picture.")
    y: float = Field(description="Top edge of the box in pixels.")
    width: float = Field(description="Width of the box in pixels.")
    height: float = Field(description="Height of the box in pixels.")
    detection_score: float = Field(description="The detector's confidence, 0 to 1.")
    emotion: Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    confidence: float = Field(description="Probability of `emotion`, 0 to 1.")
    angry: float
    disgust: float
    fear: float
    happy: float
    sad: float
    surprise: float
    neutral: float
    uncertain: bool = Field(description="True where the label should not be relied upon.")

    detected: bool = Field(
        description="False where the box was carried here from an earlier frame."
    )
    smooth_ms: float = Field(
        description="Time constant of the average over time that the probabilities are; 0 for none."
    )


class PictureResult(BaseModel):
    """One picture of a request, and its faces."""

    name: str = Field(description="The file's name as sent.", examples=["people.jpg"])
    width: int = Field(description="In pixels, after the EXIF orientation.", examples=[1280])
    height: int = Field(examples=[720])
    faces: list[FaceRecord] = Field(description="The largest first; empty where there is none.")


class PicturesResult(BaseModel):
    """The pictures of a request, in their order."""

    model: str = Field(description="SHA-256 of the network that judged.", examples=["4b1f…"])
    images: list[PictureResult]


class JobStatus(BaseModel):
    """A video job. Whoever knows its `id` may see and delete it."""

    id: str = Field(examples=["h5Zy0T5mPqv0k1y4b2cJ9w"])
    state: Literal["waiting", "running", "done", "failed"]
    created_s: float = Field(description="Seconds since 1970.", examples=[1767225600.0])
    finished_s: float | None = Field(examples=[None])
    frames_done: int = Field(examples=[120])
    frames_total: int | None = Field(description="As the video says it.", examples=[600])
    warning: str | None = Field(
        description="What is missing of the video, where it is damaged.", examples=[None]
    )
    problem: dict[str, Any] | None = Field(
        description="Why it failed: a problem document.", examples=[None]
    )
    result_url: str | None = Field(
        description="Where the table can be fetched, once it is done.",
        examples=["/v1/videos/h5Zy0T5mPqv0k1y4b2cJ9w/result"],
    )


class VideoResult(BaseModel):
    """The faces of a video, frame by frame."""

    faces: list[FaceRecord]


class Ticket(BaseModel):
    """A ticket for one WebSocket: connect to `/v1/stream?ticket=…` with it."""

    ticket: str = Field(examples=["2V0rZt3i0x…"])
    expires_in_s: float = Field(examples=[30.0])


class FramingInfo(BaseModel):
    """How to cut a face out around a detector's box; see `mien.core.artifact.Framing`."""

    scale: float
    offset_x: float
    offset_y: float


class DetectorInfo(BaseModel):
    """A face detector, and the files that a page needs to run it."""

    name: str = Field(examples=["yunet"])
    score_threshold: float | None = Field(
        description="Boxes below it are no faces; None where the score is none.", examples=[0.7]
    )
    longest_side: int = Field(
        description="Pictures are reduced to this many pixels first.", examples=[640]
    )
    framing: FramingInfo
    url: str | None = Field(examples=["/v1/model/yunet.onnx"])


class ModelInfo(BaseModel):
    """The network, and all that is needed to run it elsewhere with the same results."""

    sha256: str
    experiment: str = Field(examples=["003_spatial_dropout"])
    labels: list[str] = Field(examples=[list(EMOTIONS)])
    input_size: int = Field(description="Side of the input in pixels.", examples=[48])
    pixel_scale: float = Field(description="Factor on grey values.", examples=[1 / 255])
    temperature: float = Field(description="What the logits are divided by.", examples=[1.2])
    metrics: dict[str, Any]
    url: str = Field(examples=["/v1/model/emotion.onnx"])
    server_detector: str = Field(description="The detector used here.", examples=["yunet"])
    page_detector: DetectorInfo | None = Field(
        description="The detector for browsers; None where its file is missing here."
    )
    smooth_ms: float = Field(description="Time constant of the smoothing.", examples=[130.0])
    quality_gate: dict[str, float] = Field(
        description="The least that a face must offer, or it is `uncertain`; see "
        "`mien.faces.gate`.",
        examples=[{"min_side_px": 20.0, "min_confidence": 0.3}],
    )


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:mien:problem:too-large"])
    title: str = Field(examples=["That is too large"])
    status: int = Field(examples=[413])
    detail: str = Field(examples=["The picture has 30,000,000 bytes; at most 20,000,000."])
