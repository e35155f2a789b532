"""Writes the facts of a report into the metadata of a model, in the place of those of an earlier one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from onnx import GraphProto, ModelProto

from nnea_graph.errors import UsageError
from nnea_graph.frontends.onnx.flatten import graphs_of
from nnea_graph.frontends.onnx.from_graphsurgeon import exported, imported, is_surgeon_graph, node_pairs
from nnea_graph.frontends.onnx.from_onnx_ir import is_ir_model, serialized
from nnea_graph.frontends.onnx.node_locations import places_of
from nnea_graph.report.metadata import PREFIX, Facts, as_text, is_fact
from nnea_graph.report.schema.analysis import Report

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs
    import onnx_ir

ATTACHED = "nnea_graph"
"""Python attribute of graphs and nodes of onnx-graphsurgeon that holds their facts."""


def annotated(model: object, report: Report) -> bool:
    """Tells whether anything is other than before; nodes inside of functions have no facts, each call of one has.

    ``model`` is a ModelProto, a model of onnx_ir or a graph of onnx-graphsurgeon, changed in place. The last has no
    metadata: its nodes and itself have the same, read from JSON, as the Python attribute ``nnea_graph``.

    Raises:
        UsageError: it is neither, or the report is of another model.
    """
    if isinstance(model, ModelProto):
        return _annotated(model, report)
    if is_ir_model(model):
        proto, _ = serialized(model)
        _annotated(proto, report)
        return _handed_over(proto, model)
    if is_surgeon_graph(model):
        proto = exported(model)
        _annotated(proto, report)
        return attach_facts(proto, model)
    kind = type(model)
    raise UsageError(
        f"{kind.__module__}.{kind.__qualname__} has no metadata; give an onnx.ModelProto, an onnx_ir.Model, a "
        "gs.Graph or what torch.onnx.export gives"
    )


def _annotated(proto: ModelProto, report: Report) -> bool:
    facts, places = Facts(report), places_of(proto)
    if facts.operators != {each for _, ids in places for each in ids}:
        raise UsageError(
            f"the report of {report.model.path} is of another model: its operators are not those of this one; "
            "analyze this one"
        )
    changes = [_put(proto.metadata_props, facts.of_model())]
    changes += [_put(node.metadata_props, facts.of_operators(ids)) for node, ids in places]
    return any(changes)


def attach_facts(proto: ModelProto, graph: gs.Graph) -> bool:
    """Give a graph of onnx-graphsurgeon the facts of the model that it is of; whether any is other than before."""
    pairs = [(proto, graph), *node_pairs(proto, graph)]
    changes = []
    for written, place in pairs:
        facts = {
            each.key.removeprefix(PREFIX): json.loads(each.value)
            for each in written.metadata_props
            if is_fact(each.key)
        }
        changes.append(vars(place).get(ATTACHED) != facts)  # getattr makes a gs.Graph print an error
        setattr(place, ATTACHED, facts)
    return any(changes)


def surgeon_graph(proto: ModelProto, report: Report) -> gs.Graph:
    """A model, which is annotated, as a graph of onnx-graphsurgeon with its facts attached.

    Raises:
        UsageError: the report is of another model.
        ModelError: onnx-graphsurgeon cannot read it.
    """
    _annotated(proto, report)
    graph = imported(proto)
    attach_facts(proto, graph)
    return graph


def written_facts(graph: gs.Graph) -> ModelProto:
    """A graph of onnx-graphsurgeon as a model with the facts that are attached to it in its metadata.

    Raises:
        ModelError: onnx-graphsurgeon cannot write it.
    """
    proto = exported(graph)
    for written, place in [(proto, graph), *node_pairs(proto, graph)]:
        facts = vars(place).get(ATTACHED, {})
        _put(written.metadata_props, {PREFIX + name: as_text(fact) for name, fact in facts.items()})
    return proto


def _handed_over(proto: ModelProto, model: onnx_ir.Model) -> bool:
    changes = [_hand_over(proto.metadata_props, model.metadata_props)]
    changes += [_hand_over(one.metadata_props, other.metadata_props) for one, other in _pairs(proto, model)]
    return any(changes)


def _put(properties: Any, facts: Mapping[str, str]) -> bool:
    before = {each.key: each.value for each in properties if is_fact(each.key)}
    if before == facts:
        return False
    kept = [(each.key, each.value) for each in properties if not is_fact(each.key)]
    del properties[:]
    for key, value in (*kept, *facts.items()):
        properties.add(key=key, value=value)
    return True


def _hand_over(properties: Any, target: MutableMapping[str, str]) -> bool:
    facts = {each.key: each.value for each in properties if is_fact(each.key)}
    before = {key: value for key, value in target.items() if is_fact(key)}
    for key in before:
        del target[key]
    target.update(facts)
    return before != facts


def _pairs(proto: ModelProto, model: onnx_ir.Model) -> Iterator[tuple[Any, onnx_ir.Node]]:
    """The nodes of the main graph and of bodies, as they are written and as they are."""
    waiting: list[tuple[GraphProto, Any]] = [(proto.graph, model.graph)]
    while waiting:
        source, target = waiting.pop()
        for written, node in zip(source.node, target, strict=True):
            yield written, node
            for attribute in written.attribute:
                bodies = graphs_of(attribute)
                held = node.attributes[attribute.name].value if bodies else ()
                waiting += zip(bodies, held if isinstance(held, list | tuple) else [held], strict=True)
