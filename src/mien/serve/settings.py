"""What `mien serve` can be told: where it listens, who may use it and how much of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)

from mien.core.cores import usable_cores
from mien.core.errors import SettingError
from mien.engine.settings import EngineSettings, make_settings
from mien.faces.models import cache_folder
from mien.recognizer import Recognizer
from mien.serve.addresses import is_loopback, normal_host, normal_origin

ENVIRONMENT_PREFIX = "MIEN_SERVE_"
"""`MIEN_SERVE_PORT` sets `Settings.port`, `MIEN_SERVE_LIMITS__STREAMS` sets `Limits.streams`."""

_SHORTEST_TOKEN = 16
# JSON would make nothing of an infinity, which switches a limit off.
_CONFIG = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Limits(BaseModel):
    """How much one worker takes in, from one client and in all.

    Attributes:
        image_bytes: Size of one picture.
        image_pixels: Width times height of one picture; checked in its header, before it is
            decoded.
        image_side: Longer side of a picture, in pixels.
        search_side: Larger pictures are reduced to this longer side, in pixels, before small faces
            are detected in them; it bounds what a search costs.
        images_per_request: Pictures in one request.
        video_bytes: Size of one video.
        video_pixels: Width times height of a video's frames.
        video_frames: Frames of one video.
        video_seconds: Length of one video.
        video_memory_mb: Memory that one video may take, in megabytes; 0 for any.
        jobs_waiting: Videos that wait, in all workers together.
        jobs_per_client: Videos that wait or run, from one address, in all workers together.
        job_seconds: Time that one video may take once it runs.
        job_kept_seconds: How long a finished video's result can be fetched.
        frame_bytes: Size of one frame of a stream.
        frame_pixels: Width times height of one frame of a stream.
        record_bytes: Size of a table that a report is made of, or that a video gives.
        streams: Streams at once.
        streams_per_client: Streams at once from one address.
        stream_idle_seconds: A stream without a frame for so long is closed.
        stream_seconds: Length of a stream.
        uploads: Uploads that are received or recognised at once.
        uploads_per_client: Uploads at once from one address.
        upload_seconds: Time in which an upload must have come in, in addition to its bytes divided
            by `upload_rate`.
        upload_rate: Bytes per second that are expected of a slow client.
        answer_seconds: Time in which a client must take what waits for it, in addition to its
            bytes divided by `upload_rate`; then its connection is ended.
        requests_per_minute: Requests of one client; short bursts of as many are fine.
        tickets_seconds: How long a WebSocket ticket can be used.
    """

    model_config = _CONFIG

    image_bytes: PositiveInt = 20_000_000
    image_pixels: PositiveInt = 50_000_000
    image_side: PositiveInt = 20_000
    search_side: PositiveInt = 4096
    images_per_request: PositiveInt = 16
    video_bytes: PositiveInt = 500_000_000
    video_pixels: PositiveInt = 3840 * 2160
    video_frames: PositiveInt = 36_000
    video_seconds: PositiveFloat = 1200.0
    video_memory_mb: Annotated[int, Field(ge=0)] = 4000
    jobs_waiting: PositiveInt = 8
    jobs_per_client: PositiveInt = 4
    job_seconds: PositiveFloat = 3600.0
    job_kept_seconds: PositiveFloat = 3600.0
    frame_bytes: PositiveInt = 2_000_000
    frame_pixels: PositiveInt = 1920 * 1080
    record_bytes: PositiveInt = 80_000_000
    streams: PositiveInt = 64
    streams_per_client: PositiveInt = 16
    stream_idle_seconds: PositiveFloat = 30.0
    stream_seconds: PositiveFloat = 14_400.0
    uploads: PositiveInt = 32
    uploads_per_client: PositiveInt = 8
    upload_seconds: PositiveFloat = 120.0
    upload_rate: PositiveInt = 200_000
    answer_seconds: PositiveFloat = 60.0
    requests_per_minute: PositiveInt = 1200
    tickets_seconds: PositiveFloat = 30.0


class Settings(BaseModel):
    """Everything that `create_app` needs to know.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        workers: Processes that share the port.
        threads: Threads that recognise, in each worker; cores are those that the container or
            `taskset` leaves to the process.
        artifact: The network's file (`--model`); without one, the shipped network.
        reading: Name of one of the artifact's readings, for requests that name none; without one,
            its default.
        detector: auto, yunet, haar, mediapipe or mtcnn.
        provider: What ONNX Runtime runs on, `cpu`, `cuda`, …: its execution providers.
        smooth_ms: Time constant (`--smooth`) of the average over time of videos and streams; 0
            turns it off; without one, that of `mien.EngineSettings`.
        temporal: The file of a temporal network instead of the smoothing of videos and
            streams; `shipped` for the shipped one.
        gate: Limits beyond which a label is uncertain, by their names in `mien.QualityGate`, such
            as `MIEN_SERVE_GATE__MIN_CONFIDENCE=0.5`; those that are not named keep their defaults.
        token: What clients must show as `Authorization: Bearer …` (`--token-file` names its file);
            without one, all may ask.
        allow_anyone: Listen beyond this machine although there is no token.
        allowed_hosts: Names under which the server may be addressed, beside its own, separated
            by commas (`--allowed-host`, one each); `*` for any.
        allowed_origins: Origins of other sites whose pages may use the API, such as
            `https://example.org`, separated by commas (`--allowed-origin`, one each).
        state_file: SQLite file with the jobs and their results (`--state`); shared by all workers.
        static_folder: The built page; without one, that inside the package.
        shutdown_seconds: How long a server that is told to stop goes on with requests, and then so
            long again with a video.
        limits: See `Limits`.
    """

    model_config = _CONFIG

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: PositiveInt = 1
    threads: PositiveInt = Field(default_factory=usable_cores)
    artifact: Path | None = None
    reading: str | None = None
    detector: str = "auto"
    provider: str = "cpu"
    smooth_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    temporal: str | None = None
    gate: dict[str, float] = {}
    token: SecretStr | None = None
    allow_anyone: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    state_file: Path = Field(default_factory=lambda: cache_folder() / "serve.sqlite3")
    static_folder: Path | None = None
    shutdown_seconds: NonNegativeFloat = 30.0
    limits: Limits = Limits()

    @field_validator("allowed_hosts")
    @classmethod
    def _normal_hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(normal_host, names))

    @field_validator("allowed_origins")
    @classmethod
    def _normal_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(normal_origin, origins))

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Check `values` and make settings of them.

        Raises:
            SettingError: if a name is unknown, a value is of the wrong type or out of range, a host
                or an origin cannot be one, the token is too short or cannot be sent, or there is
                none although the server would be reachable from other machines.
        """
        try:
            settings = cls.model_validate(dict(values))
        except ValidationError as error:
            raise SettingError(_explain(error)) from None
        settings._check_token()
        _ = settings.engine  # Raises what cannot be meant.
        return settings

    @classmethod
    def from_environment(cls, options: Mapping[str, Any] | None = None) -> Self:
        """Read the settings from the environment variables that begin with `MIEN_SERVE_`.

        Lists are separated by commas.

        Args:
            options: Settings that go before the variables, by name.

        Raises:
            SettingError: as `parse` does.
        """
        values = _nested(os.environ)
        given = dict(options or {})
        tables = {name: values.get(name, {}) | given.get(name, {}) for name in _TABLES}
        return cls.parse(values | given | {name: table for name, table in tables.items() if table})

    def to_environment(self) -> dict[str, str]:
        """Return the variables from which `from_environment` makes the same settings."""
        values = self.model_dump(exclude_unset=True)
        if self.token is not None:
            values["token"] = self.token.get_secret_value()
        for table in _TABLES:
            entries = values.pop(table, {})
            values |= {f"{table}__{name}": value for name, value in entries.items()}
        return {
            f"{ENVIRONMENT_PREFIX}{name.upper()}": _to_text(value)
            for name, value in values.items()
            if value is not None
        }

    @property
    def engine(self) -> EngineSettings:
        """How often, how calm, how sure: for every video and stream."""
        return make_settings(smooth_ms=self.smooth_ms, gate=self.gate, temporal=self.temporal)

    def open_recognizer(self) -> Recognizer:
        """Open the network and the detector, for one thread.

        Raises:
            ModelError: if one of them cannot be used.
            SettingError: if there is no such reading, detector or provider.
        """
        return Recognizer(
            self.artifact,
            reading=self.reading,
            detector=self.detector,
            threads=1,
            provider=self.provider,
        )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    def _check_token(self) -> None:
        token = None if self.token is None else self.token.get_secret_value()
        if token is not None and len(token) < _SHORTEST_TOKEN:
            raise SettingError(
                f"The token has {len(token)} characters; expected at least {_SHORTEST_TOKEN}. Make "
                "one with  openssl rand -hex 24"
            )
        if token is not None and (wrong := _NO_PART_OF_A_TOKEN.search(token)):
            raise SettingError(
                f"Character {wrong.start() + 1} of the token cannot be sent in an HTTP header, or "
                "would get lost there; expected ASCII letters, digits and signs, and no space at "
                "either end. Make one with  openssl rand -hex 24"
            )
        if self.token is None and not self.is_loopback and not self.allow_anyone:
            raise SettingError(
                f"{self.host} can be reached from other machines, and there is no token: put one "
                f"into the environment variable {ENVIRONMENT_PREFIX}TOKEN "
                "(openssl rand -hex 24 makes one), or let everyone in with --allow-anyone."
            )


def environment_for_children() -> dict[str, str]:
    """Return this process's environment without the settings, of which the token is a secret.

    What opens a hostile file may be taken over by it, and needs none of them.
    """
    return {
        name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)
    }


def read_token(file: Path) -> str:
    """Read the token from a file.

    Raises:
        SettingError: if the file cannot be read or is empty.
    """
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingError(f"The token file {file} cannot be read: {error}.") from None
    if not token:
        raise SettingError(
            f"The token file {file} is empty; expected at least {_SHORTEST_TOKEN} characters. "
            f"Write one with  openssl rand -hex 24 > {file}"
        )
    return token


def read_limits(assignments: list[str]) -> dict[str, str]:
    """Read limits from texts such as `streams=10`.

    Raises:
        SettingError: if a text has no `=`.
    """
    limits = {}
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign:
            raise SettingError(f"Found the limit {assignment!r}; expected NAME=VALUE.")
        limits[name.strip()] = value.strip()
    return limits


# Around a header's value, HTTP does not count spaces.
_NO_PART_OF_A_TOKEN = re.compile(r"[^ -~]|^ | $")
_LISTS = ("allowed_hosts", "allowed_origins")
# What is set entry by entry, and an example of one.
_TABLES = {"limits": "STREAMS=10", "gate": "MIN_CONFIDENCE=0.5"}
# Kubernetes sets these for a Service called mien-serve; the port is then an address: tcp://….
_KUBERNETES_VARIABLE = re.compile(r"service_|port_|port=\w+://")


def _nested(variables: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    tables: dict[str, dict[str, str]] = {}
    for variable, text in variables.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if _KUBERNETES_VARIABLE.match(f"{name}={text}"):
            continue
        if name in _TABLES:
            raise SettingError(
                f"Found {variable}={text}; expected a variable for each limit, such as "
                f"{ENVIRONMENT_PREFIX}{name.upper()}__{_TABLES[name]}."
            )
        table, sign, entry = name.partition("__")
        if sign and table in _TABLES:
            tables.setdefault(table, {})[entry] = text
        elif name in _LISTS:
            values[name] = [part.strip() for part in text.split(",") if part.strip()]
        else:
            values[name] = text
    return values | tables


def _to_text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _explain(error: ValidationError) -> str:
    problems = []
    for found in error.errors(include_url=False):
        name = ".".join(map(str, found["loc"]))
        if found["type"] == "extra_forbidden" and found["loc"][0] == "limits":
            limits = ", ".join(Limits.model_fields)
            problems.append(f"there is no {name}; expected one of {limits}")
            continue
        variable = ENVIRONMENT_PREFIX + name.upper().replace(".", "__")
        problems.append(f"{name} ({variable}): {found['msg']}, found {found['input']!r}")
    return "The server's settings are wrong: " + "; ".join(problems) + "."
