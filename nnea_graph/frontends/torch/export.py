"""torch.export and torch.onnx: a module as an exported program, a program as an ONNX model, quietly."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

import onnx
from onnx import ModelProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.onnx.functions import subgraphs
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.torch.inputs import Call, dynamic_shapes, resized

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

OPSET = 20
"""What torch.onnx has rules for; 26 writes a model that is not valid."""

_OLD_OPSET = 17
_BATCH = "batch"
_SYMBOL = re.compile(r"s\d+")
_LEAKS = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node")
"""Metadata that holds the user's paths and source."""

_HINTS = re.compile(
    r"(consider using|For more information|Suggested fixes|The error above|Caused by|User code)"
)


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """In eval mode and without gradients meanwhile; each module's mode and the random state as found afterwards."""
    import torch  # noqa: PLC0415 - takes a second to import

    modes = [(each, each.training) for each in module.modules()]
    # An exported program has no modes and says so; of any other module that would be a fault.
    with suppress(NotImplementedError) if isinstance(module, torch.fx.GraphModule) else nullcontext():
        module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        for each, mode in modes:
            each.training = mode


def captured(module: torch.nn.Module, call: Call) -> tuple[ExportedProgram, Call]:
    """The module as a program whose first dims are dynamic, and the call that it was made with.

    A batch of two first; where the code fixes that dim, the example as it was given.

    Raises:
        ModelError: the first reason why it cannot be captured.
    """
    import torch  # noqa: PLC0415

    dim = torch.export.Dim(_BATCH)
    two = resized(call)
    attempts = (
        (two, dim, False),
        (call, torch.export.Dim.AUTO, False),
        (two, dim, True),
    )
    first: ModelError | None = None
    for tried, axis, strict in attempts:
        try:
            program = _program(module, tried, dynamic_shapes(tried, axis), strict=strict)
        except ModelError as error:
            first = first or error
        else:
            return program, tried
    raise first or ModelError("torch.export gives no reason")


def _program(module: torch.nn.Module, call: Call, shapes: dict[str, Any], *, strict: bool) -> ExportedProgram:
    import torch  # noqa: PLC0415

    with _explained("torch.export"), quiet():
        return torch.export.export(module, call.args, call.kwargs, dynamic_shapes=shapes, strict=strict)


def converted(program: ExportedProgram) -> ModelProto:
    """A program as an ONNX model, checked, without what leaks the user's source.

    Raises:
        ModelError: the exporter's own reason, or what the checker says.
    """
    import torch  # noqa: PLC0415

    with _explained("torch.onnx"), quiet():
        made = torch.onnx.export(program, dynamo=True, verbose=False, opset_version=OPSET)
        if made is None:
            raise ModelError("torch.onnx gives no model")
        proto = made.model_proto
    return checked(proto)


def checked(proto: ModelProto) -> ModelProto:
    """The model, if onnx takes it, without metadata that leaks the user's source.

    Raises:
        ModelError: what the checker says, in one line.
    """
    for node in _nodes(proto):
        kept = [prop for prop in node.metadata_props if prop.key not in _LEAKS]
        if len(kept) < len(node.metadata_props):
            del node.metadata_props[:]
            node.metadata_props.extend(kept)
    _name_batch(proto)
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the exporter has written an invalid model: {_first_line(str(error))}") from error
    return proto


def _nodes(proto: ModelProto) -> Iterator[onnx.NodeProto]:
    yield from proto.graph.node
    for function in proto.functions:
        yield from function.node


def _name_batch(proto: ModelProto) -> None:
    """The symbol of the first dims by its name, and numbers that were written as symbols, in every declaration."""
    declared = [*proto.graph.input, *proto.graph.output, *proto.graph.value_info]
    dims = [dim for value in declared for dim in value.type.tensor_type.shape.dim if dim.dim_param]
    for dim in dims:
        if dim.dim_param.isdecimal():
            dim.dim_value = int(dim.dim_param)
    symbols = {
        value.type.tensor_type.shape.dim[0].dim_param
        for value in proto.graph.input
        if value.type.tensor_type.shape.dim
    }
    symbols = {symbol for symbol in symbols if _SYMBOL.fullmatch(symbol)}
    if len(symbols) != 1:
        return
    word = re.compile(rf"\b{symbols.pop()}\b")
    for dim in dims:
        if dim.dim_param:
            dim.dim_param = word.sub(_BATCH, dim.dim_param)


def name_inputs(proto: ModelProto, names: Sequence[str]) -> None:
    """Call the inputs so, one after the other, where nothing else in the graph has that name."""
    graphs = [proto.graph]
    for graph in graphs:
        graphs += [inner for node in graph.node for inner in subgraphs(node)]
    taken = {name for graph in graphs for node in graph.node for name in node.output}
    taken |= {each.name for graph in graphs for each in (*graph.initializer, *graph.input)}
    inputs = proto.graph.input
    if len(names) != len(inputs) or len(set(names)) < len(names) or taken & set(names):
        return
    renamed = {value.name: name for value, name in zip(inputs, names, strict=True)}
    for value in (*inputs, *proto.graph.output):
        value.name = renamed.get(value.name, value.name)
    for node in (node for graph in graphs for node in graph.node):
        node.input[:] = [renamed.get(name, name) for name in node.input]


def traced(module: torch.nn.Module, call: Call, names: Sequence[str]) -> ModelProto:
    """Exports by the legacy TorchScript exporter, which traces one run of the module.

    Raises:
        ModelError: it fails, or the run depends on values, which such a model would not.
    """
    import torch  # noqa: PLC0415

    out = BytesIO()
    axes = {name: {0: _BATCH} for name, tensor in zip(names, call.tensors, strict=False) if tensor.ndim}
    with _explained("torch.onnx"), quiet() as warned:
        torch.onnx.export(
            module,
            call.args,
            out,  # type: ignore[arg-type]  # the exporter of old takes open files
            kwargs=call.kwargs,
            dynamo=False,
            opset_version=_OLD_OPSET,
            input_names=list(names),
            dynamic_axes=axes,
        )
    doubt = next((each for each in warned if each.category.__name__ == "TracerWarning"), None)
    if doubt is not None:
        raise ModelError(f"torch.onnx: {_first_line(str(doubt.message))}")
    return checked(onnx.load_from_string(out.getvalue()))


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """An exception of the exporter as one line: its own reason, and the user's line that it is about."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # exporters raise whatever they meet
        inner = _innermost(error)
        raise ModelError(
            f"{what} cannot export the model: {type(inner).__name__}: {_first_line(str(inner))}{_place(inner)}"
        ) from error


def failing(run: Callable[[], Any], what: str) -> Any:
    """The result of the user's own code, its exception as one line that begins with ``what``."""
    try:
        with quiet():
            return run()
    except Exception as error:
        raise ModelError(
            f"{what}: {type(error).__name__}: {_first_line(str(error))}{_place(error)}"
        ) from error


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(message: str) -> str:
    """The sentence that says why, without advice on the exporter's debugging."""
    lines = (line.strip() for line in message.splitlines())
    kept: list[str] = []
    for line in lines:
        if kept and (not line or _HINTS.match(line)):
            break
        if line:
            kept.append(line)
    return " ".join(" ".join(kept).split())[:400]


def _place(error: BaseException) -> str:
    """The last line of code outside the libraries that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if not re.search(r"[/\\](site-packages|nnea_graph)[/\\]|<", frame.filename)
    ]
    return f" (line {own[-1].lineno} of {own[-1].filename.rpartition('/')[2]}: {own[-1].line})" if own else ""
