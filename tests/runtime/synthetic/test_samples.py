from __future__ import annotations

from typing import Any

import numpy as np
import onnx.parser
import pytest
from oracles.data_inputs import read, sizes

from nnea_graph.api.analyze import load
from nnea_graph.engine.data import Batch
from nnea_graph.errors import DataError, UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.synthetic.samples import SyntheticData, synthetic_data
from nnea_graph.static.dims import Dims, bound, symbolic_inputs
from nnea_graph.static.propagation import infer


def graph_of(text: str) -> ModelGraph:
    """The graph of a model "m (inputs) => (outputs) <constants> { operators }"."""
    return load(
        onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]> {text}')
    )


def made(graph: ModelGraph, samples: int = 8, seed: int = 0, **sizes_of_symbols: int) -> SyntheticData:
    """At 6 for every symbol but those said, and 1 for the batch."""
    symbolic = symbolic_inputs(graph)
    symbols = {dim for info in symbolic.values() for dim in info.shape or () if isinstance(dim, str)}
    values = dict.fromkeys(symbols, 6) | {"batch": 1} | sizes_of_symbols
    found = {name: bound(info, values) for name, info in symbolic.items()}
    types = infer(graph, Dims(values, (), found, symbolic)).types
    return synthetic_data(graph, found, samples=samples, seed=seed, types=types)


def feed(graph: ModelGraph, name: str, **options: int) -> Any:
    (batch,) = read(made(graph, **options), 8)
    return batch.feeds[name]


INDEXING = [
    pytest.param("out = Gather(table, ids)", 5, id="gather"),
    pytest.param("c = Cast<to=7>(ids) out = Gather(table, c)", 5, id="through-cast"),
    pytest.param("a = Unsqueeze(ids, one) b = Squeeze(a, one) out = Gather(table, b)", 5, id="through-axes"),
    pytest.param("a = Transpose(ids) b = Slice(a, one, two) out = Gather(table, b)", 5, id="through-slice"),
    pytest.param("out = Gather<axis=1>(table, ids)", 3, id="other-axis"),
    pytest.param("t = Transpose(table) out = Gather(t, ids)", 3, id="table-by-types"),
    pytest.param(
        "a = Gather(table, ids) b = Gather<axis=1>(table, ids) out = Concat<axis=0>(a, b)", 3, id="smallest"
    ),
    pytest.param("out = OneHot(ids, depth, values)", 7, id="one-hot"),
    pytest.param("u = Unsqueeze(ids, two) out = Equal(u, classes)", 4, id="one-hot-by-equal"),
    pytest.param(
        "yes = Cast<to=9>(one) out = If(yes) <then_branch = t () => (a) { a = Gather(table, ids) },"
        " else_branch = e () => (b) { b = Gather(table, ids) }>",
        5,
        id="in-branches",
    ),
    pytest.param(
        "yes = Cast<to=9>(one) out = Loop(trips, yes, ids) <body = b (int64 i, bool go, int64[n, t] carried)"
        " => (go2, next) { go2 = Identity(go) g = Gather(table, carried) s = ReduceSum<keepdims=0>(g, two)"
        " next = Cast<to=7>(s) }>",
        5,
        id="in-a-loop",
    ),
]
CONSTANTS = (
    "float[5, 3] table = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}, int64[1] one = {1}, int64[1] two = {2},"
    "int64 trips = {3}, int64 depth = {7}, int64[2] values = {0, 1}, int64[1, 4] classes = {0, 1, 2, 3}"
)


@pytest.mark.parametrize(("body", "rows"), INDEXING)
def test_token_ids_use_all_rows_of_the_table_and_no_more(body: str, rows: int) -> None:
    graph = graph_of(f"m (int64[batch, 200] ids) => (float[] out)<{CONSTANTS}> {{ {body} }}")
    ids = feed(graph, "ids")
    assert ids.dtype == np.int64
    assert (ids.min(), ids.max()) == (0, rows - 1)


def test_ids_of_a_float_input_are_whole_numbers_below_the_rows() -> None:
    graph = graph_of(
        "m (float[batch, 200] ids) => (float[] out)"
        f"<{CONSTANTS}> {{ c = Cast<to=6>(ids) out = Gather(table, c) }}"
    )
    ids = feed(graph, "ids")
    assert ids.dtype == np.float32
    assert set(np.unique(ids)) == {0, 1, 2, 3, 4}


def test_ids_into_what_nobody_knows_the_size_of_are_0() -> None:
    graph = graph_of(
        "m (int64[batch, 9] ids, float[rows, 2] table)"
        " => (float[] out) { s = NonZero(table) out = Gather<axis=1>(s, ids) }"
    )
    assert not feed(graph, "ids").any()


EMBED = (
    "float[9, 4] words = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0},"
    "float[8, 4] places = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0},"
    "float[2, 4] kinds = {0,0,0,0,0,0,0,0}, float[4] g = {1,1,1,1}, float[4] b = {0,0,0,0}"
)


def test_embed_layer_normalization_has_a_table_for_tokens_and_one_for_their_kinds() -> None:
    graph = graph_of(
        f"m (int32[batch, 50] ids, int32[batch, 50] kind_ids) => (float[] out) <{EMBED}>"
        "{ out, m = com.microsoft.EmbedLayerNormalization(ids, kind_ids, words, places, kinds, g, b) }"
    )
    (batch,) = read(made(graph), 8)
    assert batch.feeds["ids"].max() == 8
    assert set(np.unique(batch.feeds["kind_ids"])) == {0, 1}


MASKS = [
    pytest.param("bool[batch, t] keep", "out = Where(keep, scores, low)", 1, id="kept-where-true"),
    pytest.param("bool[batch, t] pad_mask", "out = Where(pad_mask, low, scores)", 0, id="masked-where-true"),
    pytest.param("bool[batch, t] m", "n = Not(m) out = Where(n, low, scores)", 1, id="masked-where-false"),
    pytest.param(
        "int64[batch, t] mask",
        "c = Cast<to=9>(mask) n = Not(c) out = Where(n, low, scores)",
        1,
        id="int-mask",
    ),
    pytest.param(
        "bool[batch, t] pad",
        "n = Not(pad) f = Cast<to=1>(n) out = Mul(scores, f)",
        0,
        id="weighed-where-false",
    ),
    pytest.param("float[batch, t] mask", "out = Mul(scores, mask)", 1, id="float-weighing"),
    pytest.param("float[batch, t] attn_mask", "out = Add(scores, attn_mask)", 0, id="float-added"),
    pytest.param(
        "int64[batch, t] attention_mask",
        "f = Cast<to=1>(attention_mask) s = Sub(one, f) m = Mul(s, low) out = Add(scores, m)",
        1,
        id="as-bert-does",
    ),
    pytest.param("bool[batch, t] flag", "f = Cast<to=1>(flag) out = Add(scores, f)", 1, id="no-sign"),
]


@pytest.mark.parametrize(("signature", "body", "value"), MASKS)
def test_a_mask_lets_everything_through(signature: str, body: str, value: int) -> None:
    graph = graph_of(
        f"m ({signature}) => (float[] out)"
        f"<float[6] scores = {{1,2,3,4,5,6}}, float low = {{-10000}}, float one = {{1}}> {{ {body} }}"
    )
    mask = feed(graph, signature.rsplit(maxsplit=1)[-1])
    assert (mask == value).all()


LSTM = (
    "m (float[5, batch, 2] x, int32[batch] n, float[1, batch, 1] a,"
    " float[1, batch, 1] b) => (float[] out) <float[1, 4, 2] w = {1,2,3,4,5,6,7,8}, float[1, 4, 1] r = {1,2,3,4}>"
    '{ out = LSTM<hidden_size = 1>(x, w, r, "", n, a, b) }'
)


def test_a_recurrent_state_is_0_and_its_length_that_of_the_sequence() -> None:
    (batch,) = read(made(graph_of(LSTM)), 8)
    assert not batch.feeds["a"].any()
    assert not batch.feeds["b"].any()
    assert batch.feeds["n"].tolist() == [5] * 8
    assert batch.feeds["x"].std() > 0.5


@pytest.mark.parametrize(
    "name",
    ["h0", "c_0", "hidden", "state", "past_key_values.0.key", "decoder/cache", "cell_state", "mems", "h"],
)
def test_what_is_named_a_state_is_0(name: str) -> None:
    assert not feed(_passing("float", "[batch, 2, t, 4]", name), name).any()


@pytest.mark.parametrize(
    "name", ["encoder_hidden_states", "last_hidden_state", "x", "statement", "ch", "pastry"]
)
def test_what_only_sounds_like_a_state_is_not(name: str) -> None:
    assert feed(_passing("float", "[batch, 2, t, 7]", name), name).std() > 0.1


def _passing(kind: str, dims: str, name: str) -> ModelGraph:
    """A model that hands its input on."""
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 20]> m ({kind}{dims} x) => ({kind}[] out) {{ out = Identity(x) }}'
    )
    model.graph.input[0].name = name
    model.graph.node[0].input[0] = name
    return load(model)


@pytest.mark.parametrize(
    "dims", ["[batch, 3, 64, 48]", "[batch, 64, 48, 3]", "[batch, 1, 64, 48]", "[batch, 64, 48, 4]"]
)
def test_images_are_in_0_to_1_and_smooth(dims: str) -> None:
    image = feed(_passing("float", dims, "x"), "x")
    height, width = (1, 2) if dims.endswith(("3]", "4]")) else (2, 3)
    assert 0 <= image.min() < 0.3
    assert 0.7 < image.max() <= 1
    assert image.dtype == np.float32
    for axis in (height, width):
        assert np.abs(np.diff(image, axis=axis)).mean() < 0.4 * image.std()
        far = np.abs(np.take(image, range(32, 48), axis) - np.take(image, range(16), axis)).mean()
        assert far > 0.8 * image.std()


def test_images_of_bytes_reach_from_0_to_255() -> None:
    image = feed(_passing("uint8", "[batch, 64, 64, 3]", "x"), "x")
    assert image.min() < 60
    assert image.max() > 190


@pytest.mark.parametrize(
    ("dims", "name"), [("[batch, 16000]", "x"), ("[batch, t]", "waveform"), ("[batch, 1, 8000]", "x")]
)
def test_sound_is_quiet(dims: str, name: str) -> None:
    sound = feed(_passing("float", dims, name), name, t=200)
    assert 0.05 < sound.std() < 0.15


@pytest.mark.parametrize("kind", ["int64", "float"])
@pytest.mark.parametrize("name", ["sr", "sample_rate", "sampling_rate"])
def test_a_sampling_rate_is_16000(kind: str, name: str) -> None:
    for batch in read(made(_passing(kind, "[1]", name))):
        assert batch.feeds[name].tolist() == [16000]


def test_positions_count() -> None:
    positions = feed(_passing("int64", "[batch, 5]", "position_ids"), "position_ids")
    assert positions.tolist() == [[0, 1, 2, 3, 4]] * 8


@pytest.mark.parametrize("kind", ["int64", "uint8", "int8", "int32"])
def test_other_whole_numbers_are_small_and_not_negative(kind: str) -> None:
    values = feed(_passing(kind, "[batch, 50]", "x"), "x")
    assert (values.min(), values.max()) == (0, 7)
    assert str(values.dtype) == kind


def test_strings_are_text() -> None:
    assert feed(_passing("string", "[batch, 2]", "x"), "x").tolist() == [["a", "a"]] * 8


def test_other_numbers_are_standard_normal() -> None:
    values = feed(_passing("float", "[batch, 500]", "x"), "x")
    assert abs(values.mean()) < 0.1
    assert abs(values.std() - 1) < 0.1


def _all(data: SyntheticData, size: int, name: str) -> Any:
    return np.concatenate([batch.feeds[name] for batch in data.batches(size)])


def test_samples_do_not_depend_on_the_batch_but_on_the_seed() -> None:
    graph = _passing("float", "[batch, 3, 16, 16]", "x")
    whole = _all(made(graph), 8, "x")
    for size in (1, 3, 64):
        np.testing.assert_array_equal(_all(made(graph), size, "x"), whole)
    assert len({sample.tobytes() for sample in whole}) == 8
    assert (_all(made(graph, seed=1), 8, "x") != whole).mean() > 0.9
    np.testing.assert_array_equal(_all(made(graph, samples=3), 8, "x"), whole[:3])


def test_it_says_that_it_is_made_up() -> None:
    data = made(_passing("float", "[batch, 3]", "x"), seed=7)
    assert (data.source, data.synthetic, data.labeled, data.samples) == (
        "synthetic (seed 7)",
        True,
        False,
        8,
    )
    assert data.shapes() == {"x": (1, 3)}


@pytest.mark.parametrize(
    ("dims", "samples", "runs"),
    [
        pytest.param("[batch, 2]", 8, [3, 3, 2], id="batch-axis"),
        pytest.param("[1, 2]", 8, [1] * 8, id="fixed-to-1"),
        pytest.param("[3, 2]", 9, [3] * 3, id="fixed-to-3-rounded-up"),
        pytest.param("[t, 2]", 8, [1] * 8, id="no-batch-axis"),
    ],
)
def test_runs_are_as_the_model_takes_them(dims: str, samples: int, runs: list[int]) -> None:
    data = made(_passing("float", dims, "x"))
    assert data.samples == samples
    assert sizes(data, 3) == runs
    first: Batch
    first, *rest = read(data, 3)
    assert not any(np.array_equal(first.feeds["x"], batch.feeds["x"]) for batch in rest)


def test_what_all_samples_share_does_not_depend_on_the_batch() -> None:
    graph = graph_of("m (float[batch, 4] x, float[4] w) => (float[] out){ out = Mul(x, w) }")
    weights = [batch.feeds["w"] for batch in made(graph).batches(3)]
    assert len(weights) == 3
    assert all(np.array_equal(weights[0], each) for each in weights)


def test_an_input_of_unknown_shape_asks_for_one() -> None:
    graph = _passing("float", "[batch, t]", "x")
    with pytest.raises(DataError, match=r"input 'x' has no known shape.*--input-shape x:… or --data"):
        synthetic_data(graph, symbolic_inputs(graph))


def test_no_samples_and_no_batch_are_usage_errors() -> None:
    graph = _passing("float", "[batch, 3]", "x")
    with pytest.raises(UsageError, match="--samples 0"):
        made(graph, samples=0)
    with pytest.raises(UsageError, match="--batch-size 0"):
        read(made(graph), 0)
