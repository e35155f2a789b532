"""A module of bfloat16, which neither the exporter nor onnxruntime follows through, as one of float32."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from nnea_graph.frontends.torch.export import failing
from nnea_graph.graph.model import Note

if TYPE_CHECKING:
    import torch

WIDENED = Note(
    "widened",
    "",
    "the model is of bfloat16 and was exported in float32, every weight with the number that it has",
)


def widened(module: torch.nn.Module) -> torch.nn.Module:
    """A copy with float32 in the place of bfloat16; the module itself where it holds none.

    Raises:
        ModelError: it cannot be copied.
    """
    import torch  # noqa: PLC0415 - takes a second to import

    if all(tensor.dtype != torch.bfloat16 for _, tensor in _held(module)):
        return module
    made: torch.nn.Module = failing(lambda: copy.deepcopy(module), "the model cannot be copied to float32")
    for tensor in chain(made.parameters(), made.buffers()):
        if tensor.dtype == torch.bfloat16:
            tensor.data = tensor.data.float()
    return made


def refresh(made: torch.nn.Module, source: torch.nn.Module) -> None:
    """Give the copy the numbers that its source has now."""
    if made is source:
        return
    import torch  # noqa: PLC0415

    now = dict(_held(source))
    with torch.no_grad():
        for name, tensor in _held(made):
            tensor.copy_(now[name])


def _held(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())
