"""Names and origins of servers: as headers hold them, and as people write them."""

from __future__ import annotations

import re
from ipaddress import ip_address

from mien.core.errors import SettingError

_NAME = r"[a-z0-9._-]+"
_IPV6 = r"[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*"
_HOST = re.compile(rf"({_NAME})(?::\d+)?|\[({_IPV6})\](?::\d+)?|({_IPV6})")
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://({_NAME}|\[{_IPV6}\])(?::(\d+))?/?")
_USUAL_PORTS = {"http": "80", "https": "443"}


def host_name(host: str) -> str:
    """Return the name or address in a `Host` header: without a port or brackets, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lstrip("[").lower()
    return host.partition(":")[0].lower()


def is_loopback(host: str) -> bool:
    """Whether `host` is a name or address of this machine that no other machine can reach."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def normal_host(text: str) -> str:
    """Return a server's name, or `*` for any, as `host_name` gives it.

    Args:
        text: As somebody wrote it, perhaps with a port.

    Raises:
        SettingError: if no `Host` header can hold it.
    """
    if text == "*":
        return text
    found = _HOST.fullmatch(text.lower())
    if found is None:
        raise SettingError(
            f"Found the allowed host {text!r}; expected a name or an address, such as "
            "mien.example.org (of other letters than ASCII's, its form with xn--), or * for any."
        )
    return str(found[found.lastindex or 0])


def normal_origin(text: str) -> str:
    """Return a site's origin as browsers send it: in lower case, without a slash or usual port.

    Args:
        text: As somebody wrote it.

    Raises:
        SettingError: if it cannot be an origin.
    """
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        raise SettingError(
            f"Found the allowed origin {text!r}; expected a scheme, a name and, if it is not the "
            "usual one, a port, such as https://example.org or http://localhost:3000; no path."
        )
    scheme, host, port = found.groups()
    is_usual = port is None or port == _USUAL_PORTS.get(scheme)
    return f"{scheme}://{host}" + ("" if is_usual else f":{port}")
