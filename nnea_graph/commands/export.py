"""``nnea-graph export``: a live model as an .onnx file that remembers what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnea_graph.commands.messages import say
from nnea_graph.commands.output import check_output
from nnea_graph.commands.request import input_specs
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.render.output_files import write_output
from nnea_graph.runtime.live_model import LiveModel


def export_model(source: str, **options: Any) -> int:
    """Export, compare with the source, write; exit 1 where the export does not do what the source does."""
    output: Path = options["output"]
    check_output(output, source, force=options["force"])
    live = LiveModel(source, limits=Limits.with_text(options["limits"]))
    proto = live.exported(
        options["data"],
        input_shapes=input_specs(options["shapes"]),
        preprocess=options["preprocess"],
    )
    write_output(output, [proto.SerializeToString(deterministic=True)], force=options["force"])
    if not options["quiet"]:
        say(f"{output}: {live.parity}\n")
    return 0 if live.parity is None or live.parity.agrees else 1
