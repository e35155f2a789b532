"""An ONNX file as a ModelGraph."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.support.models import model, op, tensor

from nnea_graph.errors import ModelError
from nnea_graph.frontends.onnx.graph import load_onnx


def test_the_facts_about_a_file_are_kept(tmp_path: Path) -> None:
    made = model(
        [op("MatMul", ["x", "w"], ["y"])], weights=[tensor("w", [[1.0]] * 4)], domains=["com.microsoft"]
    )
    made.producer_name, made.producer_version = "pytorch", "2.9"
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    graph = load_onnx(path)
    assert (graph.info.producer, graph.info.ir_version) == ("pytorch 2.9", 10)
    assert graph.info.opsets == {"": 21, "com.microsoft": 1}
    assert graph.file.size_bytes == path.stat().st_size
    assert (graph.inputs, graph.outputs) == (("x",), ("y",))


def test_a_version_of_no_commit_is_the_version(tmp_path: Path) -> None:
    made = model([op("Relu", ["x"], ["y"])])
    made.producer_name, made.producer_version = "tf2onnx", "1.17.0 None"
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    assert load_onnx(tmp_path / "model.onnx").info.producer == "tf2onnx 1.17.0"


@pytest.mark.parametrize("name", ["model.onnx", "a", "the", "cycle"])
def test_an_error_begins_with_the_path_once_whatever_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file called ``cycle`` has a name that is in the message anyway."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(model([op("Relu", ["y"], ["y"], name="odd")]).SerializeToString())
    with pytest.raises(ModelError) as caught:
        load_onnx(Path(name))
    assert str(caught.value) == f"{name}: the graph has a cycle: odd -> odd"


def test_before_ir_version_3_the_operator_set_was_not_named(tmp_path: Path) -> None:
    made = model([op("Relu", ["x"], ["y"])])
    made.ir_version = 2
    del made.opset_import[:]
    (tmp_path / "old.onnx").write_bytes(made.SerializeToString())
    assert load_onnx(tmp_path / "old.onnx").info.opsets == {"": 1}
