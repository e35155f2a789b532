"""A parameter is a stored tensor of a float or quantized type, counted once, whatever reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from oracles.builder import Net

from nnea_graph import analyze
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.ops.input_roles import Role
from nnea_graph.passes import catalogue
from nnea_graph.passes.constants import WEIGHTS, Weight

RNG = np.random.default_rng(0)


def normal(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


def saved(net: Net, output: str, path: Path) -> Path:
    onnx.save(net.model(output), path / "m.onnx")
    return path / "m.onnx"


def weights_of(path: Path) -> list[Weight]:
    graph = load_onnx(path)
    run_passes(graph, complete(parse("constants"), catalogue(), {}, may_run=False))
    return [weight for node in graph for weight in graph[node, WEIGHTS]]


def counted(path: Path) -> int | None:
    return analyze(path, passes="cost", may_run=False).totals.parameters


def test_a_table_read_by_a_constant_index_counts_the_table_and_not_the_index(tmp_path: Path) -> None:
    """Swin's relative position bias: a table of 27 x 4, read at 14 x 14 places."""
    net = Net()
    x = net.input("x", 2, 4, 14, 14)
    index = net.constant(RNG.integers(0, 27, (14, 14)))
    bias = net.op("Transpose", net.op("Gather", net.constant(normal(27, 4)), index), perm=[2, 0, 1])
    path = saved(net, net.op("Softmax", net.op("Add", x, bias)), tmp_path)
    assert counted(path) == 108


@pytest.mark.parametrize("rows", [512, 128])
def test_positions_read_by_a_constant_index_count_the_whole_stored_table(tmp_path: Path, rows: int) -> None:
    net = Net()
    x = net.input("x", 2, rows, 64)
    read = net.op("Gather", net.constant(normal(512, 64)), net.constant(np.arange(rows)))
    path = saved(net, net.op("Add", x, read), tmp_path)
    assert counted(path) == 512 * 64


def test_a_boolean_mask_behind_where_is_a_constant(tmp_path: Path) -> None:
    net = Net()
    x = net.input("x", 2, 16, 16)
    mask = net.constant(np.tril(np.ones((16, 16), bool)))
    path = saved(net, net.op("Softmax", net.op("Where", mask, x, net.constant(np.float32(-1e9)))), tmp_path)
    (weight,) = weights_of(path)
    assert counted(path) == 0
    assert (weight.role, weight.reason) == (Role.CONSTANT, "of type bool, which no parameter has")


def test_a_weight_and_what_is_added_and_multiplied_to_it_are_all_parameters(tmp_path: Path) -> None:
    """LoRA: W + A B; weight norm: g v / |v|."""
    net = Net()
    x = net.input("x", 2, 32)
    low = net.op("Mul", net.constant(normal(32, 1)), net.constant(normal(1, 32)))
    norm = net.op("ReduceL2", v := net.constant(normal(32, 8)), net.ints(0), keepdims=1)
    lora = net.op("MatMul", x, net.op("Add", net.constant(normal(32, 32)), low))
    weight = net.op("Div", net.op("Mul", v, net.constant(normal(1, 8))), norm)
    path = saved(net, net.op("MatMul", lora, weight), tmp_path)
    assert counted(path) == (32 * 32 + 32 + 32) + (32 * 8 + 8)


def test_the_scale_of_a_quantized_weight_is_no_parameter(tmp_path: Path) -> None:
    net = Net()
    x = net.input("x", 2, 32)
    stored = net.constant(RNG.integers(-127, 127, (32, 8)), np.int8)
    weight = net.op("Mul", net.op("Cast", stored, to=1), net.constant(np.abs(normal(1, 8))))
    path = saved(net, net.op("MatMul", x, weight), tmp_path)
    assert counted(path) == 32 * 8


MASK = np.where(np.tril(np.ones((16, 16))) > 0, 0, -np.inf).astype(np.float32)
ANGLES = np.arange(16)[:, None] / 100 ** (np.arange(16)[None] / 16)
CONSTANTS: dict[str, tuple[NDArray[Any], str]] = {
    "mask": (MASK, "a mask: only 0 and one other value"),
    "window": (np.kron(np.eye(4), -100 * np.ones((4, 4))), "a mask: only 0 and one other value"),
    "cos": (np.cos(ANGLES), "a table of sines and cosines"),
    "sin": (np.sin(ANGLES), "a table of sines and cosines"),
    "grid": (np.broadcast_to(np.arange(16)[:, None] + 0.5, (16, 16)), "a grid: evenly spaced along an axis"),
    "range": (np.linspace(-1, 1, 16), "a grid: evenly spaced along an axis"),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_masks_tables_and_grids_are_constants_by_their_values(tmp_path: Path, name: str) -> None:
    values, reason = CONSTANTS[name]
    net = Net()
    added = net.op("Add", net.input("x", 2, 16, 16), net.constant(values, np.float32))
    path = saved(net, net.op("MatMul", added, net.constant(normal(16, 8))), tmp_path)
    report = analyze(path, passes="cost,weight_statistics", may_run=False)
    assert report.totals.parameters == 128
    assert [layer.op_type for layer in report.layers] == ["MatMul"]
    assert weights_of(path)[0].reason == reason
    assert [(each.node, each.elements, each.reason) for each in report.constants] == [
        (report.nodes[0].id, values.size, reason)
    ]
    assert report.totals.constants == values.size


LEARNED: dict[str, NDArray[Any]] = {
    "positions": normal(16, 16),
    "zeros": np.zeros((16, 16)),
    "ones": np.ones(16),
    "bias": normal(16),
    "sorted": np.sort(normal(16)),
    "few": np.array([0.0, 0.1]),
}


@pytest.mark.parametrize("name", LEARNED)
def test_what_may_have_been_learned_stays_a_parameter(tmp_path: Path, name: str) -> None:
    values = LEARNED[name]
    net = Net()
    path = saved(
        net,
        net.op("Add", net.input("x", 2, 16, values.shape[-1]), net.constant(values, np.float32)),
        tmp_path,
    )
    assert counted(path) == values.size


def test_the_words_of_the_file_outweigh_the_values(tmp_path: Path) -> None:
    """torch.onnx writes on each initializer whether it is a parameter or a buffer."""
    net = Net()
    x = net.input("x", 2, 16, 16)
    ours = net.constant(np.linspace(-1, 1, 16), np.float32, name="ours")
    theirs = net.constant(normal(16, 16), name="theirs")
    scale = net.constant(np.float32(2), name="scale")
    proto = net.model(net.op("Mul", net.op("Add", net.op("Add", x, ours), theirs), scale))
    for name, kind in (("ours", "PARAMETER"), ("theirs", "BUFFER"), ("scale", "PARAMETER")):
        info = proto.graph.value_info.add(name=name)
        info.metadata_props.add(key="pkg.torch.export.graph_signature.InputSpec.kind", value=kind)
    onnx.save(proto, tmp_path / "m.onnx")
    assert counted(tmp_path / "m.onnx") == 16 + 1
    reasons = {weight.tensor: weight.reason for weight in weights_of(tmp_path / "m.onnx")}
    assert reasons == {"ours": "", "theirs": "the file calls it a buffer", "scale": ""}
