"""What OpenAPI is told of the answers that are not results."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from mien.serve.http.admission import UNLIMITED_PATHS
from mien.serve.http.problems import MEDIA_TYPE, PROBLEMS, ProblemDocument


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` for a route that may answer with problems of these statuses."""
    return {status: _response(status) for status in statuses}


def describe(app: FastAPI, *, needs_token: bool) -> None:
    """Let the OpenAPI document of `app` tell what is so of every path.

    A token is asked for only if this server does so, and names that are not the server's are
    refused.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                if path not in UNLIMITED_PATHS:
                    operation["responses"]["421"] = _response(421)
        if not needs_token:
            document["components"].pop("securitySchemes", None)
            for path in document["paths"].values():
                for operation in path.values():
                    operation.pop("security", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's way to change it


def _response(status: int) -> dict[str, Any]:
    titles = [title for found, title in PROBLEMS.values() if found == status]
    document: dict[str, Any] = {
        "description": "; ".join(titles),
        "content": {MEDIA_TYPE: {"schema": ProblemDocument.model_json_schema()}},
    }
    if status in (429, 503, 507):
        document["headers"] = {
            "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {"type": "integer"},
            }
        }
    return document
