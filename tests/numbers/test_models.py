"""The models folder: what its README says of each file is true of the file."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("digits_cnn", "digits_mlp", "digits_transformer")
CLASS_COUNT = 10


def readme_rows() -> dict[str, list[str]]:
    lines = (MODELS / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")
    ]
    return {row[0]: row[1:] for row in rows}


def load(name: str) -> onnx.ModelProto:
    return onnx.load(MODELS / f"{name}.onnx")


def data() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with np.load(MODELS / "digits.npz") as arrays:
        return arrays["x"], arrays["labels"]


def logits(name: str, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(MODELS / f"{name}.onnx", providers=["CPUExecutionProvider"])
    result: np.ndarray[Any, Any] = session.run(["logits"], {"x": x})[0]
    return result


@pytest.fixture(scope="module")
def build() -> dict[str, Any]:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    return runpy.run_path(str(MODELS / "build.py"))


def test_readme_has_one_row_for_every_model_and_data_file() -> None:
    files = {path.name for path in MODELS.iterdir() if path.suffix in {".onnx", ".npz"}}
    assert set(readme_rows()) == files == {*(f"{name}.onnx" for name in NAMES), "digits.npz"}


@pytest.mark.parametrize("file", [*(f"{name}.onnx" for name in NAMES), "digits.npz"])
def test_readme_states_the_size_and_hash_of_the_file(file: str) -> None:
    content = (MODELS / file).read_bytes()
    assert readme_rows()[file][-2:] == [f"{len(content):,}", hashlib.sha256(content).hexdigest()]
    assert len(content) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_is_at_least_97_percent_and_what_the_readme_states(name: str) -> None:
    x, labels = data()
    accuracy = float((logits(name, x).argmax(axis=1) == labels).mean())
    assert accuracy >= 0.97
    assert readme_rows()[f"{name}.onnx"][1] == f"{accuracy:.2%}"


@pytest.mark.parametrize("name", NAMES)
def test_an_image_alone_gets_the_logits_it_gets_in_a_batch(name: str) -> None:
    x, _ = data()
    np.testing.assert_allclose(logits(name, x[:1]), logits(name, x[:7])[:1], rtol=1e-4, atol=1e-5)


def test_data_is_450_images_in_the_unit_range_with_every_class_in_equal_share() -> None:
    x, labels = data()
    assert (x.shape, x.dtype, labels.shape, labels.dtype) == ((450, 1, 8, 8), np.float32, (450,), np.int64)
    assert (x.min(), x.max()) == (0, 1)
    assert set(np.bincount(labels, minlength=CLASS_COUNT)) <= {43, 44, 45, 46}


@pytest.mark.parametrize("name", NAMES)
def test_model_is_valid_in_an_opset_that_torch_exports_correctly(name: str) -> None:
    model = load(name)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version <= 25) for opset in model.opset_import] == [("", True)]


@pytest.mark.parametrize("name", NAMES)
def test_batch_is_one_symbol_from_input_to_output(name: str) -> None:
    graph = load(name).graph
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"x": ["batch", 1, 8, 8], "logits": ["batch", CLASS_COUNT]}


@pytest.mark.parametrize("name", NAMES)
def test_every_node_names_its_module_and_none_its_source(name: str) -> None:
    keys = [{entry.key for entry in node.metadata_props} for node in load(name).graph.node]
    assert all("pkg.torch.onnx.name_scopes" in node for node in keys)
    assert not any("pkg.torch.onnx.stack_trace" in node for node in keys)


@pytest.mark.parametrize(
    "text", ["/home/", "/root/", "/work/", "/tmp/", "site-packages", "stack_trace", ".py"]
)
@pytest.mark.parametrize("name", NAMES)
def test_bytes_hold_nothing_of_the_machine_that_built_them(name: str, text: str) -> None:
    strings = load(name)
    for tensor in strings.graph.initializer:  # three random bytes of a weight may well read ".py"
        tensor.ClearField("raw_data")
    assert text.encode() not in strings.SerializeToString()
    assert len(text) < 6 or text.encode() not in (MODELS / f"{name}.onnx").read_bytes()


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        pytest.param("digits_mlp", {"Gemm": 3, "Relu": 2}, id="three dense layers"),
        pytest.param("digits_cnn", {"Conv": 5, "BatchNormalization": 2, "Add": 1, "ReduceMean": 1}, id="cnn"),
        pytest.param(
            "digits_transformer", {"Softmax": 2, "Gelu": 2, "LayerNormalization": 5}, id="two blocks"
        ),
    ],
)
def test_model_holds_the_operators_its_layers_promise(name: str, operators: dict[str, int]) -> None:
    types = [node.op_type for node in load(name).graph.node]
    assert {op: types.count(op) for op in operators} == operators


def test_one_convolution_of_the_cnn_is_depthwise() -> None:
    groups = [
        attribute.i
        for node in load("digits_cnn").graph.node
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "group"
    ]
    assert sorted(groups) == [1, 1, 1, 1, 32]


@pytest.mark.parametrize("name", NAMES)
def test_architecture_in_build_has_the_parameters_the_readme_states(build: dict[str, Any], name: str) -> None:
    module = build["build_module"](name)
    assert readme_rows()[f"{name}.onnx"][2] == f"{sum(p.numel() for p in module.parameters()):,}"


@pytest.mark.parametrize("name", NAMES)
def test_initializers_named_after_parameters_have_their_shapes(build: dict[str, Any], name: str) -> None:
    parameters = {key: list(p.shape) for key, p in build["build_module"](name).named_parameters()}
    stored = {tensor.name: list(tensor.dims) for tensor in load(name).graph.initializer}
    shared = parameters.keys() & stored.keys()
    assert "head.weight" in shared or "fc3.weight" in shared
    assert {key: stored[key] for key in shared} == {key: parameters[key] for key in shared}


def test_data_file_is_the_split_that_build_holds_out(build: dict[str, Any]) -> None:
    x, labels = data()
    train, test = build["load_splits"]()
    np.testing.assert_array_equal(x, test.x.numpy())
    np.testing.assert_array_equal(labels, test.labels.numpy())
    assert len(train.x) + len(x) == 1797


def test_build_removes_stack_traces_paths_and_doc_strings_and_keeps_the_rest(build: dict[str, Any]) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> g (float[1] x) => (float[1] y) { y = Relu(x) }'
    )
    node = model.graph.node[0]
    node.doc_string = "made here"
    entries = {
        "pkg.torch.onnx.stack_trace": "File 1",
        "note": "/home/someone/net",
        "pkg.torch.onnx.name_scopes": "['']",
    }
    onnx.helper.set_model_props(model, entries)
    for key, value in entries.items():
        node.metadata_props.add(key=key, value=value)
    cleaned = build["without_leaks"](model).graph.node[0]
    assert cleaned.doc_string == ""
    assert [entry.key for entry in cleaned.metadata_props] == ["pkg.torch.onnx.name_scopes"]
    assert [entry.key for entry in model.metadata_props] == ["pkg.torch.onnx.name_scopes"]
