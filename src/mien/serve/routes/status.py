"""How the server is: for load balancers, Prometheus and people."""

from __future__ import annotations

import logging
from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from mien.serve.http.openapi import responses
from mien.serve.http.problems import Problem
from mien.serve.metrics import MEDIA_TYPE
from mien.serve.routes.dependencies import ServerContext, require_access
from mien.serve.store import STORE_ERRORS

log = logging.getLogger("mien.serve")

router = APIRouter(tags=["status"])


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def health() -> Health:
    """Say that the process lives; it looks at nothing else."""
    return Health()


@router.get("/readyz", responses=responses(503))
def ready(context: ServerContext) -> Health:
    """Say whether requests can be served: the network is loaded and the state file works."""
    try:
        context.store.count_jobs()
    except STORE_ERRORS as error:
        log.warning("The state file cannot be used: %s", error)
        raise Problem(
            "not-ready", "The state file cannot be used; the log says why.", retry_after_s=5
        ) from None
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
def metrics(context: ServerContext) -> Response:
    """Give the server's figures in Prometheus' text format."""
    return Response(context.metrics.render(), media_type=MEDIA_TYPE)
