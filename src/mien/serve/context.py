"""What the routes work with: one typed record for each running application."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from mien.core.temporal import TemporalArtifact
from mien.recognizer import Recognizer
from mien.serve.http.access import AccessControl
from mien.serve.http.clients import ConcurrencyLimit
from mien.serve.jobs.runner import JobRunner
from mien.serve.metrics import Metrics
from mien.serve.recognition import Recognition
from mien.serve.settings import Settings
from mien.serve.store import Store


@dataclass(slots=True)
class Context:
    """Everything that one running application has.

    Attributes:
        settings: The server's settings.
        access: Decides who comes in.
        metrics: The figures of `/metrics`.
        recognizer: What `/v1/model` describes; all lanes recognise alike.
        temporal: The temporal network of videos and streams; None for smoothing.
        recognition: The threads that recognise.
        store: Jobs and tickets, which all workers know.
        jobs: Works videos off.
        static_folder: The built page.
        streams: Places for live streams.
    """

    settings: Settings
    access: AccessControl
    metrics: Metrics
    recognizer: Recognizer
    temporal: TemporalArtifact | None
    recognition: Recognition
    store: Store
    jobs: JobRunner
    static_folder: Path
    streams: ConcurrencyLimit

    def attach_to(self, app: FastAPI) -> None:
        """Let `context_of` find this for every request and WebSocket of `app`."""
        app.state.context = self


def context_of(connection: HTTPConnection) -> Context:
    """FastAPI dependency: return the context of the application that was asked."""
    context: Context = connection.app.state.context
    return context
