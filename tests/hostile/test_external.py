"""External data from the command line: whatever a model asks for, only its own folder is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile.support.models import call, function, graph, ints, model, op, tensor, typed
from hostile.support.running import Program
from onnx import ModelProto, TensorProto, helper

RELU = op("Relu", ["x"], ["y"], name="relu")
SECRET = b"SECRET" * 100


def external(name: str = "w", dims: tuple[int, ...] = (4, 4), /, **entries: str) -> TensorProto:
    made = TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        made.external_data.add(key=key, value=value)
    return made


def weighted(weight: TensorProto) -> ModelProto:
    return model([op("MatMul", ["x", "w"], ["y"], name="matmul")], weights=[weight])


def test_weights_beside_the_model_are_measured_and_their_bytes_are_counted(program: Program) -> None:
    (program.folder / "data.bin").write_bytes(b"pad!" + np.arange(16, dtype=np.float32).tobytes())
    report = program.reports(weighted(external(location="data.bin", offset="4", length="64"))).report
    assert report["layers"][0]["weight_metrics"]["max"] == 15
    assert report["model"]["size_bytes"] > 68


@pytest.fixture
def outside(program: Program) -> Path:
    """A folder beside the model's, full of things that are none of its business."""
    folder = program.folder.parent / f"{program.folder.name}-outside"
    folder.mkdir(exist_ok=True)
    (folder / "secret.bin").write_bytes(SECRET)
    return folder


@pytest.mark.parametrize(
    ("location", "rule"),
    [
        pytest.param("../{outside}/secret.bin", "parent-folder", id="parent"),
        pytest.param("sub/../../{outside}/secret.bin", "parent-folder", id="parent-later"),
        pytest.param("{absolute}/secret.bin", "absolute-path", id="absolute"),
        pytest.param("//{outside}/secret.bin", "absolute-path", id="two-slashes"),
        pytest.param("C:/secret.bin", "drive-letter", id="drive"),
        pytest.param("..\\secret.bin", "backslash", id="backslash"),
        pytest.param("/proc/self/environ", "absolute-path", id="environment"),
        pytest.param("/dev/zero", "absolute-path", id="device"),
        pytest.param("*/_ORT_MEM_ADDR_/*", "memory-address", id="onnxruntime-memory"),
        pytest.param("link.bin", "symlink", id="symlink"),
        pytest.param("linked/secret.bin", "symlink", id="through-a-linked-folder"),
        pytest.param("hard.bin", "hard-link", id="hard-link"),
        pytest.param("fifo", "not-a-file", id="fifo"),
        pytest.param("folder", "not-a-file", id="folder"),
        pytest.param("nothing.bin", "missing", id="missing"),
        pytest.param("model.onnx/inside", "not-a-file", id="inside-a-file"),
        pytest.param("a\0b", "nul-in-path", id="nul"),
        pytest.param("n" * 5000, "unreadable", id="long"),
        pytest.param("", "empty-path", id="empty"),
        pytest.param("file:///etc/passwd", "", id="url"),
        pytest.param("~/secret.bin", "missing", id="home"),
        pytest.param("$HOME/secret.bin", "missing", id="variable"),
    ],
)
def test_no_location_leads_out_of_the_models_folder(
    program: Program, outside: Path, location: str, rule: str
) -> None:
    (program.folder / "link.bin").symlink_to(outside / "secret.bin")
    (program.folder / "linked").symlink_to(outside)
    (program.folder / "hard.bin").hardlink_to(outside / "secret.bin")
    os.mkfifo(program.folder / "fifo")
    (program.folder / "folder").mkdir()
    place = location.format(outside=outside.name, absolute=outside)
    said = program.refuses(weighted(external(location=place)), "tensor 'w'", rule)
    assert "SECRET" not in said


@pytest.mark.parametrize(
    ("entries", "rule"),
    [
        pytest.param({"length": str(1 << 60)}, "wrong-length", id="length-2-to-60"),
        pytest.param({"offset": "100"}, "out-of-range", id="past-the-end"),
        pytest.param({"offset": "-1"}, "bad-number", id="minus-1"),
        pytest.param({"offset": str((1 << 64) - 8)}, "out-of-range", id="2-to-64-minus-8"),
        pytest.param({"offset": "0x10"}, "bad-number", id="hexadecimal"),
        pytest.param({"offset": "9" * 5000}, "bad-number", id="5000-digits"),
        pytest.param({"length": "32"}, "wrong-length", id="length-that-does-not-fit"),
        pytest.param({"offset": " 1"}, "bad-number", id="blank"),
        pytest.param({"offset": "1e1"}, "bad-number", id="float"),
        pytest.param({"offset": "٣"}, "bad-number", id="other-digits"),
    ],
)
def test_no_number_leads_out_of_the_file(program: Program, entries: dict[str, str], rule: str) -> None:
    (program.folder / "data.bin").write_bytes(bytes(64))
    program.refuses(weighted(external(location="data.bin", **entries)), "tensor 'w'", rule)


ESCAPE = external("s", (4,), location="../secret.bin")


def _sparse() -> ModelProto:
    made = model([RELU])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(ESCAPE, ints("i", 0, 1, 2, 3), [9]))
    return made


def _in_a_branch() -> ModelProto:
    branch = graph([], [], [typed("s")], [ESCAPE])
    return model(
        [op("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], weights=[tensor("c", True, bool)]
    )


CONTAINERS: dict[str, Callable[[], ModelProto]] = {
    "constant": lambda: model([op("Constant", [], ["y"], value=ESCAPE)]),
    "attribute": lambda: model([op("NoSuchOp", ["x"], ["y"], inside=ESCAPE)]),
    "attribute-list": lambda: model([op("NoSuchOp", ["x"], ["y"], inside=[ESCAPE, ESCAPE])]),
    "sparse": _sparse,
    "sparse-attribute": lambda: model(
        [op("NoSuchOp", ["x"], ["y"], inside=helper.make_sparse_tensor(ESCAPE, ints("i", 0, 1, 2, 3), [9]))]
    ),
    "branch": _in_a_branch,
    "function": lambda: model(
        [call("f", "x", "y")],
        functions=[function("f", [op("Constant", [], ["c"], value=ESCAPE), op("Add", ["a", "c"], ["b"])])],
        domains=["local"],
    ),
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_of_tensors_is_read_by_the_same_rules(
    program: Program, make: Callable[[], ModelProto]
) -> None:
    program.refuses(make(), "parent-folder")


def test_thousands_of_tensors_on_one_region_are_no_gigabytes_of_memory(program: Program) -> None:
    """4 MB on disk that take 8 GB when every tensor is loaded."""
    (program.folder / "data.bin").write_bytes(bytes(4 << 20))
    weights = [external(f"w{n}", (1 << 20,), location="data.bin") for n in range(2_000)]
    outcome = program.run(model([RELU], weights=weights))
    assert outcome.code == 2
    assert "sharing" in outcome.stderr
    assert outcome.peak_bytes < 300 << 20


def test_the_hugging_face_cache_works_with_the_option_that_the_error_names(program: Program) -> None:
    blobs = program.folder / "blobs"
    snapshot = program.folder / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "abc").write_bytes(np.ones(16, np.float32).tobytes())
    (blobs / "def").write_bytes(weighted(external(location="model.onnx_data")).SerializeToString())
    (snapshot / "model.onnx").symlink_to("../../blobs/def")
    (snapshot / "model.onnx_data").symlink_to("../../blobs/abc")
    program.refuses(snapshot / "model.onnx", "--allow-external")
    report = program.reports(snapshot / "model.onnx", "--allow-external", str(program.folder)).report
    assert report["totals"]["parameters"] == 16
    program.refuses(snapshot / "model.onnx", "outside-allowed", options=["--allow-external", str(snapshot)])
