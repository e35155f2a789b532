"""Attention as one operator: how many heads there are, and the scale that went by their size."""

from __future__ import annotations

import numpy as np

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.surgery.edit import Edit, edit


@edit("Attention")
def attention(change: Edit) -> None:
    """Heads that lie side by side are counted in attributes."""
    query, key = change.node.inputs[:2]
    if len(change.dims(query)) == 3:
        heads = _counted(change, "q_num_heads", query)
        _counted(change, "kv_num_heads", key)
        _scaled(change, query, heads)
    else:
        _scaled(change, query, (1, 1))


@edit("MultiHeadAttention", domain=MICROSOFT)
def multi_head(change: Edit) -> None:
    """Packed queries have an axis for the heads."""
    query = change.node.inputs[0]
    if len(change.dims(query)) == 5:
        change.set_attribute("num_heads", change.length(query, 2))
        _scaled(change, query, (1, 1))
    else:
        _scaled(change, query, _counted(change, "num_heads", query))


@edit("GroupQueryAttention", domain=MICROSOFT)
def group_query(change: Edit) -> None:
    """Both numbers of heads; packed behind the queries are keys and values."""
    queries, groups = (int(change.node.attributes[name]) for name in ("num_heads", "kv_num_heads"))
    query, key = (*change.node.inputs, "")[:2]
    if key:
        _counted(change, "num_heads", query)
        _counted(change, "kv_num_heads", key)
        return
    size = (change.dims(query)[2] or 0) // (queries + 2 * groups)
    left = np.unique(change.stay(query, 2) // size)
    change.set_attribute("num_heads", int((left < queries).sum()))
    change.set_attribute("kv_num_heads", int((left >= queries + groups).sum()))


@edit("Attention", "QAttention", domain=MICROSOFT)
def projected(change: Edit) -> None:
    """Heads are counted among the columns of the weight; values may be of another size than queries and keys."""
    count, weight = int(change.node.attributes["num_heads"]), change.node.inputs[1]
    width = change.dims(weight)[1] or 0
    listed = [int(size) for size in change.node.attributes.get("qkv_hidden_sizes") or [width // 3] * 3]
    starts = np.cumsum([0, *listed])
    stay = [change.stay(weight, 1) - start for start in starts[:3]]
    stay = [each[(each >= 0) & (each < length)] for each, length in zip(stay, listed, strict=True)]
    sizes = [len(each) for each in stay]
    heads = len(np.unique(stay[0] // (listed[0] // count)))
    change.set_attribute("num_heads", heads)
    if "qkv_hidden_sizes" in change.node.attributes or len(set(sizes)) > 1:
        change.set_attribute("qkv_hidden_sizes", sizes)
    _keep_scale(change, listed[0] // count, sizes[0] // heads)


@edit("RotaryEmbedding")
@edit("RotaryEmbedding", domain=MICROSOFT)
def rotary(change: Edit) -> None:
    """The number of heads, where it is told, and how many of their numbers are turned."""
    name = change.node.inputs[0]
    heads = _counted(change, "num_heads", name) if change.node.attributes.get("num_heads", 0) else (1, 1)
    flat = len(change.dims(name)) == 3
    size = (change.dims(name)[-1] or 0) // (heads[0] if flat else 1)
    left = change.length(name, -1) // (heads[1] if flat else 1)
    if left < size and change.node.attributes.get("rotary_embedding_dim", 0):
        change.set_attribute("rotary_embedding_dim", left)


def _counted(change: Edit, attribute: str, name: str) -> tuple[int, int]:
    """Set how many heads are left, of those in the last of three axes or in one of four; gives before and after."""
    before = int(change.node.attributes[attribute])
    if len(change.dims(name)) == 4:
        after = change.length(name, 1)
    else:
        size = (change.dims(name)[-1] or 0) // before
        after = len(np.unique(change.stay(name, -1) // size))
    change.set_attribute(attribute, after)
    return before, after


def _scaled(change: Edit, query: str, heads: tuple[int, int]) -> None:
    _keep_scale(change, (change.dims(query)[-1] or 0) // heads[0], change.length(query, -1) // heads[1])


def _keep_scale(change: Edit, before: int, after: int) -> None:
    """The scale is that of the size before, where it is not told anyway."""
    if before != after and not change.node.attributes.get("scale", 0.0):
        change.set_attribute("scale", float(before) ** -0.5)
