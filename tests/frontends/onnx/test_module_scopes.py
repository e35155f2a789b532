"""The module of the source model that an operator came from."""

from __future__ import annotations

import pytest
from hostile.support.models import op

from nnea_graph.frontends.onnx.module_scopes import scope_of

TORCH = "pkg.torch.onnx.name_scopes"


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("/encoder/layers.0/linear1/MatMul", "encoder.layers.0.linear1"),
        ("mlp/fc1/MatMul", "mlp/fc1"),
        ("model/relu/Relu;model/conv/Conv2D", "model/conv"),
        ("Conv_7", ""),
        ("", ""),
        ("/", ""),
        ("/MatMul", ""),
    ],
)
def test_names_of_exporters_are_read(name: str, scope: str) -> None:
    assert scope_of(op("MatMul", ["x", "w"], ["y"], name=name)) == scope


@pytest.mark.parametrize(
    ("recorded", "scope"),
    [
        ("['', 'encoder', 'encoder.linear1', 'linear']", "encoder.linear1"),
        ("['', 'linear']", ""),
        ("['one']", ""),
        ("[]", ""),
        ("('', 'a', 'b')", ""),
        ("['', 1, 'b']", ""),
        ("not a list", ""),
        ("[" * 5000, ""),
        ("__import__('os').getcwd()", ""),
    ],
)
def test_the_module_is_the_entry_before_the_last_and_text_is_no_program(recorded: str, scope: str) -> None:
    node = op("Relu", ["x"], ["y"], name="/other/Relu")
    node.metadata_props.add(key=TORCH, value=recorded)
    assert scope_of(node) == scope


def test_a_parameters_name_tells_better_than_a_fused_scope() -> None:
    node = op("Conv", ["x", "features.0.weight"], ["y"])
    node.metadata_props.add(key=TORCH, value="['', 'features.1', 'batch_norm']")
    assert scope_of(node) == "features.0"
