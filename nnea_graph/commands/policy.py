"""``nnea-graph policy``: write a policy from a model's numbers, check one, print its JSON Schema."""

from __future__ import annotations

import json
import math
from pathlib import Path

from nnea_graph.api.analyze import report_on
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.render.output_files import standard_output, write_output
from nnea_graph.report.audit.keys import json_schema
from nnea_graph.report.audit.limit import BYTES, COUNT
from nnea_graph.report.audit.metrics import METRICS, flat
from nnea_graph.report.audit.policy_file import load_policy

HEAD_ROOM = 1.1
_BUDGETED = ("macs", "parameters", "file_size", "weight_bytes", "peak_activations")


def init_policy(model: str, output: Path | None, *, force: bool) -> int:
    """Write a policy with a model's present numbers and 10 % head-room."""
    report, _ = report_on(AnalysisRequest(source=model, may_run=False).open())
    text = policy_text(model, flat(report), dict(report.model.opsets))
    if output is None:
        with standard_output() as stdout:
            stdout.write(text)
    else:
        write_output(output, [text], force=force)
    return 0


def policy_text(model: str, numbers: dict[str, float], opsets: dict[str, int]) -> str:
    """The policy of a model with these numbers."""
    budgets = [
        f'{name} = "<= {_limit(numbers[name], METRICS[name].kind)}"  # now {numbers[name]:,.0f}'
        for name in _BUDGETED
        if name in numbers
    ]
    lines = [
        f"# Limits of {json.dumps(Path(model).name)}: its numbers and 10 % head-room. nnea-graph help audit",
        "version = 1",
        "",
        "[budget]",
        *budgets,
        "unknown_cost_operators = 0",
        "",
        "[baseline]  # against --baseline REPORT.json",
        'macs = "<= 1.05x"',
        'parameters = "<= 1.05x"',
        "",
        "[operators]",
        *([f'opset = ">= {opsets["ai.onnx"]}"'] if "ai.onnx" in opsets else []),
        "",
        "[weights]",
        "finite = true",
        "",
        "[gate]",
        'fail_on = "error"',
        "",
    ]
    return "\n".join(lines)


def _limit(value: float, kind: str) -> str:
    """The value and its head-room in three digits, rounded up."""
    target = value * HEAD_ROOM
    steps = (
        [("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)]
        if kind == BYTES
        else [("G", 10**9), ("M", 10**6), ("K", 10**3)]
    )
    if kind not in {BYTES, COUNT}:
        return f"{target:.3g}"
    unit, size = next(((unit, size) for unit, size in steps if target >= size), ("", 1))
    scaled = target / size
    digits = max(0, 2 - int(math.log10(scaled))) if scaled >= 1 else 0
    return f"{math.ceil(scaled * 10**digits) / 10**digits:g}{unit}"


def check_policy(path: Path) -> int:
    """Read a policy; what is wrong in it is the error. Says what it sets."""
    policy = load_policy(path)
    with standard_output() as stdout:
        stdout.write(
            f"{path}: {len(policy.settings)} settings, {len(policy.ignores)} ignores,"
            f" {len(policy.overrides)} overrides: valid\n"
        )
    return 0


def print_schema() -> int:
    """Print the JSON Schema of a policy."""
    with standard_output() as stdout:
        stdout.write(json.dumps(json_schema(), indent=1) + "\n")
    return 0
