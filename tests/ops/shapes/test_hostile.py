"""Shape rules on arbitrary calls: a shape, or a reason."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nnea_graph.graph import DTYPES, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.shape_rules import SHAPE_RULES

DOMAINS = ("", MICROSOFT, "com.microsoft.nchwc", "ai.onnx.ml")
OPERATORS = [(domain, op) for domain in DOMAINS for op in sorted(SHAPE_RULES.claimed(domain))]
DIMS = st.one_of(st.integers(0, 9), st.sampled_from([2**62, "n", "m", None]))
SHAPES = st.one_of(st.none(), st.lists(DIMS, max_size=5).map(tuple))
INFOS = st.one_of(
    st.none(), st.builds(TensorInfo, st.sampled_from([None, DTYPES[1], DTYPES[2], DTYPES[7]]), SHAPES)
)
NUMBERS = st.one_of(st.integers(-2, 4), st.sampled_from([-(2**63), 2**62]))
NAMES = [
    "N",
    "K",
    "num_heads",
    "kv_num_heads",
    "q_num_heads",
    "axis",
    "axes",
    "keepdims",
    "strides",
    "pads",
    "dilations",
    "kernel_shape",
    "group",
    "auto_pad",
    "scales",
    "channels",
    "bits",
    "gather_axis",
    "size",
    "step",
    "dim",
    "to",
    "dtype",
    "block_size",
    "qkv_hidden_sizes",
    "hidden_size",
    "direction",
    "output_padding",
    "signal_ndim",
    "vocab_size",
    "transA",
    "transB",
    "transBatchA",
    "Nq",
    "Nkv",
    "order_B",
    "state_window",
]
ATTRIBUTES = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(NUMBERS, st.lists(NUMBERS, max_size=4), st.sampled_from([b"SAME_UPPER", "VALID", 0.5, "x"])),
    max_size=6,
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(OPERATORS), st.lists(INFOS, max_size=9), st.integers(0, 4), ATTRIBUTES)
def test_no_call_ends_in_anything_but_shapes_or_a_reason(
    operator: tuple[str, str], inputs: list[TensorInfo | None], outputs: int, attributes: dict[str, Any]
) -> None:
    domain, op = operator
    rule = SHAPE_RULES.get(op, domain)
    assert rule is not None
    try:
        infos = rule(OpCall(op, tuple(inputs), (TensorInfo(None, None),) * outputs, attributes, (), domain))
    except (BadCallError, UnknownFactError) as reason:
        infos, message = [], str(reason)
    else:
        message = ""
    assert "\n" not in message
    assert message or len(infos) == (outputs or len(infos))
    dims = [dim for info in infos for dim in info.shape or ()]
    assert all(dim is None or isinstance(dim, str) or (isinstance(dim, int) and dim >= 0) for dim in dims)
