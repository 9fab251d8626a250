"""mien as a service: a web page and an HTTP API. Needs the extra `serve`."""

from mien.serve.app import create_app
from mien.serve.settings import Limits, Settings

__all__ = ["Limits", "Settings", "create_app"]
