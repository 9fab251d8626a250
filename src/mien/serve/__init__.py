"""mien as a service: a web page and an HTTP API. Needs the extra `serve`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.serve.app import create_app
    from mien.serve.settings import Limits, Settings

__all__ = ["Limits", "Settings", "create_app"]

# Imported when they are first asked for: the process of each job needs no FastAPI, which takes a
# second to load.
_MODULE_OF_NAME = {
    "Limits": "mien.serve.settings",
    "Settings": "mien.serve.settings",
    "create_app": "mien.serve.app",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF_NAME[name]), name)
