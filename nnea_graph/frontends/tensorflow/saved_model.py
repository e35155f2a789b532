"""Reads SavedModel folders without running what a stranger may have put in them besides the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnea_graph.errors import ModelError
from nnea_graph.frontends.shared.saved_model_path import parted
from nnea_graph.frontends.tensorflow.function_choice import chosen
from nnea_graph.frontends.tensorflow.saved_model_safety import check_loading
from nnea_graph.frontends.tf2onnx.imports import explained, imported

_VARIABLES = "variables/variables.index"
_SERVING = "serve"
"""Of several graphs in one file the one with this tag."""


@dataclass(frozen=True, slots=True)
class SavedModel:
    """Loaded object, and the function of it that is the model."""

    root: Any
    function: Callable[..., Any]


def load_saved_model(path: Path) -> SavedModel:
    """Load a folder, and choose its signature.

    Raises:
        ModelError: it cannot be read, would run what no network needs, or has no one signature to choose.
    """
    tf = imported("tensorflow", "a SavedModel")
    folder, signature = parted(path)
    loader = imported("tensorflow.python.saved_model.loader_impl", "a SavedModel")
    with explained("TensorFlow cannot read saved_model.pb"):
        proto = loader.parse_saved_model(str(folder))
    if not proto.meta_graphs:
        raise ModelError("saved_model.pb holds no model; the file is empty or damaged")
    if not (folder / _VARIABLES).is_file() and _has_variables(proto):
        raise ModelError(f"the weights are missing: there is no {_VARIABLES}; copy the whole folder")
    check_loading(proto)
    with explained("TensorFlow cannot load it"):
        root = tf.saved_model.load(str(folder), None if len(proto.meta_graphs) == 1 else [_SERVING])
    return SavedModel(root, chosen(root, signature))


def _has_variables(proto: Any) -> bool:
    objects = (node for meta in proto.meta_graphs for node in meta.object_graph_def.nodes)
    return any(node.HasField("variable") for node in objects)
