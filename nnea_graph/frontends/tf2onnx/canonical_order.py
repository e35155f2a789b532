"""One order of a graph's operators, given by its structure alone, and one place for its constants."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, NodeProto


def put_in_order(graph: GraphProto) -> None:
    """Sort the operators of a graph and its bodies: each after what it reads, as the outputs ask for them.

    What no output asks for is left out.
    """
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    kept: dict[int, NodeProto] = {}
    waiting: list[tuple[str, bool]] = [(value.name, False) for value in reversed(graph.output)]
    while waiting:
        name, ready = waiting.pop()
        place = makers.get(name)
        if place is None or place in kept:
            continue
        node = graph.node[place]
        if ready:
            kept[place] = node
            continue
        waiting.append((name, True))
        waiting += [(read, False) for read in reversed([*node.input, *outer_reads(node)])]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in kept.values()]
    for node in copies:
        for attribute in node.attribute:
            for body in bodies_of(attribute):
                put_in_order(body)
    del graph.node[:]
    graph.node.extend(copies)


def outer_reads(node: NodeProto) -> Iterator[str]:
    """Tensors that the bodies of an operator read from around them."""
    for attribute in node.attribute:
        for body in bodies_of(attribute):
            own = defined(body)
            reads = [name for inner in body.node for name in (*inner.input, *outer_reads(inner))]
            reads += [value.name for value in body.output]
            yield from dict.fromkeys(name for name in reads if name and name not in own)


def defined(body: GraphProto) -> set[str]:
    """The tensors of a body that are its own."""
    made = {name for node in body.node for name in node.output}
    return made | {value.name for value in (*body.input, *body.initializer)}


def hoist(graph: GraphProto) -> None:
    """Store the constants of bodies in the graph around them; every name must be there once."""
    for node in graph.node:
        for attribute in node.attribute:
            for body in bodies_of(attribute):
                hoist(body)
                graph.initializer.extend(body.initializer)
                del body.initializer[:]


def bodies_of(attribute: AttributeProto) -> Iterator[GraphProto]:
    """The graphs that an attribute holds."""
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs
