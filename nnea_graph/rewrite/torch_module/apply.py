"""Makes a live torch module as small as the pruned model, with its weights, and runs both to see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.converted import InputSpec
from nnea_graph.frontends.limits import Limits
from nnea_graph.frontends.onnx_model import graph_of
from nnea_graph.frontends.read_onnx import OnnxFile
from nnea_graph.frontends.recipes import FoldedWeight, Recipe, Scaled, Turned
from nnea_graph.frontends.torch_export import evaluating, failing
from nnea_graph.frontends.torch_inputs import Call
from nnea_graph.frontends.torch_model import TorchExport
from nnea_graph.graph import ModelGraph
from nnea_graph.inference.dims import is_batch
from nnea_graph.rewrite.plan import Plan
from nnea_graph.rewrite.torch_module.modules import numbers, put
from nnea_graph.rewrite.torch_module.origins import Cut, new_values
from nnea_graph.runtime.model_proto import Written
from nnea_graph.runtime.sessions import session_of

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

TOLERANCE = 1e-4
"""Of the largest output: how near the module comes to the pruned model."""
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})


def shrink(plan: Plan, module: torch.nn.Module) -> torch.nn.Module:
    """See ``Plan.apply_to``."""
    module = getattr(module, "_orig_mod", module)
    export = TorchExport.of(module, _example(plan.original))
    cuts = _cuts(plan, export.made.recipes, export.made.reason)
    old = {name: tensor.detach().cpu().numpy().copy() for name, tensor in _tensors(module).items()}
    values = new_values(cuts, old)
    readers = _readers(plan.model)
    with _restoring(module):
        for name, value in values.items():
            put(module, _names(module, name), value)
        _add_biases(plan, module, cuts, readers)
        _set_numbers(module, cuts, readers)
        _check(module, plan.model, export.call)
    return module


def _example(original: ModelGraph) -> Any:
    """Inputs like those of the original: two samples, and 16 of whatever else has no number."""
    found = []
    for name in original.inputs:
        info = original.tensors[name]
        if info.shape is None or info.dtype is None:
            raise ModelError(f"the shape of input '{name}' is not known; the module cannot be run to compare")
        dims = tuple(
            dim if isinstance(dim, int) else 2 if place == 0 or is_batch(str(dim)) else 16
            for place, dim in enumerate(info.shape)
        )
        found.append(InputSpec(dims, info.dtype.name))
    return found[0] if len(found) == 1 else found


def _cuts(plan: Plan, recipes: Mapping[str, Recipe], reason: str) -> dict[str, Cut]:
    """Every constant of the original that is made of the module's tensors."""
    if not recipes:
        raise ModelError(
            f"the module's weights cannot be told apart in its export: {reason or 'it has none'}"
        )
    stored = graph_of(OnnxFile.from_proto(plan.model), Limits()).constants
    found = {}
    for name, recipe in recipes.items():
        constant = plan.original.constants.get(name)
        if constant is None:
            raise ModelError(
                f"the pruned model was not exported from this module: it has no constant '{name}';"
                " prune the module itself: prune(module, data, …)"
            )
        kept = {axis: stay for (tensor, axis), stay in plan.kept.items() if tensor == name}
        if name in stored:
            found[name] = Cut(recipe, constant.shape, kept, stored[name].array())
    return found


def _names(module: torch.nn.Module, name: str) -> list[str]:
    """All names of a tensor that modules share."""
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    tensor = dict(named)[name]
    return [other for other, each in named if each is tensor]


def _tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _readers(model: ModelProto) -> dict[str, NodeProto]:
    """The operator that reads each constant."""
    return {name: node for node in model.graph.node for name in node.input}


def _weights(cuts: Mapping[str, Cut]) -> Iterator[tuple[str, str]]:
    """Constants that are the weight of one module, and its tensor's name."""
    for name, cut in cuts.items():
        if isinstance(cut.recipe, Turned | Scaled | FoldedWeight):
            yield name, cut.recipe.names[0]


def _add_biases(
    plan: Plan, module: torch.nn.Module, cuts: Mapping[str, Cut], readers: Mapping[str, NodeProto]
) -> None:
    """Biases that the refit has given to layers without one."""
    stored = graph_of(OnnxFile.from_proto(plan.model), Limits()).constants
    for name, weight in _weights(cuts):
        node = readers.get(name)
        bias = node.input[2] if node is not None and len(node.input) > 2 and node.op_type != "MatMul" else ""
        if bias in stored and bias not in cuts and bias not in plan.original.constants:
            put(module, [f"{weight.rpartition('.')[0]}.bias".lstrip(".")], stored[bias].array().reshape(-1))


def _set_numbers(module: torch.nn.Module, cuts: Mapping[str, Cut], readers: Mapping[str, NodeProto]) -> None:
    groups: dict[str, int] = {}
    for name, weight in _weights(cuts):
        node = readers.get(name)
        if node is not None and node.op_type in _CONVOLUTIONS:
            found = next((each.i for each in node.attribute if each.name == "group"), 1)
            groups[weight.rpartition(".")[0]] = found
    for path, each in module.named_modules():
        for attribute, number in numbers(each, groups.get(path)).items():
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
    for one, other in zip(session.run(feeds), found, strict=True):
        most = max(float(np.abs(one).max(initial=0.0)), 1e-12)
        if one.shape != other.shape or not float(np.abs(one - other).max(initial=0.0)) <= TOLERANCE * most:
            raise ModelError(
                "the module does not give what the pruned model gives: its code says more about channels than its"
                " modules do (sizes written into forward); it was left as it was"
            )
