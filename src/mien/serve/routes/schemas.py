"""What the API answers with: the JSON documents, for FastAPI to check and to document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

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
    "reading": "raters",
    "missed_limits": None,
    "yaw_degrees": 4.1,
    "pitch_degrees": -6.3,
    "roll_degrees": 1.2,
}

# An empty cell of a table is nothing.
_Text = Annotated[str | None, BeforeValidator(lambda cell: cell or None)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Degrees = Annotated[float | None, BeforeValidator(lambda cell: None if cell == "" else cell)]


class FaceRecord(BaseModel):
    """One face in one frame: the same columns as every record of mien.

    One of them for each label of the reading holds its probability, 0 to 1. A label that is named
    as another column is has `label_` before it. In a video or stream that a temporal network
    judges, `whole_` with each label is what the person showed so far, and `temporal_sha256` says
    which network it is.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_FACE_EXAMPLE]})
    __pydantic_extra__: dict[str, float | _Sha256]

    frame: int = Field(description="Index of the picture in the request, or of the frame.")
    timestamp_ms: float = Field(description="Time of the frame in its source; 0 for pictures.")
    track_id: int = Field(description="The person's number, from 1; 0 for pictures.")
    x: float = Field(description="Left edge of the box in pixels; may lie outside the picture.")
    y: float = Field(description="Top edge of the box in pixels.")
    width: float = Field(description="Width of the box in pixels.")
    height: float = Field(description="Height of the box in pixels.")
    detection_score: float = Field(description="The detector's confidence, 0 to 1.")
    emotion: str = Field(description="One of the reading's labels.", examples=["happy"])
    confidence: float = Field(description="Probability of `emotion`, 0 to 1.")
    uncertain: bool = Field(description="True where the label should not be relied upon.")

    detected: bool = Field(
        description="False where the box was carried here from an earlier frame."
    )
    smooth_ms: float = Field(
        description="Time constant of the average over time that the probabilities are; 0 for none."
    )
    reading: str | None = Field(default=None, description="The reading that the probabilities are.")
    missed_limits: _Text = Field(
        default=None,
        description="Why it is uncertain: the limits of the quality gate that it missed, such as "
        "`min_side_px 17.2 < 20; min_confidence 0.28 < 0.3`.",
    )
    yaw_degrees: _Degrees = Field(
        default=None,
        description="How far the head is turned to the side, above 0 to the right of the picture; "
        "null, as the other two, where the detector gives no five landmarks.",
    )
    pitch_degrees: _Degrees = Field(
        default=None, description="How far it is turned up or, below 0, down."
    )
    roll_degrees: _Degrees = Field(
        default=None, description="How far it is turned clockwise within the picture."
    )


class PictureResult(BaseModel):
    """One picture of a request, and its faces."""

    name: str = Field(description="The file's name as sent.", examples=["people.jpg"])
    width: int | None = Field(
        default=None, description="In pixels, after the EXIF orientation.", examples=[1280]
    )
    height: int | None = Field(default=None, examples=[720])
    faces: list[FaceRecord] = Field(
        default=[], description="The largest first; empty where there is none."
    )
    problem: dict[str, Any] | None = Field(
        default=None,
        description="Why it could not be read: a problem document. Then there is nothing else.",
        examples=[None],
    )


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


class JobList(BaseModel):
    """A client's video jobs, the newest first."""

    jobs: list[JobStatus]


class Answer(BaseModel):
    """What a person, or everyone in a video, showed on the whole: the mean over the certain time.

    With a temporal network (`mien serve --temporal`) it is what that says of all so far. All are
    null where no label was ever certain.
    """

    emotion: str | None = Field(description="The most probable label.", examples=["happy"])
    confidence: float | None = Field(description="Its probability, 0 to 1.", examples=[0.71])
    probabilities: dict[str, float] | None = Field(description="By label; they sum to 1.")


class PersonSummary(Answer):
    """What one person showed; see `shares` for how the time was divided."""

    track_id: int
    first_ms: float = Field(description="When the person was first seen.")
    last_ms: float
    seen_ms: float = Field(description="For how long the person was seen.")
    shares: dict[str, float] = Field(description="Part of that time that each label was shown.")
    uncertain_share: float = Field(description="Part of that time in which no label was certain.")


class VideoSummary(Answer):
    """What everyone in a video showed on the whole, and each person."""

    first_ms: float
    last_ms: float
    frames_with_a_face: int
    readings: list[str]
    networks_over_time: list[str] = Field(
        description="SHA-256 of the temporal network that the answers are of; empty without one."
    )
    labels: list[str]
    persons: list[PersonSummary] = Field(description="The longest seen first.")
    others: int = Field(description="Of very many, people who left and are not in `persons`.")
    never_certain: int = Field(description="Tracks that were never certain.")


class VideoResult(BaseModel):
    """The faces of a video, frame by frame, and what they amount to."""

    faces: list[FaceRecord]
    summary: VideoSummary


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
    url: str = Field(examples=["/v1/model/yunet.onnx"])


class InputInfo(BaseModel):
    """What the network reads: float32 (N, side, side, channels), (pixel - mean) * scale."""

    name: str = Field(description="Name of the graph's input.", examples=["faces"])
    side: int = Field(description="Side of a crop in pixels.", examples=[48])
    channels: int = Field(description="1 for grey, 3 for RGB.", examples=[1])
    mean: list[float] = Field(description="One a channel, 0 to 255.", examples=[[0.0]])
    scale: list[float] = Field(description="One a channel.", examples=[[1 / 255]])


class ReadingInfo(BaseModel):
    """One way to make probabilities out of the network's heads.

    Of each head, the columns of the labels are taken and each row is renormalised; the rows are
    weighed by the shares and added up; the logarithms of the sums are divided by the temperature,
    and the rows renormalised.
    """

    labels: list[str] = Field(examples=[list(EMOTIONS)])
    shares: dict[str, float] = Field(examples=[{"label_probabilities": 1.0}])
    temperature: float = Field(examples=[1.2])
    metrics: dict[str, Any] = Field(description="What was measured on validation faces.")


class TemporalInfo(BaseModel):
    """A temporal network that the page can run, and how it is fed."""

    url: str = Field(examples=["/v1/model/temporal.onnx"])
    sha256: str
    reading: str = Field(description="The one that it belongs to.", examples=["raters"])
    state: int = Field(description="Numbers of a face's state; a new face's are 0.", examples=[47])
    longest_elapsed_ms: float = Field(
        description="What counts as the time before a face's first moment.", examples=[1000.0]
    )


class ModelInfo(BaseModel):
    """The network, and all that is needed to run it elsewhere with the same results."""

    sha256: str
    experiment: str = Field(examples=["035_camera"])
    input: InputInfo
    heads: dict[str, list[str]] = Field(
        description="The classes of each of the graph's outputs whose rows sum to 1.",
        examples=[{"label_probabilities": list(EMOTIONS)}],
    )
    face_likeness: str | None = Field(
        description="The output that holds the log odds of being a face.",
        examples=["face_likeness"],
    )
    features: str | None = Field(
        description="The output that holds what the heads read.", examples=["features"]
    )
    readings: dict[str, ReadingInfo] = Field(description="By name; requests may choose one.")
    reading: str = Field(description="The reading of requests that name none.", examples=["raters"])
    metrics: dict[str, Any]
    url: str = Field(examples=["/v1/model/emotion.onnx"])
    server_detector: str = Field(description="The detector used here.", examples=["yunet"])
    page_detector: DetectorInfo | None = Field(
        description="The detector for browsers; None where its file is missing here."
    )
    smooth_ms: float = Field(
        description="Time constant of the smoothing; where the server has a temporal network, "
        "that of a page that recognises by itself.",
        examples=[130.0],
    )
    temporal_sha256: str | None = Field(
        description="The temporal network that judges videos and streams here; null for smoothing."
    )
    page_temporal: TemporalInfo | None = Field(
        description="The temporal network that the page can run: the server's own, or the one "
        "that ships; null where none belongs to this network."
    )
    quality_gate: dict[str, float] = Field(
        description="The least that a face must offer, or it is `uncertain`; see "
        "`mien.faces.gate`.",
        examples=[{"min_side_px": 20.0, "min_confidence": 0.3}],
    )
