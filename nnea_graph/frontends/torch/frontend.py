"""PyTorch: a live module, an ExportedProgram, a ``.pt2`` file or an ONNXProgram as an ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.errors import ModelError, UsageError
from nnea_graph.frontends.provenance.template import Exported
from nnea_graph.frontends.shared.interface import Arrays, ConvertedModel, Example, derives_from
from nnea_graph.frontends.shared.user_code import missing
from nnea_graph.frontends.torch.export import captured, checked, evaluating, failing, name_inputs, traced
from nnea_graph.frontends.torch.facts import module_facts, program_facts
from nnea_graph.frontends.torch.inputs import Call, call_of, described, forward_names, own_names, tensors_like
from nnea_graph.frontends.torch.provenance import exported, values_of
from nnea_graph.frontends.torch.pt2 import load_pt2
from nnea_graph.frontends.torch.upcast import WIDENED, refresh, widened
from nnea_graph.graph.dtypes import BY_NAME, storage
from nnea_graph.graph.model import Note
from nnea_graph.graph.source_facts import SourceFacts

if TYPE_CHECKING:
    import torch

_MODULE = "torch.nn.modules.module.Module"
_PROGRAM = "torch.export.exported_program.ExportedProgram"
_ONNX_PROGRAM = "torch.onnx.ONNXProgram"


@dataclass(frozen=True, slots=True)
class TorchFrontend:
    """See ``Frontend``."""

    def takes(self, source: object) -> bool:
        """A torch object, or a path that ends in ``.pt2``."""
        if isinstance(source, Path):
            return source.suffix == ".pt2"
        return derives_from(source, _MODULE, _PROGRAM, _ONNX_PROGRAM)

    def input_names(self, source: Any) -> Mapping[str, bool]:
        """Names of the inputs of a module, the parameters of its forward; what was exported brings its own example."""
        return forward_names(source) if derives_from(source, _MODULE) else {}

    def convert(self, source: Any, example: Example | None) -> ConvertedModel:
        """See ``Frontend``."""
        if isinstance(source, Path):
            check_installed("a .pt2 file")
            source = load_pt2(source)
        if derives_from(source, _ONNX_PROGRAM):
            return _from_onnx_program(source)
        check_installed("a torch model")
        if derives_from(source, _PROGRAM):
            return _from_program(source)
        return TorchExport.of(source, example).converted()


FRONTEND = TorchFrontend()


def check_installed(what: str) -> None:
    """That torch is there, and what its exporter needs.

    Raises:
        ModelError: what to install; ``what`` needs it.
    """
    for name in ("torch", "onnxscript"):
        if find_spec(name) is None:
            raise missing(name, what)


def _from_onnx_program(source: Any) -> ConvertedModel:
    """The model as it is; what it says of its source, if it was made from a program."""
    proto = ModelProto()
    proto.CopyFrom(source.model_proto)
    program = source.exported_program
    facts = program_facts(program) if program is not None else None
    model = checked(proto)
    return ConvertedModel(model, _with_origins(facts, Exported(model, {}, lasting=False)) if facts else None)


def _from_program(program: Any) -> ConvertedModel:
    facts = program_facts(program)
    made = exported(program, facts, {})
    proto = made.filled(values_of(program.state_dict))
    call = None
    if program.example_inputs is not None:
        args, kwargs = program.example_inputs
        call = Call(tuple(args), dict(kwargs), {})
    facts = _with_origins(facts, made)
    if call is None:
        return ConvertedModel(proto, facts, notes=made.notes)
    run = program.module()
    return ConvertedModel(proto, facts, _by_name(proto, call), _reference(run, call), made.notes)


def _with_origins(facts: SourceFacts, made: Exported) -> SourceFacts:
    return replace(facts, origins=made.origins(facts))


@dataclass(frozen=True, slots=True)
class TorchExport:
    """A module exported once; ``converted`` takes its weights as they are then.

    ``module`` is the source, or a copy in other numbers; ``structure`` is what the source was like, as text.
    """

    source: torch.nn.Module
    module: torch.nn.Module
    structure: str
    call: Call
    made: Exported

    @classmethod
    def of(cls, module: torch.nn.Module, example: Example | None) -> TorchExport:
        """Export a module.

        Raises:
            UsageError: there is no example, or it does not fit the forward.
            ModelError: the module fails on it, or the exporter on the module.
        """
        source = getattr(module, "_orig_mod", module)  # what torch.compile has wrapped
        if example is None:
            names = ", ".join(forward_names(source))
            raise UsageError(
                f"a torch module is exported with an example of its inputs ({names}): give data, or shapes such as "
                "--input-shape 1,3,224,224 (input_shapes={'x': (1, 3, 224, 224)})"
            )
        module = widened(source)
        call = call_of(module, example)
        facts = module_facts(source)
        with evaluating(module):
            failing(lambda: module(*call.args, **call.kwargs), f"the model fails on {described(call)}")
            made, call = _made(module, call, facts)
        name_inputs(made.skeleton, own_names(call))
        if module is not source:
            made = replace(made, notes=(WIDENED, *made.notes))
        return cls(source, module, repr(source), call, made)

    def converted(self) -> ConvertedModel:
        """The model with the weights that the module has now."""
        refresh(self.module, self.source)
        proto = self.made.filled(values_of(self._tensors()))
        facts = _with_origins(module_facts(self.source), self.made)
        reference = _reference(self.module, self.call)
        example = _by_name(proto, self.call)
        return ConvertedModel(proto, facts, example, reference, self.made.notes, again=self._again)

    def _again(self) -> ConvertedModel | None:
        """None where weights are not all that has changed, or where they are made in ways that nobody knows."""
        same = self.made.lasting and repr(self.source) == self.structure
        return self.converted() if same else None

    def _tensors(self) -> Mapping[str, torch.Tensor]:
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}


def _made(module: torch.nn.Module, call: Call, facts: SourceFacts) -> tuple[Exported, Call]:
    """Exports by torch.export, else by the legacy TorchScript exporter."""
    epsilons = {
        name: float(each.eps)
        for name, each in module.named_modules()
        if isinstance(getattr(each, "eps", None), float)
    }
    try:
        program, used = captured(module, call)
        return exported(program, facts, epsilons), used
    except ModelError as first:
        try:
            proto = traced(module, call, _flat_names(call))
        except ModelError:
            raise first from None
        note = Note("legacy-exporter", "", f"the legacy TorchScript exporter was used, as {first}")
        return Exported(proto, {}, lasting=False, reason=str(first), notes=(note,)), call


def _flat_names(call: Call) -> Sequence[str]:
    """A name for each tensor: that of its parameter, where that is one."""
    if len(call.names) == len(call.tensors):
        return tuple(call.names)
    return tuple(f"input_{place}" for place, _ in enumerate(call.tensors))


def _by_name(proto: ModelProto, call: Call) -> Arrays | None:
    """The example by inputs of the graph; None where they do not answer each other."""
    names = [value.name for value in proto.graph.input]
    tensors = call.tensors
    if len(names) != len(tensors):
        return None
    return {name: _array(tensor) for name, tensor in zip(names, tensors, strict=True)}


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    """Also of bfloat16, which torch hands to nobody."""
    import torch  # noqa: PLC0415 - takes a second to import

    tensor = tensor.detach().cpu().contiguous()
    narrow = tensor.dtype == torch.bfloat16
    array: NDArray[Any] = (tensor.view(torch.int16) if narrow else tensor).numpy()
    return array.view(storage(BY_NAME["bfloat16"])) if narrow else array


def _reference(module: Any, call: Call) -> Callable[[Arrays], Sequence[NDArray[Any]]]:
    """Runs the module as it is then; bfloat16 comes as float32, which numpy has."""

    def run(arrays: Arrays) -> Sequence[NDArray[Any]]:
        from torch.utils import _pytree as tree  # noqa: PLC0415 - torch is imported where it is used

        given = tensors_like(call, list(arrays.values()))
        with evaluating(module):
            result = failing(lambda: module(*given.args, **given.kwargs), "the model fails")
        leaves = [leaf.detach().cpu() for leaf in tree.tree_leaves(result) if hasattr(leaf, "detach")]
        return [(leaf.float() if leaf.dtype.itemsize == 2 else leaf).numpy() for leaf in leaves]

    return run
