"""Which operators the cost rules claim: all of the standard, and all of onnxruntime's but a list."""

from __future__ import annotations

import onnx
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from nnea_graph.ops.cost_rules import COST_RULES
from nnea_graph.ops.registry import MICROSOFT

NOT_STATED = {
    "AttnLSTM": "an attention wrapper whose steps no schema states",
    "BeamSearch": "generates until data says stop",
    "DequantizeBFP": "a block format of one device",
    "EPContext": "compiled for one device",
    "GatedDeltaNetStateReplay": "sizes are values of a control tensor",
    "GreedySearch": "generates until data says stop",
    "Mamba2Verify": "a fusion for one model, sizes fixed by its kernel",
    "NGramHashMapping": "integer hashing by values",
    "PackedSparseAttentionIndexer": "scores by values of control tensors",
    "PackedSparseAttentionIndexerMerge": "merges by values",
    "QuantizeBFP": "a block format of one device",
    "Sampling": "generates until data says stop",
    "Snpe": "compiled for one device",
    "SparseAttentionIndexer": "scores by values of control tensors",
    "VarlenNGramHashMapping": "integer hashing by values",
    "WhisperBeamSearch": "generates until data says stop",
}
"""Operators of com.microsoft that stay unknown, and why."""


def test_every_operator_of_onnx_is_claimed() -> None:
    schemas = onnx.defs.get_all_schemas_with_history()
    operators = {(schema.domain, schema.name) for schema in schemas}
    missing = sorted(f"{domain}::{name}" for domain, name in operators if not COST_RULES.get(name, domain))
    assert not missing


def test_every_operator_of_onnxruntime_is_claimed_or_listed_as_unknown() -> None:
    operators = {schema.name for schema in get_all_operator_schema() if schema.domain == MICROSOFT}
    assert operators - COST_RULES.claimed(MICROSOFT) == set(NOT_STATED)


def test_operators_of_the_blocked_layout_are_claimed() -> None:
    domain = "com.microsoft.nchwc"
    operators = {schema.name for schema in get_all_operator_schema() if schema.domain == domain}
    assert operators == COST_RULES.claimed(domain)


def test_exported_contrib_operators_of_the_main_domain_are_claimed() -> None:
    assert {
        "SimplifiedLayerNormalization",
        "MemcpyFromHost",
        "Affine",
        "ScaledTanh",
    } <= COST_RULES.claimed()
