"""What operators are called: by modules, where these stand for one operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, helper

from nnea_graph.api.analyze import load
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.report.display_names import called


def weighed(model: ModelProto) -> ModelGraph:
    graph = load(model)
    run_passes(graph, complete(parse("constants"), catalogue(), {}, may_run=False))
    return graph


def of(*modules: tuple[str, Any]) -> ModelGraph:
    """Products in a chain, each in a module and with weights of so many columns (None: of none, a Relu)."""
    nodes, tensor, width, weights = [], "x", 4, []
    for place, (module, columns) in enumerate(modules):
        inputs = [tensor]
        if columns is not None:
            weights.append(onnx.numpy_helper.from_array(np.ones((width, columns), np.float32), f"w{place}"))
            inputs, width = [tensor, f"w{place}"], columns
        tensor = f"t{place}"
        nodes.append(helper.make_node("MatMul" if columns else "Relu", inputs, [tensor], name=f"n{place}"))
        if module:
            nodes[-1].metadata_props.add(key="pkg.torch.onnx.name_scopes", value=repr(["", module, "call"]))
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", tensor)]
    infos[0].type.tensor_type.shape.dim.add(dim_value=4)
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], weights)
    return weighed(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


def test_the_operator_with_most_weights_of_a_module_has_its_name() -> None:
    graph = of(("stem", 3), ("head", 8), ("head", 2), ("head", None))
    assert called(graph, ["n0", "n1", "n2", "n3"]) == {
        "n0": "stem",
        "n1": "head",
        "n2": "head/n2",
        "n3": "head/n3",
    }


def test_of_two_as_large_none_has_it() -> None:
    assert called(of(("twice", 4), ("twice", 4)), ["n0", "n1"]) == {"n0": "twice/n0", "n1": "twice/n1"}


def test_without_a_module_an_operator_keeps_its_own() -> None:
    assert called(of(("", 4), ("stem", 2)), ["n0", "n1"]) == {"n1": "stem"}


def test_a_family_with_a_number_is_called_like_its_operator() -> None:
    assert called(of(("stem", 4)), ["n0#2", "elsewhere#2"]) == {"n0#2": "stem#2"}
