"""Limits of a process: set by itself, once its libraries are loaded."""

from __future__ import annotations

import resource
from pathlib import Path


def limit_memory(most: int) -> None:
    """Have the kernel refuse more; if the machine runs short, it ends this process before all others.

    RLIMIT_AS would count the files that are mapped as well. A crash leaves no core file.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    first_to_go = Path("/proc/self/oom_score_adj")
    if first_to_go.exists():
        first_to_go.write_text("1000", encoding="ascii")
