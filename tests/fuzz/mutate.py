"""One change of a model at the level of its structure: what protobuf reads, onnx's checker may refuse."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, defs, helper

INTEGERS = (0, 1, -1, 2, 3, 7, 8, 64, -2, 255, 1 << 20, 1 << 31, -(1 << 31), (1 << 62) + 1, -(1 << 62))
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    "x",
    "y",
    "NOTSET",
    "SAME_UPPER",
    "<script>",
    "a\nb",
    "\u202e",
    "%s{0}",
    "n" * 3000,
    "/a/b",
    "ij,jk->ik",
)
TYPES = (*range(30), 99)

Mutation = Callable[[ModelProto, Random], None]


def mutant(base: ModelProto, seed: str) -> ModelProto:
    """One to four changes of a copy; the same for the same seed."""
    random = Random(seed)
    made = ModelProto()
    made.CopyFrom(base)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        random.choice(MUTATIONS)(made, random)
    return made


def _graph(model: ModelProto, random: Random) -> GraphProto:
    """The main graph, sometimes a body."""
    bodies = [each.g for node in model.graph.node for each in node.attribute if each.HasField("g")]
    return random.choice(bodies) if bodies and random.random() < 0.3 else model.graph


def _node(graph: GraphProto, random: Random) -> NodeProto:
    found: NodeProto = random.choice(graph.node) if graph.node else graph.node.add(op_type="Relu")
    return found


def _tensor(graph: GraphProto, random: Random) -> TensorProto:
    held = [each.t for node in graph.node for each in node.attribute if each.HasField("t")]
    choices = [*graph.initializer, *held]
    found: TensorProto = random.choice(choices) if choices else graph.initializer.add(name="w", data_type=1)
    return found


def _value(graph: GraphProto, random: Random) -> ValueInfoProto:
    choices = [*graph.input, *graph.output, *graph.value_info]
    found: ValueInfoProto = random.choice(choices) if choices else graph.input.add(name="x")
    return found


def _name(graph: GraphProto, random: Random) -> str:
    names: list[str] = [name for node in graph.node for name in (*node.input, *node.output)]
    names += [each.name for each in (*graph.input, *graph.output, *graph.initializer)]
    return random.choice([*names, "nowhere", ""])


def _attribute(model: ModelProto, random: Random) -> None:
    node = _node(_graph(model, random), random)
    if not node.attribute or random.random() < 0.2:
        _new_attribute(node, random)
        return
    place = random.randrange(len(node.attribute))
    each = node.attribute[place]
    kind = random.randrange(6)
    if kind == 0:
        del node.attribute[place]
    elif kind == 1:
        each.type = random.choice(AttributeProto.AttributeType.values())
    elif each.ints:
        _integers(each.ints, random)
    elif each.type == AttributeProto.INT:
        each.i = random.choice(INTEGERS)
    elif each.type == AttributeProto.FLOAT:
        each.f = random.choice(NUMBERS)
    elif each.type == AttributeProto.STRING:
        each.s = random.choice(TEXTS).encode()
    else:
        each.name = random.choice(TEXTS)


def _new_attribute(node: NodeProto, random: Random) -> None:
    names: tuple[str, ...] = (
        "axis",
        "axes",
        "perm",
        "to",
        "group",
        "pads",
        "strides",
        "kernel_shape",
        "keepdims",
        "value",
    )
    if defs.has(node.op_type, node.domain) and random.random() < 0.6:
        names = tuple(sorted(defs.get_schema(node.op_type, domain=node.domain).attributes)) or names
    value: object = random.choice(INTEGERS)
    if random.random() < 0.5:
        value = [random.choice(INTEGERS) for _ in range(random.randrange(1, 6))]
    elif random.random() < 0.3:
        value = random.choice((*NUMBERS, *TEXTS))
    node.attribute.append(helper.make_attribute(random.choice(names), value))


def _integers(values: object, random: Random) -> None:
    """Change, add or take away one of a repeated field."""
    listed = list(values)  # type: ignore[call-overload]
    kind = random.randrange(4)
    if kind == 0 or not listed:
        listed.insert(random.randrange(len(listed) + 1), random.choice(INTEGERS))
    elif kind == 1:
        del listed[random.randrange(len(listed))]
    else:
        listed[random.randrange(len(listed))] = random.choice(INTEGERS)
    del values[:]  # type: ignore[attr-defined]
    values.extend(listed)  # type: ignore[attr-defined]


def _dims(model: ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    kind = _value(graph, random).type.tensor_type
    dims = kind.shape.dim
    choice = random.randrange(6)
    if choice == 0:
        kind.ClearField("shape")
    elif choice == 1 or not dims:
        dims.add(dim_value=random.choice(INTEGERS))
    elif choice == 2:
        del dims[random.randrange(len(dims))]
    elif choice == 3:
        dims[random.randrange(len(dims))].dim_param = random.choice((*TEXTS, "batch", "N"))
    else:
        dims[random.randrange(len(dims))].dim_value = random.choice(INTEGERS)


def _type(model: ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    value = _value(graph, random)
    kind = random.randrange(5)
    if kind == 0:
        value.ClearField("type")
    elif kind == 1:
        inner = helper.make_tensor_type_proto(1, [1])
        value.type.CopyFrom(
            random.choice((helper.make_sequence_type_proto(inner), helper.make_optional_type_proto(inner)))
        )
    else:
        value.type.tensor_type.elem_type = random.choice(TYPES)


def _initializer(model: ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    tensor = _tensor(graph, random)
    kind = random.randrange(9)
    if kind == 0:
        _integers(tensor.dims, random)
    elif kind == 1:
        random_dims = list(tensor.dims)
        random.shuffle(random_dims)
        del tensor.dims[:]
        tensor.dims.extend(random_dims)
    elif kind == 2:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    elif kind == 3:
        tensor.raw_data = bytes(len(tensor.raw_data))
    elif kind == 4:
        tensor.raw_data = b"\xff" * len(tensor.raw_data)
    elif kind == 5:
        tensor.data_type = random.choice(TYPES)
    elif kind == 6:
        del tensor.dims[:]
        tensor.raw_data = tensor.raw_data[:4]
    elif kind == 7:
        tensor.dims.insert(0, 0)
        tensor.raw_data = b""
    else:
        flat = list(tensor.dims)
        del tensor.dims[:]
        tensor.dims.extend([*flat, 1] if random.random() < 0.5 else [1, *flat])


def _names(model: ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    other = random.choice((*TEXTS, _name(graph, random)))
    kind = random.randrange(4)
    if kind == 0:
        _node(graph, random).name = other
    elif kind == 1:
        _value(graph, random).name = other
    elif kind == 2:
        _tensor(graph, random).name = other
    else:
        node = _node(graph, random)
        if node.output:
            node.output[random.randrange(len(node.output))] = other


def _edge(model: ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    node = _node(graph, random)
    kind = random.randrange(5)
    if kind == 0 or not node.input:
        node.input.append(_name(graph, random))
    elif kind == 1:
        del node.input[random.randrange(len(node.input))]
    elif kind == 2:
        node.output.append(random.choice(("", "more", _name(graph, random))))
    else:
        node.input[random.randrange(len(node.input))] = _name(graph, random)


@cache
def _op_types() -> tuple[tuple[str, str], ...]:
    domains = ("", "ai.onnx.ml")
    return tuple(
        sorted({(each.domain, each.name) for each in defs.get_all_schemas() if each.domain in domains})
    )


def _op_type(model: ModelProto, random: Random) -> None:
    node = _node(_graph(model, random), random)
    node.domain, node.op_type = random.choice(_op_types())


def _insertion(model: ModelProto, random: Random) -> None:
    """An operator of any type between one and its reader, or beside."""
    graph = _graph(model, random)
    place = random.randrange(len(graph.node) + 1)
    domain, op_type = random.choice(_op_types())
    made = NodeProto(op_type=op_type, domain=domain, name=f"new{place}")
    made.input.extend(_name(graph, random) for _ in range(random.randrange(1, 4)))
    made.output.extend(f"made{place}.{number}" for number in range(random.randrange(1, 3)))
    if random.random() < 0.5:
        _new_attribute(made, random)
    nodes = list(graph.node)
    if nodes and random.random() < 0.8:
        reader = nodes[random.randrange(len(nodes))]
        if reader.input:
            made.input[0] = reader.input[0]
            reader.input[0] = made.output[0]
    nodes.insert(place, made)
    _set_nodes(graph, nodes)


def _set_nodes(graph: GraphProto, nodes: list[NodeProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _nodes(model: ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    nodes = list(graph.node)
    kind = random.randrange(3)
    if kind == 0 and nodes:
        del nodes[random.randrange(len(nodes))]
    elif kind == 1 and nodes:
        nodes.append(random.choice(nodes))
    else:
        random.shuffle(nodes)
    _set_nodes(graph, nodes)


def _body(model: ModelProto, random: Random) -> None:
    """An operator goes into both branches of an If, or into a Loop."""
    graph = model.graph
    if not graph.node:
        return
    place = random.randrange(len(graph.node))
    node = NodeProto.FromString(graph.node[place].SerializeToString())
    inner = GraphProto(name="body")
    inner.node.append(node)
    inner.output.extend(ValueInfoProto(name=name) for name in node.output if name)
    outer = NodeProto(op_type=random.choice(("If", "Loop", "Scan")), name="outer", output=list(node.output))
    outer.input.append(_name(graph, random))
    names = {"If": ("then_branch", "else_branch")}.get(outer.op_type, ("body",))
    outer.attribute.extend(helper.make_attribute(name, inner) for name in names)
    graph.node[place].CopyFrom(outer)


def _graph_ends(model: ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    kind = random.randrange(4)
    if kind == 0:
        graph.output.add(name=_name(graph, random))
    elif kind == 1:
        graph.input.add(name=_name(graph, random))
    elif kind == 2 and graph.output:
        del graph.output[random.randrange(len(graph.output))]
    elif graph.input:
        del graph.input[random.randrange(len(graph.input))]


def _version(model: ModelProto, random: Random) -> None:
    kind = random.randrange(4)
    if kind == 0:
        model.ir_version = random.choice(INTEGERS)
    elif kind == 1 and model.opset_import:
        model.opset_import[0].version = random.choice((*INTEGERS, *range(1, 28)))
    elif kind == 2:
        model.opset_import.add(domain=random.choice(("", "ai.onnx.ml", "com.microsoft", "x")), version=1)
    else:
        del model.opset_import[:]


MUTATIONS: tuple[Mutation, ...] = (
    _attribute, _attribute, _dims, _type, _initializer, _initializer, _names, _edge, _edge, _op_type,
    _insertion, _insertion, _nodes, _body, _graph_ends, _version,
)  # fmt: skip
