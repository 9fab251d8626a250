"""How many cores there are for this process."""

from __future__ import annotations

import math
import os
from pathlib import Path

_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Return how many cores this process may use, at least 1.

    On Linux these are fewer than the machine has where `taskset` or `docker run --cpuset-cpus`
    leaves it some of them only, or where a container's share of time (`docker run --cpus`, a limit
    of Kubernetes) is worth fewer: `cpu.max` of
    https://docs.kernel.org/admin-guide/cgroup-v2.html, rounded up.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = _QUOTA_FILE.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # Not Linux, or no cgroup of version 2.
        return cores
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
