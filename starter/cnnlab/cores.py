"""How many cores there are to work on."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The cores that this process may use: in a container, or under taskset, not all there are."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
