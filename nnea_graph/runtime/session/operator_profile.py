"""Defines how long onnxruntime spends in each kind of operator, by its own profiler."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.session import Session, Settings, session_options


def seconds_by_operator(
    written: Written, feeds: Mapping[str, NDArray[Any]], settings: Settings, runs: int = 5
) -> dict[str, float]:
    """Seconds of one run by operator type, as onnxruntime has fused them; the first run is left out.

    Raises:
        RunError: the model cannot be run.
    """
    options = session_options(settings)
    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = Session(written.proto, written.arrays, options)
        for _ in range(runs + 1):
            session.run(feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return _mean(events, runs)


_BODIES = frozenset({"If", "Loop", "Scan"})
"""Their time is that of the operators in them, which are counted."""


def _mean(events: list[dict[str, Any]], runs: int) -> dict[str, float]:
    """Kernel times without those of the first of the runs."""
    starts = sorted(event["ts"] for event in events if event.get("name") == "model_run")
    total: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time") and event["ts"] >= starts[1]:
            total[event["args"]["op_name"]] += event["dur"]
    return {
        name: microseconds / 1e6 / runs for name, microseconds in sorted(total.items()) if name not in _BODIES
    }
