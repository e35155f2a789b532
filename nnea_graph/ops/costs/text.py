"""Operators on strings and tokens: they compare and count, no arithmetic worth a FLOP, unless stated."""

from __future__ import annotations

from nnea_graph.ops.attribute_checks import need, numbers
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, elementwise, free, work
from nnea_graph.ops.registry import MICROSOFT

free("handles text", "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit")
free("handles text", "Tokenizer", domain=MICROSOFT)
free("compares tokens", "BifurcationDetector", "SpeculativePrefixCommit", domain=MICROSOFT)
# A 32-bit key: block of 3 multiplies, 2 rotations, xor, add; finish of 2 multiplies, 4 xors, 3 shifts.
elementwise(16, "MurmurHash3", domain=MICROSOFT)


@work("TfIdfVectorizer")
def tfidf(call: OpCall) -> OperatorCost:
    """Every n-gram of every length and gap adds one to its count; weights multiply the counts."""
    shape = call.shape(0)
    need(len(shape) in {1, 2}, f"input 0 has rank {len(shape)}, not 1 or 2")
    longest, skips = call.attr("max_gram_length", 1), call.attr("max_skip_count", 0)
    for name, found in (("max_gram_length", longest), ("max_skip_count", skips)):
        need(isinstance(found, int) and found >= 0, f"attribute {name} is {found!r:.60}")
    counted = call.size(0) * longest * (skips + 1)
    weighted = call.out_size() if numbers(call, "weights") else 0
    return OperatorCost(
        other_flops=counted + weighted, estimate="which n-grams are in the text is data: all count"
    )
