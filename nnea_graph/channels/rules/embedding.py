"""Embeddings by other operators than Gather."""

from __future__ import annotations

from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import channels
from nnea_graph.channels.rules.indexing import embed
from nnea_graph.ops.registry import MICROSOFT


@channels("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(site: OpContext) -> None:
    """The sum of words, positions and segments, normalized: channels begin."""
    embed(site, 0, table=2, ids=0)


@channels("GatherBlockQuantized", domain=MICROSOFT)
def gather_block_quantized(site: OpContext) -> None:
    """A table that is unpacked by row."""
    embed(site, int(site.call.attr("gather_axis", 0)))
