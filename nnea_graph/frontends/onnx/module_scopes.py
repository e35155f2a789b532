"""The module of the source model that an operator came from."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from onnx import NodeProto

_TORCH = "pkg.torch.onnx.name_scopes"
_PARAMETER = re.compile(r"(?P<module>[\w.]+)\.(weight|bias)")


def scope_of(node: NodeProto, modules: Mapping[str, Sequence[str]] | None = None) -> str:
    """The module path of torch, a Keras layer's path, or "" where the file does not say.

    A convolution that an exporter fused with its normalization carries the scope of the latter;
    the module of its weight tells better: by ``modules``, which are those that share each stored tensor, else by the
    weight's name, where that is a real parameter's.
    """
    of_weight = next((modules[name] for name in node.input if name in modules), ()) if modules else ()
    scope = _recorded(node, by_name=not of_weight)
    return scope if not of_weight or scope in of_weight else of_weight[0]


def _recorded(node: NodeProto, *, by_name: bool) -> str:
    recorded = next((prop.value for prop in node.metadata_props if prop.key == _TORCH), None)
    if recorded is None:
        return _from_name(node.name)
    for name in node.input[1:] if by_name else ():
        parameter = _PARAMETER.fullmatch(name)
        if parameter:
            return parameter["module"]
    return _from_torch(recorded)


def _from_torch(recorded: str) -> str:
    """``"['', 'encoder', 'encoder.linear1', 'linear']"``: the module is the entry before the last."""
    try:
        scopes = ast.literal_eval(recorded)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list) or len(scopes) < 2 or not isinstance(scopes[-2], str):
        return ""
    return scopes[-2]


def _from_name(name: str) -> str:
    """``/encoder/layers.0/linear1/MatMul`` of torch, ``mlp/fc1/MatMul`` of tf2onnx.

    tf2onnx joins the names of what it fused, ``relu/Relu;conv/Conv2D``: the layer is the last of them.
    """
    path = name.rpartition(";")[2].rpartition("/")[0]
    if not path:
        return ""
    return path.strip("/").replace("/", ".") if path.startswith("/") else path
