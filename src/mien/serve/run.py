"""Runs the server: `mien serve`."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import ExitStack

import uvicorn

from mien.serve.metrics import MULTIPROCESS_VARIABLE
from mien.serve.page import is_built
from mien.serve.settings import Settings

_LOG_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "mien": {"handlers": ["stderr"], "level": "INFO"},
        # Its own lines would hold addresses, and the tickets of WebSockets.
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING"},
    },
}


def serve(settings: Settings) -> None:
    """Serve until told to stop (Ctrl-C or SIGTERM), then finish what is under way.

    Args:
        settings: See `Settings`; every worker gets them through the environment.
    """
    print(_greeting(settings), flush=True)
    os.environ.update(settings.to_environment())
    # uvicorn raises the signal again when it is done; being told to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with ExitStack() as stack:
        if settings.workers > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-metrics-"))
            os.environ[MULTIPROCESS_VARIABLE] = folder
        uvicorn.run(
            "mien.serve:create_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            log_config=_LOG_CONFIG,
            access_log=False,
            server_header=False,
            # JPEG frames cannot be compressed further.
            ws_per_message_deflate=False,
            ws_max_size=settings.limits.frame_bytes,
            timeout_graceful_shutdown=round(settings.shutdown_seconds),
        )


def _greeting(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"mien serves http://{host}:{settings.port}/ (Ctrl-C stops it)"]
    if not is_built(settings.static_folder):
        lines.append("The page is not built (make web builds it); the API is served all the same.")
    if settings.token is None and not settings.is_loopback:
        lines.append("Anyone who can reach this machine may use it: there is no token.")
    return "\n".join(lines)
