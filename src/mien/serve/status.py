"""How the server is: for load balancers, Prometheus and people."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from mien.serve.access import require_access
from mien.serve.documents import responses
from mien.serve.metrics import MEDIA_TYPE
from mien.serve.problems import Problem

router = APIRouter(tags=["status"])


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def health() -> Health:
    """Say that the process lives; it looks at nothing else."""
    return Health()


@router.get("/readyz", responses=responses(503))
def ready(request: Request) -> Health:
    """Say whether requests can be served: the network is loaded and the state file works."""
    if not request.app.state.ready:
        raise Problem("not-ready", "The server is starting or stopping.", retry_after_s=1)
    request.app.state.store.count_jobs()
    return Health()


@router.get(
    "/metrics",
    response_class=Response,
    dependencies=[Depends(require_access)],
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **responses(401, 429),
    },
)
def metrics(request: Request) -> Response:
    """Give the server's figures in Prometheus' text format."""
    return Response(request.app.state.metrics.render(), media_type=MEDIA_TYPE)
