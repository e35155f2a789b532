"""Makes a live torch module as small as the pruned model, with its weights, and runs both to see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onnx import ModelProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.torch.export import evaluating, failing
from nnea_graph.frontends.torch.frontend import TorchExport
from nnea_graph.frontends.torch.inputs import Call
from nnea_graph.rewrite.source.common import added_biases, cuts_of, differ, example_of, numbers_of_groups
from nnea_graph.rewrite.source.parameter_values import new_values
from nnea_graph.rewrite.source.torch_modules import for_module, numbers, put
from nnea_graph.rewrite.surgery.removal import Removal
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.session import session_of

if TYPE_CHECKING:
    import torch


def shrink(removal: Removal, module: torch.nn.Module) -> torch.nn.Module:
    """See ``Plan.apply_to``."""
    module = getattr(module, "_orig_mod", module)
    export = TorchExport.of(module, example_of(removal.original))
    cuts = cuts_of(removal, export.made)
    old = {name: tensor.detach().cpu().numpy().copy() for name, tensor in _tensors(module).items()}
    values = new_values(cuts, old)
    with _restoring(module):
        for name, value in values.items():
            put(module, _names(module, name), for_module(module, name, value))
        for weight, value in added_biases(removal, cuts).items():
            put(module, [f"{weight.rpartition('.')[0]}.bias".lstrip(".")], value)
        _set_numbers(module, numbers_of_groups(removal, cuts))
        _check(module, removal.model, export.call)
    return module


def _names(module: torch.nn.Module, name: str) -> list[str]:
    """All names of a tensor that modules share."""
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    tensor = dict(named)[name]
    return [other for other, each in named if each is tensor]


def _tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _set_numbers(module: torch.nn.Module, groups: Mapping[str, int]) -> None:
    """``groups`` by the weight of a convolution."""
    counts = {weight.rpartition(".")[0]: count for weight, count in groups.items()}
    for path, each in module.named_modules():
        for attribute, number in numbers(each, counts.get(path)).items():
            setattr(each, attribute, number)


@contextmanager
def _restoring(module: torch.nn.Module) -> Iterator[None]:
    """Everything as it was, if something goes wrong."""
    before = [
        (each, dict(each._parameters), dict(each._buffers), numbers(each), getattr(each, "groups", None))  # noqa: SLF001
        for each in module.modules()
    ]
    try:
        yield
    except BaseException:  # an interruption must not leave half a module either
        for each, parameters, buffers, counts, groups in before:
            each._parameters.update(parameters)  # noqa: SLF001 - as it was put
            each._buffers.update(buffers)  # noqa: SLF001 - as above
            for attribute, number in counts.items():
                setattr(each, attribute, groups if attribute == "groups" else number)
        raise


def _check(module: torch.nn.Module, model: ModelProto, call: Call) -> None:
    """Run both on what the module was exported with."""
    from torch.utils import _pytree as tree  # noqa: PLC0415 - torch is imported where it is used

    session = session_of(Written(model))
    feeds = {
        name: tensor.detach().cpu().numpy() for name, tensor in zip(session.inputs, call.tensors, strict=True)
    }
    with evaluating(module):
        result = failing(lambda: module(*call.args, **call.kwargs), "the smaller module fails")
    found = [leaf.detach().cpu().numpy() for leaf in tree.tree_leaves(result) if hasattr(leaf, "detach")]
    if differ(session.run(feeds), found):
        raise ModelError(
            "the module does not give what the pruned model gives: its code says more about channels than its"
            " modules do (sizes written into forward); it was left as it was"
        )
