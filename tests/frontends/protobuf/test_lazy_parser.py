"""Large tensors are left in the file; everything else is what protobuf would have parsed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.protobuf.bounded_parser import built
from nnea_graph.frontends.protobuf.lazy_parser import LazyParse
from nnea_graph.frontends.shared.limits import Limits


def skimmed(data: bytes, limits: Limits | None = None) -> tuple[ModelProto, str]:
    limits = limits or Limits()
    skim = LazyParse(memoryview(data), limits)
    return built(skim.steps(), limits), skim.marker


def restored(data: bytes) -> ModelProto:
    """The skimmed model with every tensor's bytes put back by the places that it points at."""
    model, marker = skimmed(data)
    for tensor in tensors_of(model.graph):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if entries.get("location") == marker:
            start = int(entries["offset"])
            blob = data[start : start + int(entries["length"])]
            assert entries["field"] == "raw_data"
            del tensor.external_data[:]
            tensor.ClearField("data_location")
            tensor.raw_data = blob
    return model


def tensors_of(graph: GraphProto) -> list[TensorProto]:
    found = list(graph.initializer)
    found += [part for sparse in graph.sparse_initializer for part in (sparse.values, sparse.indices)]
    for node in graph.node:
        for attribute in node.attribute:
            found += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
            sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            found += [part for s in [*sparse, *attribute.sparse_tensors] for part in (s.values, s.indices)]
            for body in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                found += tensors_of(body)
    return found


def tensor(name: str, floats: int) -> TensorProto:
    values = np.random.default_rng(floats).standard_normal(floats).astype(np.float32)
    return numpy_helper.from_array(values, name)


def sparse(floats: int) -> SparseTensorProto:
    indices = numpy_helper.from_array(np.arange(floats), "i")
    return helper.make_sparse_tensor(tensor("v", floats), indices, [2 * floats])


def graph(nodes: list[AttributeProto], initializers: list[TensorProto]) -> GraphProto:
    made = helper.make_graph([helper.make_node("N", ["a"], ["b"])], "g", [], [], initializers)
    made.node[0].attribute.extend(nodes)
    return made


sizes = st.sampled_from([1, 1000, 1024, 1025, 3000])
leaves = st.one_of(
    st.builds(lambda n: helper.make_attribute("t", tensor("x", n)), sizes),
    st.builds(lambda n: helper.make_attribute("ts", [tensor("x", n), tensor("y", 2 * n)]), sizes),
    st.builds(lambda n: helper.make_attribute("sp", sparse(n)), sizes),
    st.builds(lambda n: helper.make_attribute("s", "z" * n * 4), sizes),
    st.builds(lambda n: helper.make_attribute("is", list(range(-n, 0))), sizes),
    st.builds(lambda n: helper.make_attribute("fs", [0.5] * n), sizes),
)
graphs = st.recursive(
    st.builds(
        graph, st.lists(leaves, max_size=3), st.lists(st.builds(tensor, st.just("w"), sizes), max_size=2)
    ),
    lambda inner: st.builds(
        lambda bodies, attributes: graph(
            [
                *attributes,
                *(helper.make_attribute("g", body) for body in bodies),
                helper.make_attribute("gs", bodies),
            ],
            [],
        ),
        st.lists(inner, min_size=1, max_size=2),
        st.lists(leaves, max_size=2),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(graphs)
def test_with_the_data_put_back_the_model_is_the_original(made: GraphProto) -> None:
    model = helper.make_model(made)
    assert restored(model.SerializeToString()) == model


@pytest.mark.parametrize("floats", [1025, 1_000_000])
def test_what_protobuf_parses_does_not_grow_with_the_weights(floats: int) -> None:
    model = helper.make_model(graph([], [tensor("w", floats)]))
    assert skimmed(model.SerializeToString())[0].ByteSize() < 400


def test_tensors_in_function_bodies_and_training_graphs_are_taken_out_too() -> None:
    node = helper.make_node("Constant", [], ["c"], value=tensor("x", 5000))
    function = helper.make_function("d", "f", [], ["c"], [node], [helper.make_opsetid("", 20)])
    model = helper.make_model(graph([], []), functions=[function])
    model.training_info.add().algorithm.CopyFrom(graph([], [tensor("w", 5000)]))
    slim, marker = skimmed(model.SerializeToString())
    for left in (slim.functions[0].node[0].attribute[0].t, slim.training_info[0].algorithm.initializer[0]):
        assert left.external_data[0].value == marker
        assert not left.raw_data


def test_packed_floats_are_left_in_the_file_like_raw_data() -> None:
    large = helper.make_tensor("w", TensorProto.FLOAT, [2000], np.arange(2000.0))
    slim, _ = skimmed(helper.make_model(graph([], [large])).SerializeToString())
    assert {e.key: e.value for e in slim.graph.initializer[0].external_data}["field"] == "float_data"


def test_two_models_never_share_a_marker() -> None:
    data = helper.make_model(graph([], [])).SerializeToString()
    assert skimmed(data)[1] != skimmed(data)[1]


def test_a_graph_without_anything_is_still_there() -> None:
    assert skimmed(b"\x3a\x00")[0].HasField("graph")
    assert not skimmed(b"\x08\x0a")[0].HasField("graph")


def test_every_cut_of_a_model_is_an_error_or_parses_as_protobuf_would() -> None:
    data = helper.make_model(graph([helper.make_attribute("t", tensor("x", 1100))], [])).SerializeToString()
    graph_starts = data.index(b"\x3a")
    for end in range(graph_starts + 1, len(data), 7):
        with pytest.raises(ModelError):
            skimmed(data[:end])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 5000), st.binary(max_size=4))
def test_bytes_overwritten_anywhere_give_what_protobuf_gives_or_one_line(
    noise: bytes, at: int, more: bytes
) -> None:
    attribute = helper.make_attribute("t", tensor("x", 1100))
    data = bytearray(helper.make_model(graph([attribute], [])).SerializeToString())
    at %= len(data)
    data[at : at + len(noise)] = noise + more
    try:
        model = restored(bytes(data))
    except ModelError as error:
        line = str(error)
    else:
        line = ""
        assert model == ModelProto.FromString(bytes(data))
    assert "\n" not in line


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def nested(count: int, *path: int) -> bytes:
    body = b""
    for _ in range(count):
        for number in reversed(path):
            body = field(number, body)
    return body


DAMAGE = [
    pytest.param(b"\xff" * 30, id="endless-varint"),
    pytest.param(b"\x3a\xff\xff\xff\xff\x0f" + b"x" * 99, id="length-2^32-1"),
    pytest.param(b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", id="length-2^64-1"),
    pytest.param(b"\x3a", id="tag-alone"),
    pytest.param(b"\x3a\x80", id="half-a-length"),
    pytest.param(b"\x09\x00\x00", id="half-a-fixed64"),
    pytest.param(b"\x0d\x00", id="half-a-fixed32"),
    pytest.param(b"\x0b\x0c", id="group"),
    pytest.param(b"\x0e\x0c", id="wire-type-6"),
    pytest.param(bytes(10_000), id="zeros"),
    pytest.param(b"\x02\x01x", id="field-0"),
    pytest.param(field(7, field(1, b"\x00" * 5000)), id="zeros-in-a-node"),
    pytest.param(field(7, field(1, field(4, b"Relu") + b"\x0b")), id="group-in-a-small-node"),
]


@pytest.mark.parametrize("data", DAMAGE)
def test_bytes_that_are_no_message_are_an_error(data: bytes) -> None:
    with pytest.raises(ModelError, match="fetch or export it again"):
        skimmed(data)


NESTED = [
    pytest.param(field(7, nested(2000, 1, 5, 6)), id="2000-attribute-graphs"),
    pytest.param(field(7, field(11, field(2, nested(3000, 4, 1)))), id="3000-sequence-types"),
    pytest.param(field(7, nested(40, 1, 5, 6)), id="40-small-graphs"),
    pytest.param(field(7, nested(2000, 1, 5, 11)), id="graph-lists"),
    pytest.param(field(20, field(1, nested(2000, 1, 5, 6))), id="in-training"),
    pytest.param(field(25, field(7, field(5, field(6, nested(2000, 1, 5, 6))))), id="in-a-function"),
]


@pytest.mark.parametrize("data", NESTED)
def test_messages_nested_without_end_are_an_error(data: bytes) -> None:
    with pytest.raises(ModelError, match="nested more than 100 deep"):
        skimmed(data)


SMALL_NUMBERS = b"\1" * 9000
LIMITED = [
    pytest.param(field(7, b"\x0a\x00" * 3000), "fields", 2000, id="empty-nodes"),
    pytest.param(b"\x3a\x00" * 3000, "fields", 2000, id="empty-graphs"),
    pytest.param(field(7, field(10, b"x" * 9000)), "message_bytes", 8000, id="doc-string"),
    pytest.param(b"\x08\x01" * 9000, "message_bytes", 8000, id="numbers"),
    pytest.param(field(7, field(13, b"x" * 9000)), "part_bytes", 8000, id="value-info"),
    pytest.param(field(7, field(5, field(7, SMALL_NUMBERS))), "typed_bytes", 8000, id="int64-data"),
    pytest.param(
        field(7, field(5, b"\x08\1" * 9000 + field(9, b"x" * 5000))), "typed_bytes", 8000, id="dims"
    ),
    pytest.param(field(7, field(1, field(5, field(8, SMALL_NUMBERS)))), "typed_bytes", 8000, id="ints"),
    pytest.param(field(7, field(1, field(5, b"\x40\1" * 900_000))), "typed_bytes", 8000, id="unpacked-ints"),
]


@pytest.mark.parametrize(("data", "name", "limit"), LIMITED)
def test_each_limit_stops_what_is_over_it_and_is_named(data: bytes, name: str, limit: int) -> None:
    with pytest.raises(LimitError, match=f"--limit {name}=N"):
        skimmed(data, Limits(**{name: limit}))


@pytest.mark.parametrize("path", [(), (1, 5, 6), (1, 5, 11)], ids=["main-graph", "body", "body-in-a-list"])
def test_small_messages_that_grow_when_parsed_stop_at_the_memory_limit(path: tuple[int, ...]) -> None:
    nodes = field(1, b"\x2a\x00" * 2000) * 2000
    for number in reversed(path):
        nodes = field(number, nodes)
    with pytest.raises(LimitError, match="--limit memory_bytes=N"):
        skimmed(field(7, nodes), Limits(memory_bytes=64 << 20))


def test_data_twice_in_one_tensor_is_an_error() -> None:
    twice = field(9, b"x" * 5000) * 2
    with pytest.raises(ModelError, match="holds its data twice"):
        skimmed(field(7, field(5, twice)))


def test_data_of_its_own_beside_external_data_is_an_error_that_names_the_tensor() -> None:
    both = tensor("w", 5000)
    both.external_data.add(key="location", value="w.bin")
    with pytest.raises(ModelError, match=re.escape("tensor 'w' has data of its own and external data too")):
        skimmed(helper.make_model(graph([], [both])).SerializeToString())


def test_a_name_that_is_not_utf8_survives_taking_the_data_out() -> None:
    bad = field(8, b"\xff\xfe") + field(9, b"x" * 5000)
    slim, _ = skimmed(field(7, field(5, bad)))
    assert slim.graph.initializer[0].name == b"\xff\xfe"


def test_a_chain_of_many_small_nodes_is_read_whole() -> None:
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(30_000)]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    assert skimmed(model.SerializeToString())[0] == model
