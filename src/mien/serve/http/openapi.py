"""What OpenAPI is told of the answers that are not results."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from mien.serve.http.problems import MEDIA_TYPE, PROBLEMS, ProblemDocument


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` for a route that may answer with problems of these statuses."""
    return {status: _response(status) for status in statuses}


def describe(app: FastAPI, *, needs_token: bool) -> None:
    """Let the OpenAPI document of `app` ask for a token only if this server does."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
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
