"""Vision transformers and the BERT-base encoder, with attention written out as products and softmax."""

from __future__ import annotations

from onnx import ModelProto
from oracles.builder import Net


def vit(patch: int, width: int, layers: int, heads: int) -> ModelProto:
    """As torchvision builds it at 1x3x224x224: class token, pre-normalization, head on the class token."""
    net = Net()
    tokens = (224 // patch) ** 2
    x = net.conv(net.input("x", 1, 3, 224, 224), (3, width), patch, stride=patch, bias=True)
    x = net.op("Transpose", net.op("Reshape", x, net.ints(1, width, tokens)), perm=[0, 2, 1])
    x = net.op("Concat", net.weight(1, 1, width), x, axis=1)
    x = net.op("Add", x, net.weight(1, tokens + 1, width))
    for _ in range(layers):
        x = net.op("Add", x, _attention(net, net.layer_norm(x, width), width, heads))
        x = net.op("Add", x, _mlp(net, net.layer_norm(x, width), width))
    first = net.op("Gather", net.layer_norm(x, width), net.constant(0), axis=1)
    return net.model(net.dense(first, width, 1000))


def bert_base() -> ModelProto:
    """The encoder alone, post-normalization; batch and length are symbols."""
    net = Net()
    x = net.input("hidden_states", "batch", "sequence", 768)
    for _ in range(12):
        x = net.layer_norm(net.op("Add", x, _attention(net, x, 768, 12)), 768)
        x = net.layer_norm(net.op("Add", x, _mlp(net, x, 768)), 768)
    return net.model(x)


def _attention(net: Net, x: str, width: int, heads: int) -> str:
    query, key, value = (_heads(net, net.linear(x, width, width), heads, width // heads) for _ in range(3))
    scores = net.op("MatMul", query, net.op("Transpose", key, perm=[0, 1, 3, 2]))
    mixed = net.op("MatMul", net.op("Softmax", scores, axis=-1), value)
    joined = net.op("Reshape", net.op("Transpose", mixed, perm=[0, 2, 1, 3]), net.ints(0, 0, width))
    return net.linear(joined, width, width)


def _heads(net: Net, x: str, heads: int, size: int) -> str:
    return net.op("Transpose", net.op("Reshape", x, net.ints(0, 0, heads, size)), perm=[0, 2, 1, 3])


def _mlp(net: Net, x: str, width: int) -> str:
    return net.linear(net.op("Gelu", net.linear(x, width, 4 * width)), 4 * width, width)
