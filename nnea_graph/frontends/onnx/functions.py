"""Local functions of a model: how far they expand, and what a call of one becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, defs

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.protobuf.strings import text

FunctionKey = tuple[str, str, str]
"""Domain, name, overload."""

_LAST_VERSION = (1 << 31) - 1
"""onnx counts versions in 32 bits; what other domains define is theirs to say."""


def domain_of(domain: str) -> str:
    """The domain's one spelling: ``ai.onnx`` is ""."""
    return "" if domain == "ai.onnx" else domain


def functions_of(model: ModelProto) -> dict[FunctionKey, FunctionProto]:
    """The local functions by what calls name them.

    Raises:
        ModelError: two of one name, or a name that is no text.
    """
    functions: dict[FunctionKey, FunctionProto] = {}
    for each in model.functions:
        domain, name = text(each.domain, "a function's domain"), text(each.name, "a function's name")
        key = domain_of(domain), name, text(each.overload, f"the overload of function '{name}'")
        if key in functions:
            raise ModelError(f"two local functions are called '{name}'; names must be unique")
        functions[key] = each
    return functions


def opsets_of(entries: Iterable[OperatorSetIdProto]) -> dict[str, int]:
    """The versions of operator sets, by domain.

    Raises:
        ModelError: a domain in two versions, or a version that there is not.
    """
    opsets: dict[str, int] = {}
    for entry in entries:
        domain = domain_of(text(entry.domain, "an operator set's domain"))
        newest = defs.onnx_opset_version() if not domain else _LAST_VERSION
        if not 0 < entry.version <= newest:
            raise ModelError(f"{_spelled(domain)}opset {entry.version} is not known: there are 1 to {newest}")
        if opsets.setdefault(domain, entry.version) != entry.version:
            raise ModelError(
                f"operator set '{domain or 'ai.onnx'}' is named in versions {opsets[domain]}"
                f" and {entry.version}; keep one"
            )
    return opsets


def _spelled(domain: str) -> str:
    return f"{domain} " if domain else ""


def check_call(function: FunctionProto, call: NodeProto, where: str) -> None:
    """Check that a call gives no more than the function takes, and takes no more than the function makes.

    Raises:
        ModelError: it does, or the function does not make what it promises.
    """
    if len(call.input) > len(function.input) or len(call.output) > len(function.output):
        raise ModelError(
            f"the call '{where}' has {len(call.input)} inputs and {len(call.output)} outputs, the function"
            f" '{function.name}' takes {len(function.input)} and gives {len(function.output)}"
        )
    made = {name for node in function.node for name in node.output}.union(function.input)
    for name in function.output:
        if name not in made:
            raise ModelError(
                f"output '{text(name, where)}' of function '{function.name}' is made by no operator"
            )


def call_key(node: NodeProto) -> FunctionKey:
    """Key of the function that a node would call, were there such a function."""
    return domain_of(node.domain), node.op_type, node.overload


def check_expansion(
    functions: Mapping[FunctionKey, FunctionProto], graph: GraphProto, limit: int, depth_limit: int
) -> None:
    """Count the operators that all calls expand to, without expanding any.

    Raises:
        ModelError: a function calls itself.
        LimitError: more operators than ``limit``, or calls nested deeper than ``depth_limit``.
    """
    if not functions:
        return
    size: dict[FunctionKey, int] = {}
    depth: dict[FunctionKey, int] = {}
    for key in _callees_first(functions):
        calls = list(_calls(functions[key].node))
        size[key] = sum(size.get(callee, 1) for callee in calls)
        depth[key] = 1 + max((depth.get(callee, 0) for callee in calls), default=0)
    total = sum(size.get(callee, 1) for callee in _calls(graph.node))
    if total > limit:
        raise LimitError(
            f"local functions expand to {total:,} operators, over the limit of {limit:,};"
            " raise it with --limit function_nodes=N"
        )
    deepest = max(depth.values())
    if deepest > depth_limit:
        raise LimitError(
            f"local functions call each other {deepest:,} deep, over the limit of {depth_limit};"
            " raise it with --limit nesting=N"
        )


def _calls(nodes: Sequence[NodeProto]) -> Iterator[FunctionKey]:
    """One key an operator, in bodies too; keys that are no function stand for themselves."""
    stack = [iter(nodes)]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            continue
        yield call_key(node)
        stack.extend(iter(graph.node) for graph in subgraphs(node))


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """The graphs among a node's attributes."""
    single = [attribute.g for attribute in node.attribute if attribute.type == AttributeProto.GRAPH]
    return single + [graph for attribute in node.attribute for graph in attribute.graphs]


def _callees_first(functions: Mapping[FunctionKey, FunctionProto]) -> list[FunctionKey]:
    """Order functions so that each comes after those it calls, without recursion."""
    done: dict[FunctionKey, bool] = {}
    order: list[FunctionKey] = []
    for root in functions:
        stack = [root]
        while stack:
            key = stack[-1]
            if key in done:
                if not done[key]:
                    done[key] = True
                    order.append(key)
                stack.pop()
                continue
            done[key] = False
            for callee in dict.fromkeys(_calls(functions[key].node)):
                if callee not in functions:
                    continue
                if done.get(callee) is False:
                    raise ModelError(f"local function '{callee[1]}' calls itself; ONNX forbids recursion")
                if callee not in done:
                    stack.append(callee)
    return order


def bound_attributes(function: FunctionProto, call: NodeProto) -> dict[str, AttributeProto]:
    """The attribute values that a call gives a function: its own, then the function's defaults."""
    defaults = {attribute.name: attribute for attribute in function.attribute_proto}
    return defaults | {attribute.name: attribute for attribute in call.attribute}


def resolve_references(node: NodeProto, bound: Mapping[str, AttributeProto]) -> NodeProto:
    """The node with references to the function's attributes replaced by their values; absent ones go."""
    if not any(attribute.ref_attr_name for attribute in node.attribute):
        return node
    resolved = NodeProto()
    resolved.CopyFrom(node)
    del resolved.attribute[:]
    for attribute in node.attribute:
        source = bound.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
        if source is None:
            continue
        copy = resolved.attribute.add()
        copy.CopyFrom(source)
        copy.name = attribute.name
        copy.ref_attr_name = ""
    return resolved
