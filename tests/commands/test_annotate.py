"""The command line writes a model with its facts: whole, never over its source, weights where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile.support.models import model, op, typed
from hostile.support.running import Program
from onnx import numpy_helper

from nnea_graph import analyze

MODELS = Path(__file__).parents[2] / "models"
CNN = MODELS / "digits_cnn.onnx"
CODE = """
from torch import nn

def make():
    return nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 3))
"""


def facts(path: Path) -> dict[str, Any]:
    proto = onnx.load(path, load_external_data=False)
    return {
        each.key.removeprefix("nnea_graph."): json.loads(each.value)
        for each in proto.metadata_props
        if each.key.startswith("nnea_graph.")
    }


def test_a_copy_has_the_facts_and_everything_else(program: Program) -> None:
    done = program("annotate", str(CNN), "--dim", "batch=4", "-p", "cost", "-o", "out.onnx")
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr == "out.onnx: written with analysis metadata\n"
    found = facts(program.folder / "out.onnx")
    assert (found["macs"], found["dims"], found["assumed_dims"]) == (4 * 1_269_504, {"batch": 4}, [])
    made, source = onnx.load(program.folder / "out.onnx"), onnx.load(CNN)
    for proto in (made, *made.graph.node):
        kept = [each for each in proto.metadata_props if not each.key.startswith("nnea_graph.")]
        del proto.metadata_props[:]
        proto.metadata_props.extend(kept)
    assert made == source
    first = (program.folder / "out.onnx").read_bytes()
    assert (
        program("annotate", str(CNN), "--dim", "batch=4", "-p", "cost", "-o", "two.onnx", "-q").stderr == ""
    )
    assert (program.folder / "two.onnx").read_bytes() == first


def test_data_are_run(program: Program) -> None:
    np.savez(program.folder / "d.npz", x=np.load(MODELS / "digits.npz")["x"][:16])
    done = program("annotate", str(CNN), "--data", "d.npz", "--samples", "8", "-o", "out.onnx", may_run=True)
    assert done.code == 0, done
    found = facts(program.folder / "out.onnx")
    assert found["statistics_of"] == "importance"
    assert found["data"] == {"samples": 8, "synthetic": False, "not_run": ""}


def test_a_live_model_is_exported_with_its_own_counts(program: Program) -> None:
    (program.folder / "train.py").write_text(CODE)
    done = program("annotate", "train.py:make", "--input-shape", "2,20", "-p", "cost", "-o", "out.onnx")
    assert done.code == 0, done
    found = facts(program.folder / "out.onnx")
    assert (found["parameters"], found["trainable_parameters"]) == (195, 195)
    report = analyze(program.folder / "out.onnx", passes="cost")
    assert [module.class_name for module in report.modules] == ["Sequential", "Linear", "ReLU", "Linear"]


def test_weights_in_another_file_stay_there(program: Program) -> None:
    source = program.folder / "model.onnx"
    onnx.save(onnx.load(CNN), source, save_as_external_data=True, location="w.bin", size_threshold=0)
    weights = (program.folder / "w.bin").read_bytes()
    assert program("annotate", "model.onnx", "-p", "cost", "-o", "out.onnx").code == 0
    assert (program.folder / "w.bin").read_bytes() == weights
    report, wanted = (
        analyze(program.folder / name, passes="weight_statistics") for name in ("out.onnx", source)
    )
    assert report.layers == wanted.layers
    (program.folder / "sub").mkdir()
    done = program("annotate", "model.onnx", "-p", "cost", "-o", "sub/out.onnx")
    assert done.code == 2
    assert done.stderr.count("\n") == 1
    assert (
        "weights of the model lie in 'w.bin' beside it, and are not copied; write into the same folder"
        in done.stderr
    )
    assert not list((program.folder / "sub").iterdir())
    over = program("annotate", "model.onnx", "-p", "cost", "-o", "w.bin", "--force")
    assert (over.code, "w.bin: it holds weights of the input model" in over.stderr) == (2, True)
    assert (program.folder / "w.bin").read_bytes() == weights


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "model.onnx"], "output equals input; in-place writing is not supported"),
        (["-o", "model.onnx", "--force"], "output equals input; in-place writing is not supported"),
        (["-o", "there.onnx"], "use --force to overwrite"),
        (["-o", "nowhere/out.onnx"], "there is no folder"),
        (["-o", "out.onnx", "-p", "costs"], "-p: there is no pass 'costs'"),
        (["-o", "out.onnx", "--dim", "batch"], "--dim 'batch': write name=number"),
        (["-o", "out.onnx", "--limit", "nodes=3"], "more than 3 operators"),
        ([], "Missing option '-o'"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    program: Program, arguments: list[str], said: str
) -> None:
    (program.folder / "model.onnx").write_bytes(CNN.read_bytes())
    (program.folder / "there.onnx").write_bytes(b"mine")
    done = program("annotate", "model.onnx", *arguments)
    assert done.code == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert {path.name for path in program.folder.glob("*.onnx")} == {"model.onnx", "there.onnx"}
    assert (program.folder / "model.onnx").read_bytes() == CNN.read_bytes()
    assert (program.folder / "there.onnx").read_bytes() == b"mine"


def test_what_is_there_is_replaced_where_that_is_asked_for(program: Program) -> None:
    (program.folder / "there.onnx").write_bytes(b"mine")
    assert program("annotate", str(CNN), "-p", "cost", "-o", "there.onnx", "--force").code == 0
    assert facts(program.folder / "there.onnx")["macs"] == 1_269_504


def test_a_finding_that_is_an_error_is_told_and_the_file_written(program: Program) -> None:
    weight = numpy_helper.from_array(np.ones((2, 4, 1)), "w")  # of float64, which onnxruntime has no Conv for
    shape = {"dtype": onnx.TensorProto.DOUBLE}
    onnx.save(
        model(
            [op("Conv", ["x", "w"], ["y"])],
            [typed("x", 1, 4, 5, **shape)],
            [typed("y", None, **shape)],
            [weight],
        ),
        program.folder / "odd.onnx",
    )
    np.save(program.folder / "d.npy", np.ones((1, 4, 5)))
    done = program("annotate", "odd.onnx", "--data", "d.npy", "-o", "out.onnx", may_run=True)
    assert done.code == 1, done
    first, last = done.stderr.splitlines()
    assert "the model was not run" in first
    assert last == "out.onnx: written with analysis metadata"
    found = facts(program.folder / "out.onnx")
    assert found["macs"] == 40
    assert "could not find an implementation" in found["unknown"]["importance_totals"].lower()
