"""Torch sources of other forms: programs, files, code; several inputs; weights that change; what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hostile.support.running import Program
from model_zoo.torch_models import MLP, NormalizedCNN, Several, TiedLM
from torch import Tensor, nn

from nnea_graph import analyze
from nnea_graph.errors import ModelError, NneaError, UsageError
from nnea_graph.frontends.shared.source_metadata import KEY
from nnea_graph.runtime.live_model import LiveModel

ROWS = np.random.default_rng(0).standard_normal((12, 20)).astype(np.float32)

MLP_FILE = """
import torch
from torch import nn

print("from the user's code")

class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(20, 128), nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x):
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))

ready = MLP()
"""


@pytest.fixture(scope="module")
def program_of_mlp() -> Any:
    return torch.export.export(
        MLP().eval(), (torch.zeros(2, 20),), dynamic_shapes=({0: torch.export.Dim("n")},)
    )


def test_the_numbers_of_the_readme() -> None:
    report = analyze(MLP(), ROWS, "cost")
    totals = report.totals
    assert (totals.parameters, totals.flops, totals.training_flops) == (11_594, 22_784, 91_136)
    assert [layer.scope for layer in report.layers] == ["fc1", "fc2", "fc3"]
    assert (report.model.path, report.model.format) == ("MLP", "pytorch")


def test_weights_that_changed_are_seen_without_another_export() -> None:
    module = MLP()
    live = LiveModel(module)
    started = time.perf_counter()
    live.graph(ROWS)
    first = time.perf_counter() - started
    with torch.no_grad():
        module.fc2.weight.fill_(0.25)
    started = time.perf_counter()
    graph = live.graph(ROWS)
    second = time.perf_counter() - started
    assert np.all(graph.constants["fc2.weight"].array() == 0.25)
    assert live.parity is not None
    assert live.parity.agrees
    assert second < first / 5


def test_normalization_that_changed_is_folded_again() -> None:
    module = NormalizedCNN()
    live = LiveModel(module)
    data = np.random.default_rng(0).standard_normal((4, 3, 12, 12)).astype(np.float32)
    live.graph(data)
    module.train()(torch.from_numpy(data) * 3 + 1)  # moves the running statistics
    live.graph(data)
    assert live.parity is not None
    assert live.parity.difference is not None
    assert live.parity.difference < 1e-5


def test_another_structure_or_another_frozen_layer_is_seen() -> None:
    module = MLP()
    live = LiveModel(module)
    live.graph(ROWS)
    module.fc1.requires_grad_(requires_grad=False)
    facts = live.graph(ROWS).source
    assert facts is not None
    assert facts.trainable == 11_594 - 20 * 128 - 128
    module.fc3 = nn.Linear(64, 3)
    assert live.graph(ROWS).constants["fc3.weight"].shape == (3, 64)


def test_frozen_layers_need_no_gradient() -> None:
    module = MLP()
    module.fc1.requires_grad_(requires_grad=False)
    exact = analyze(module, ROWS, "cost", training="exact").totals
    # fc1 has none, fc2 that of its weights, fc3 both
    assert exact.training_flops == 22_784 + 2 * (128 * 64 + 2 * 64 * 10)


@pytest.mark.parametrize("given", ["dict", "torch", "loader", "shapes"])
def test_examples_come_in_many_forms(given: str) -> None:
    rows = torch.from_numpy(ROWS)
    labeled = torch.utils.data.TensorDataset(rows, torch.zeros(12, dtype=torch.long))
    forms: dict[str, Any] = {
        "dict": {"x": ROWS},
        "torch": rows,
        "loader": torch.utils.data.DataLoader(labeled, 4),
        "shapes": None,
    }
    shapes = {"": (3, 20)} if given == "shapes" else None
    report = analyze(MLP(), forms[given], "cost", input_shapes=shapes)
    assert report.totals.macs == (3 if shapes else 1) * 11_392


@pytest.mark.parametrize("scaled", [False, True])
def test_several_inputs_some_left_out_and_outputs_in_a_dict(scaled: bool) -> None:  # noqa: FBT001
    data = {"ids": np.ones((6, 5), np.int64), "extra": np.ones((6, 4), np.float32)}
    if scaled:
        data["scale"] = np.ones((6, 4), np.float32)
    live = LiveModel(Several())
    graph = live.graph(data)
    assert graph.inputs == tuple(data)
    assert len(graph.outputs) == 3
    assert live.parity is not None
    assert live.parity.agrees
    assert live.parity.difference is not None


def test_a_head_that_shares_its_weight_is_tied_and_has_its_own_name() -> None:
    report = analyze(TiedLM(), {"ids": np.ones((3, 8), np.int64)}, "cost,weight_statistics")
    by_scope = {layer.scope: layer for layer in report.layers}
    assert by_scope["head"].tied_to == by_scope["embed"].id
    assert report.totals.analyzed_weights == 50 * 16 + 16 * 16 + 8 * 16


def test_programs_files_and_exports_give_the_same(program_of_mlp: Any, tmp_path: Path) -> None:
    path = tmp_path / "mlp.pt2"
    torch.export.save(program_of_mlp, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of what it uses itself
        exported = torch.onnx.export(program_of_mlp, dynamo=True, verbose=False)
    for source in (program_of_mlp, path, exported):
        report = analyze(source, passes="cost")
        assert report.model.format == "pytorch"
        assert (report.totals.parameters, report.totals.macs) == (11_594, 11_392)
        assert [layer.scope for layer in report.layers] == ["fc1", "fc2", "fc3"]


def test_a_pickle_in_an_archive_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "bad.pt2"
    path.write_bytes(b"PK not really")
    with pytest.raises(ModelError, match=r"bad\.pt2: cannot be read: .*torch\.export\.save"):
        analyze(path)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x + x.max().exp()


class Failing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError(f"no luck with {x.ndim} dims")


@pytest.mark.parametrize(
    ("module", "data", "error", "said"),
    [
        (Branching(), ROWS, ModelError, "Branching: torch.export cannot export the model: .*data-dependent"),
        (
            Failing(),
            ROWS,
            ModelError,
            "Failing: the model fails on f32:2x20: ValueError: no luck with 2 dims",
        ),
        (MLP(), None, UsageError, r"an example of its inputs \(x\): give data, or shapes"),
        (MLP(), ROWS[:, :7], ModelError, "MLP: the model fails on f32:2x7: RuntimeError: mat1 and mat2"),
        (Several(), {"ids": ROWS}, UsageError, r"does not fit forward\(ids, extra, scale\)"),
        (object(), None, UsageError, "builtins.object is no model; give a torch module"),
    ],
    ids=["branch", "failing", "no-example", "wrong-shape", "missing-input", "no-model"],
)
def test_what_goes_wrong_is_one_line(module: object, data: Any, error: type[NneaError], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        analyze(module, data)
    assert "\n" not in str(caught.value)


def test_another_framework_than_asked_for_is_refused() -> None:
    with pytest.raises(UsageError, match="MLP is no model of framework 'onnx'"):
        analyze(MLP(), ROWS, framework="onnx")


def test_without_torch_a_file_of_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nnea_graph.frontends.torch.frontend.find_spec", lambda _: None)
    with pytest.raises(
        ModelError, match=r"needs torch, which is not installed: pip install 'nnea-graph\[torch\]'"
    ):
        analyze(tmp_path / "model.pt2")


def test_importing_the_package_imports_no_framework() -> None:
    statement = "import nnea_graph, sys; print(*sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert not {"torch", "tensorflow", "matplotlib", "onnxruntime"} & set(found.stdout.split())


def test_the_command_line_takes_code_and_keeps_stdout_for_data(program: Program) -> None:
    (program.folder / "train.py").write_text(MLP_FILE)
    made = program("run", "train.py:MLP", "--input-shape", "1,20", "-p", "cost", "--format", "json", "-v")
    assert made.code == 0, made
    report = json.loads(made.stdout)
    assert report["totals"]["parameters"] == 11_594
    assert report["model"]["path"] == "train.py:MLP"
    assert "from the user's code" in made.stderr
    assert "export: outputs differ from the source by" in made.stderr


def test_the_command_line_says_what_is_wrong_with_code(program: Program) -> None:
    outcome = program("run", "nowhere.py:make", "--input-shape", "1,20")
    assert (outcome.code, outcome.stderr) == (2, "nnea-graph: error: there is no file nowhere.py\n")


def test_a_model_that_keeps_its_facts_gives_the_same_as_a_file(tmp_path: Path) -> None:
    module = NormalizedCNN()
    data = np.random.default_rng(0).standard_normal((4, 3, 12, 12)).astype(np.float32)
    proto = LiveModel(module).exported(data)
    assert KEY in {prop.key for prop in proto.metadata_props}
    onnx.save(proto, tmp_path / "model.onnx")
    live, file = analyze(module, data, "cost"), analyze(tmp_path / "model.onnx", passes="cost")
    assert file.totals == live.totals
    assert file.modules == live.modules
    assert file.layers == live.layers


def test_export_writes_a_file_that_remembers_and_never_over_its_source(program: Program) -> None:
    (program.folder / "train.py").write_text(MLP_FILE)
    made = program("export", "train.py:ready", "--input-shape", "1,20", "-o", "mlp.onnx")
    assert made.code == 0, made
    assert made.stdout == ""
    assert "outputs differ from the source by" in made.stderr
    report = analyze(program.folder / "mlp.onnx", passes="cost")
    assert [module.class_name for module in report.modules] == ["MLP", "Linear", "Linear", "Linear"]
    again = program("export", "mlp.onnx", "-o", "mlp.onnx")
    assert (again.code, "output equals input" in again.stderr) == (2, True)
    over = program("export", "train.py:ready", "--input-shape", "1,20", "-o", "mlp.onnx")
    assert (over.code, "use --force to overwrite" in over.stderr) == (2, True)
    other = program("export", "mlp.onnx", "-o", "other.onnx")
    assert (other.code, "is an ONNX model already" in other.stderr) == (2, True)
