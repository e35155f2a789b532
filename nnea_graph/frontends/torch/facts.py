"""Facts that a torch model states of itself: parameters, buffers and modules, before anything is exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nnea_graph.graph.source_facts import SourceFacts, SourceModule, SourceParameter

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram


def module_facts(module: torch.nn.Module) -> SourceFacts:
    """Facts of a live module; a parameter of two names is shared with the first."""
    return SourceFacts(
        framework="pytorch",
        parameters=_listed(module.named_parameters(remove_duplicate=False)),
        modules=tuple(SourceModule(name, type(each).__name__) for name, each in module.named_modules()),
        buffers=_listed(module.named_buffers(remove_duplicate=False)),
    )


def program_facts(program: ExportedProgram) -> SourceFacts:
    """Facts of an exported program, which remembers the modules that its operators came from."""
    return SourceFacts(
        framework="pytorch",
        parameters=_listed(program.named_parameters()),
        modules=tuple(SourceModule(name, kind) for name, kind in _modules(program).items()),
        buffers=_listed(program.named_buffers()),
    )


def _listed(named: Iterable[tuple[str, torch.Tensor]]) -> tuple[SourceParameter, ...]:
    first: dict[int, str] = {}
    found = []
    for name, tensor in named:
        other = first.setdefault(id(tensor), name)
        shared = "" if other == name else other
        found.append(SourceParameter(name, tuple(tensor.shape), tensor.requires_grad, shared))
    return tuple(found)


def _modules(program: ExportedProgram) -> Mapping[str, str]:
    """Class by path, from the stacks that torch.export leaves at its operators."""
    found: dict[str, str] = {"": ""}
    for node in program.graph.nodes:
        for path, kind in (node.meta.get("nn_module_stack") or {}).values():
            name = path.partition("@")[0]  # a second call of a module is "block@1"
            found[name] = (kind if isinstance(kind, str) else kind.__qualname__).rpartition(".")[2]
    return found
