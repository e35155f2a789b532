"""``nnea-graph prune --plan-only``: what could go of a model, and what it would save."""

from __future__ import annotations

from typing import Any

from nnea_graph.api.prune import prune_plan
from nnea_graph.commands.options import pruning_options
from nnea_graph.commands.progress import progress
from nnea_graph.errors import UsageError
from nnea_graph.render.json import json_pieces
from nnea_graph.render.output_files import standard_output


def plan_model(source: str, **options: Any) -> int:
    """Print the plan; nothing is chosen, fitted or written."""
    if options["output"] is not None:
        raise UsageError("-o: a plan writes no model; leave it out, or --plan-only")
    with progress(shown=not (options["quiet"] or options["no_progress"])) as line:
        plan = prune_plan(
            source,
            options["data"],
            may_run=not options["no_run"],
            progress=line.write if line else None,
            **pruning_options(options),
        )
    with standard_output() as stdout:
        if options["format"] == "json":
            stdout.writelines(json_pieces(plan))
            return 0
        from nnea_graph.render.pruning_text.plan import print_plan  # noqa: PLC0415 - rich costs 0.1 s

        print_plan(plan, stdout)
    return 0
