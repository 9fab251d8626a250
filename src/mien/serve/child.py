"""What the server's child processes do not take from everyone else."""

from __future__ import annotations

import os
import signal

try:
    import resource
except ImportError:  # Windows has neither this nor `os.nice`.
    resource = None  # type: ignore[assignment]


def limit_resources(memory_mb: int) -> None:
    """Let others go first, and fail rather than take more memory; end when the server says so.

    Ctrl-C and the end of a service reach every process. What the server then does with what is
    under way is its own matter: it waits for its children, or kills them.

    Args:
        memory_mb: The most to take, in megabytes; 0 for any.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if resource is None:
        return
    os.nice(5)
    if memory_mb:
        limit = memory_mb * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
