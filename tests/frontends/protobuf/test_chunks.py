"""A model in memory that is more than protobuf's largest message is read and hashed in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import pytest
from onnx import ModelProto, TensorProto

from nnea_graph import analyze, annotate
from nnea_graph.frontends.protobuf.chunks import pieces

CNN = Path(__file__).parents[3] / "models" / "digits_cnn.onnx"


@pytest.fixture
def _small_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnea_graph.frontends.protobuf.chunks._MESSAGE_BYTES", 1_000)


def test_a_model_of_one_message_is_one_piece() -> None:
    made = onnx.load(CNN)
    assert list(pieces(made)) == [made]
    wanted = hashlib.sha256(made.SerializeToString(deterministic=True)).hexdigest()
    assert analyze(made, passes="cost").model.sha256 == wanted


@pytest.mark.usefixtures("_small_messages")
def test_a_larger_one_is_its_rest_and_its_weights() -> None:
    made = onnx.load(CNN)
    before = made.SerializeToString(deterministic=True)
    rest, *weights = pieces(made)
    assert isinstance(rest, ModelProto)
    assert not any(each.HasField("raw_data") for each in rest.graph.initializer)
    assert {each.name for each in weights if isinstance(each, TensorProto)} == {
        each.name for each in made.graph.initializer if each.HasField("raw_data")
    }
    assert made.SerializeToString(deterministic=True) == before
    whole = ModelProto()
    whole.CopyFrom(rest)
    whole.graph.initializer.extend(each for each in weights if isinstance(each, TensorProto))
    order = {each.name: place for place, each in enumerate(made.graph.initializer)}
    whole.graph.initializer.sort(key=lambda each: order[each.name])
    assert whole == made


@pytest.mark.usefixtures("_small_messages")
def test_its_report_is_that_of_the_model_but_for_the_hash_and_it_can_be_annotated() -> None:
    made = onnx.load(CNN)
    found, same, wanted = analyze(made), analyze(onnx.load(CNN)), analyze(CNN)
    assert (found.totals, found.layers, found.nodes) == (wanted.totals, wanted.layers, wanted.nodes)
    assert found == same
    assert found.model.sha256 != wanted.model.sha256
    assert found.model.size_bytes == pytest.approx(wanted.model.size_bytes, rel=0.01)
    changed = onnx.load(CNN)
    weight = changed.graph.initializer[0]
    weight.raw_data = bytes([weight.raw_data[0] ^ 1]) + weight.raw_data[1:]
    assert analyze(changed, passes="cost").model.sha256 != found.model.sha256
    annotate(made, found)
    assert "nnea_graph.macs" in {each.key for each in made.metadata_props}
