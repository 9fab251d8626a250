"""Whether an address is that of a file, which ends, or of a stream, which goes on."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.parse
import urllib.request

_PLAYLISTS = (b"#EXTM3U", b"<")
"""How playlists of HLS and of DASH (XML) begin. They are files; what they list may be live."""


def is_web_file(address: str, timeout_s: float) -> bool:
    """Say whether a web server tells how many bytes an address holds, as it does of a file only.

    Args:
        address: Any; of other protocols than HTTP the answer is False.
        timeout_s: How long to wait for the server. One that does not answer tells nothing.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme.lower() not in ("http", "https"):
        return False
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host, fragment="").geturl())
    if user:
        word = base64.b64encode(urllib.parse.unquote_to_bytes(user)).decode()
        request.add_header("Authorization", f"Basic {word}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.length is not None and not answer.read(16).startswith(_PLAYLISTS)
    except (OSError, ValueError, http.client.HTTPException):
        return False
