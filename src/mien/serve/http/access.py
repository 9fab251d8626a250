"""Who may use the server: its names, other sites' pages, the token and the WebSocket tickets."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from mien.serve.addresses import host_name, is_loopback
from mien.serve.http.problems import Problem
from mien.serve.settings import Settings


class AccessControl:
    """Decides who comes in.

    Args:
        settings: The server's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._hosts = frozenset(settings.allowed_hosts)
        self._origins = frozenset(settings.allowed_origins)
        self._any_host = "*" in self._hosts or not (settings.is_loopback or self._hosts)
        token = settings.token
        self._token = None if token is None else token.get_secret_value().encode()

    @property
    def needs_token(self) -> bool:
        """Whether clients must show a token."""
        return self._token is not None

    def check_host(self, headers: Headers) -> None:
        """Refuse requests under a foreign name (DNS rebinding leads such to loopback servers).

        Raises:
            Problem: `host-refused`.
        """
        host = host_name(headers.get("host", ""))
        if not (self._any_host or is_loopback(host) or host in self._hosts):
            raise Problem(
                "host-refused",
                f"The server does not go by the name {host!r}: allow it with --allowed-host.",
            )

    def check_origin(self, connection: HTTPConnection) -> None:
        """Refuse what the page of another site sends in a browser.

        A browser lets any page open a WebSocket or post a form to any server, and says from where.

        Raises:
            Problem: `origin-refused`.
        """
        origin = connection.headers.get("origin")
        if origin is None or origin in self._origins:
            return
        scheme, _, host = origin.partition("://")
        same_scheme = scheme in ("http", "https")
        if not (same_scheme and host.lower() == connection.headers.get("host", "").lower()):
            raise Problem(
                "origin-refused",
                f"Pages of {origin} may not use this server: allow it with --allowed-origin.",
            )

    def check_token(self, token: str | None) -> None:
        """Refuse who does not show the token, where there is one.

        Raises:
            Problem: `token-needed`.
        """
        if self._token is None:
            return
        if token is None or not hmac.compare_digest(token.encode(), self._token):
            raise Problem(
                "token-needed",
                "Send the server's token as  Authorization: Bearer <token>"
                + ("." if token is None else "; the one that came is another."),
            )


def bearer_token(headers: Headers) -> str | None:
    """Return the token that a request shows as `Authorization: Bearer …`; None for none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None
