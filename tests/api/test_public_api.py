"""What other programs call, and what it must not do to them."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path

import onnx
import pytest
from hostile.support.models import model, op, tensor, typed

import nnea_graph
from nnea_graph import errors
from nnea_graph.api.analyze import analyze, load
from nnea_graph.errors import LimitError, ModelError, NneaError, UsageError
from nnea_graph.frontends.shared.limits import Limits

STATIC = "cost,memory,weight_statistics"
DIGITS = Path(__file__).parents[2] / "models" / "digits_cnn.onnx"
RELU = model([op("Relu", ["x"], ["y"], name="relu")], [typed("x", "batch", 4)])


def test_a_path_a_text_and_a_model_in_memory_give_the_same_numbers() -> None:
    reports = [analyze(source, passes=STATIC) for source in (DIGITS, str(DIGITS), onnx.load(DIGITS))]
    assert reports[0] == reports[1]
    assert reports[0].totals == reports[2].totals
    assert reports[0].layers == reports[2].layers


def test_options_are_those_of_the_command_line() -> None:
    report = analyze(RELU, passes="cost", dims={"batch": 3}, training="exact")
    assert report.totals.other_flops == 12
    assert report.dims == {"batch": 3}
    assert analyze(RELU, passes="cost", input_shapes={"x": [5, 4]}).dims == {"batch": 5}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"passes": "nonsense"}, UsageError),
        ({"dims": {"nonsense": 1}}, UsageError),
        ({"dims": {"batch": -1}}, UsageError),
        ({"dims": {"batch": 1 << 70}}, UsageError),
        ({"input_shapes": {"x": [1]}}, UsageError),
        ({"input_shapes": {"x": [1, -4]}}, UsageError),
        ({"training": "5x"}, UsageError),
        ({"frozen": ["nonsense"], "training": "exact"}, UsageError),
        ({"limits": Limits(rank=1)}, LimitError),
    ],
)
def test_every_error_is_one_line_of_one_family(options: dict[str, object], error: type[NneaError]) -> None:
    with pytest.raises(error) as caught:
        analyze(RELU, **{"passes": STATIC, **options})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_exit_codes_belong_to_the_errors() -> None:
    codes = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, NneaError)
    }
    assert all(name.endswith("Error") for name in codes)
    assert {name for name, code in codes.items() if code != 2} == {"PassError", "InterruptedRunError"}


def test_a_model_in_memory_is_not_changed() -> None:
    made = model([op("MatMul", ["x", "w"], ["y"])], weights=[tensor("w", [[1.0]] * 4)])
    before = made.SerializeToString(deterministic=True)
    analyze(made, passes=STATIC)
    assert made.SerializeToString(deterministic=True) == before


def test_a_file_is_not_changed_and_nothing_is_logged_or_printed(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (DIGITS.read_bytes(), DIGITS.stat().st_mtime_ns)
    with caplog.at_level(logging.DEBUG):
        analyze(DIGITS, passes=STATIC)
    assert (DIGITS.read_bytes(), DIGITS.stat().st_mtime_ns) == before
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_a_second_analysis_knows_nothing_of_the_first() -> None:
    first = analyze(RELU, passes=STATIC, dims={"batch": 7})
    assert analyze(DIGITS, passes=STATIC).dims == {"batch": 1}
    assert analyze(RELU, passes=STATIC, dims={"batch": 7}) == first


def test_external_data_of_a_model_in_memory_has_no_folder() -> None:
    made = model([op("Add", ["x", "w"], ["y"])], weights=[onnx.TensorProto(name="w", dims=[4], data_type=1)])
    made.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    made.graph.initializer[0].external_data.add(key="location", value="data.bin")
    with pytest.raises(ModelError, match="no-folder"):
        analyze(made, passes=STATIC)


def test_the_graph_is_frozen_and_plain_networkx_reads_it() -> None:
    graph = load(RELU)
    assert graph.nx.nodes["relu"]["op"].op_type == "Relu"
    with pytest.raises(Exception, match="rozen"):
        graph.nx.add_node("another")


def test_the_version_is_the_packages() -> None:
    assert nnea_graph.__version__ == version("nnea-graph")
