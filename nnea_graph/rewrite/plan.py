"""Plan: what was removed of a model, as something that can be done to its source as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnx import ModelProto

from nnea_graph.graph import ModelGraph
from nnea_graph.rewrite.slots import Axis, Indices

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Plan:
    """``kept`` are the indices that stay along every axis (of a tensor of the original) that loses some.

    ``counts`` is how many groups each family of channels keeps.
    """

    original: ModelGraph
    model: ModelProto
    kept: Mapping[Axis, Indices]
    counts: Mapping[str, int]

    def apply_to(self, module: torch.nn.Module) -> torch.nn.Module:
        """Make the torch module that the original was exported from as small as the pruned model, in place.

        It gets the pruned model's weights, and gives what that gives: it is run to see. Parameters are new
        objects: make the optimizer afterwards.

        Raises:
            ModelError: it is not that module, or cannot be made smaller in this way; it is left as it was.
        """
        from nnea_graph.rewrite.torch_module.apply import shrink  # noqa: PLC0415 - torch is imported where it is used

        return shrink(self, module)
