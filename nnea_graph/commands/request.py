"""The options of a command line as what Python calls take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nnea_graph.api.request import AnalysisRequest
from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.interface import InputSpec
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.static.shape_syntax import parse_input_shape


def named_dims(texts: Sequence[str]) -> dict[str, int]:
    """The numbers of ``--dim name=number``.

    >>> named_dims(["batch=8", "a=b=2"])
    {'batch': 8, 'a=b': 2}
    """
    dims: dict[str, int] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not name or not re.fullmatch("[0-9]{1,19}", number):
            raise UsageError(f"--dim '{text}': write name=number, e.g. --dim batch=8")
        if name in dims:
            raise UsageError(f"--dim '{name}' is given twice: {dims[name]} and {number}; give it once")
        dims[name] = int(number)
    return dims


def analysis_request(source: object, options: Mapping[str, Any]) -> AnalysisRequest:
    """A request as the options of a command say it; what a command has no option for is as usual."""
    plain = {name: options[name] for name in _OF_REQUEST if options.get(name) is not None}
    return AnalysisRequest(
        source=source,
        data=options["data"] or None,
        dims=named_dims(options["dims"]),
        input_shapes=input_specs(options["shapes"]),
        limits=Limits.with_text(options["limits"]),
        may_run=not options["no_run"],
        frozen=tuple(options.get("frozen", ())),
        **plain,
    )


_OF_REQUEST = (
    "passes",
    "allow_external",
    "samples",
    "batch_size",
    "preprocess",
    "seed",
    "seconds",
    "training",
    "top_k",
    "score",
    "sink",
    "sink_channel",
)
"""Fields of a request that an option of the same name gives."""


def input_specs(texts: Sequence[str]) -> dict[str, InputSpec]:
    """The shapes of ``--input-shape``, with their types where they are told."""
    return {each.name or "": InputSpec(each.dims, each.dtype or "") for each in map(parse_input_shape, texts)}


def pruning_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that ``prune`` and ``prune_plan`` take alike."""
    names = ("keep", "align", "seed", "samples", "preprocess", "allow_external", "run_samples", "rounds")
    return {name: options[name] for name in names} | {
        "dims": named_dims(options["dims"]),
        "input_shapes": input_specs(options["shapes"]),
        "limits": Limits.with_text(options["limits"]),
    }
