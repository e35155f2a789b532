"""A model of onnx_ir as the ONNX model that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from onnx import ModelProto

from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.interface import derives_from

if TYPE_CHECKING:
    import onnx_ir


def is_ir_model(source: object) -> TypeGuard[onnx_ir.Model]:
    """Tells whether it is one; imports nothing."""
    return derives_from(source, "onnx_ir.Model")


def serialized(model: onnx_ir.Model) -> tuple[ModelProto, Path | None]:
    """The model, and the folder that its external data lie in; None where it has none.

    Raises:
        UsageError: they lie in several folders.
    """
    import onnx_ir  # noqa: PLC0415 - takes half a second to import

    folders = {Path(tensor.base_dir).absolute() for tensor in _external(model)}
    if len(folders) > 1:
        named = ", ".join(sorted(map(str, folders)))
        raise UsageError(
            f"the model's external data lie in several folders ({named}); onnx_ir.save it with all in one file"
        )
    return onnx_ir.to_proto(model), next(iter(folders), None)


def _external(model: onnx_ir.Model) -> Iterator[onnx_ir.ExternalTensor]:
    import onnx_ir  # noqa: PLC0415

    for graph in model.graphs():
        held = [value.const_value for value in graph.initializers.values()]
        for node in graph:
            attributes = [each for each in node.attributes.values() if not each.is_ref()]
            held += [each.value for each in attributes if each.type == onnx_ir.AttributeType.TENSOR]
            for each in attributes:
                held += each.value if each.type == onnx_ir.AttributeType.TENSORS else ()
        yield from (tensor for tensor in held if isinstance(tensor, onnx_ir.ExternalTensor))
