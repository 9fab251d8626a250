"""Runs the server: `mien serve`."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import uvicorn

from mien.core.errors import SettingError
from mien.engine.temporal import TemporalMemory
from mien.serve.http.protocol import BoundedProtocol, BoundedWebSocket
from mien.serve.metrics import MULTIPROCESS_VARIABLE
from mien.serve.routes.page import is_built
from mien.serve.settings import Settings
from mien.serve.store import Store

try:
    import resource
except ImportError:  # Windows has no such limit.
    resource = None  # type: ignore[assignment]

_LOG_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "filters": {"false alarms": {"()": "mien.serve.http.request_log.WithoutFalseAlarm"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["false alarms"],
        }
    },
    "loggers": {
        "mien": {"handlers": ["stderr"], "level": "INFO"},
        # Its own lines would hold addresses, and the tickets of WebSockets.
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING"},
    },
}


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until told to stop (Ctrl-C or SIGTERM), then finish what is under way.

    Args:
        settings: See `Settings`; every worker gets them through the environment.
        say: Called with the greeting, which names the address.

    Raises:
        SettingError: if the address cannot be listened on, or the state file cannot be used.
        ModelError: if the network or the detector cannot be used.
    """
    _allow_many_connections()
    port = _try_out(settings)
    say(_greeting(settings, port))
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
            # uvicorn calls them as it does its own classes.
            http=cast(Any, partial(BoundedProtocol, limits=settings.limits)),
            ws=cast(Any, partial(BoundedWebSocket, limits=settings.limits)),
            host=settings.host,
            port=port,
            workers=settings.workers,
            log_config=_LOG_CONFIG,
            access_log=False,
            server_header=False,
            # JPEG frames cannot be compressed further.
            ws_per_message_deflate=False,
            ws_max_size=settings.limits.frame_bytes,
            timeout_graceful_shutdown=round(settings.shutdown_seconds),
        )


def _try_out(settings: Settings) -> int:
    """Open once, and close again, what the workers will open; return the port to listen on.

    uvicorn would start a worker that cannot begin for ever, and ends with codes of its own.
    """
    recognizer = settings.open_recognizer()
    if settings.engine.temporal is not None:
        TemporalMemory(settings.engine.temporal, recognizer.classifier)
    Store(settings.state_file, worker="none")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.create_server((settings.host, settings.port), family=family) as probe:
            port: int = probe.getsockname()[1]
    except OSError as error:
        raise SettingError(
            f"Nothing can listen on {settings.host}, port {settings.port}: "
            f"{error.strerror or error}. Name another with --host or --port; 0 is any free port."
        ) from None
    return port


def _allow_many_connections() -> None:
    """Take as many open files as the system allows: of the usual 1,024, idle clients take all."""
    if resource is None:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _greeting(settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"mien serves http://{host}:{port}/ (Ctrl-C stops it)"]
    if not is_built(settings.static_folder):
        lines.append("The page is not built (make web builds it); the API is served all the same.")
    if settings.token is None and not settings.is_loopback:
        lines.append("Anyone who can reach this machine may use it: there is no token.")
    return "\n".join(lines)
