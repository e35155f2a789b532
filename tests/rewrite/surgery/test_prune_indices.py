"""What surgery keeps of a model, beside what a round trip through onnx-graphsurgeon keeps of it."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from model_zoo.prunable_images import image_net, plain, residual
from onnx import ModelProto, StringStringEntryProto
from oracles.prunable_facts import coupled, some

from nnea_graph.errors import UsageError
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned


def told() -> ModelProto:
    """A network that says where it comes from."""
    model, _ = image_net(1, (plain, residual))
    model.doc_string, model.producer_name = "of the model", "the test"
    model.metadata_props.append(StringStringEntryProto(key="model", value="kept"))
    model.graph.doc_string = "of the graph"
    for node in model.graph.node:
        node.doc_string = f"of {node.name}"
        node.metadata_props.append(StringStringEntryProto(key="scope", value=node.name))
    return model


def test_names_metadata_and_doc_strings_stay() -> None:
    model = told()
    graph, coupling = coupled(model)
    small = pruned(graph, kept_slots(coupling, some(coupling, 0.5)))
    assert small.ByteSize() < model.ByteSize()
    for each in ("doc_string", "producer_name", "metadata_props", "opset_import", "ir_version"):
        assert getattr(small, each) == getattr(model, each)
    assert small.graph.doc_string == model.graph.doc_string
    assert small.graph.input == model.graph.input
    assert small.graph.output == model.graph.output
    assert [(n.name, n.doc_string, n.metadata_props[0].value) for n in small.graph.node] == [
        (n.name, n.doc_string, n.metadata_props[0].value) for n in model.graph.node
    ]


def test_graphsurgeon_would_lose_them() -> None:
    model = told()
    returned = gs.export_onnx(gs.import_onnx(onnx.load_from_string(model.SerializeToString())))
    assert not any(node.metadata_props or node.doc_string for node in returned.graph.node)
    assert not returned.metadata_props


def test_the_source_is_not_touched_and_nothing_dropped_is_nothing_changed() -> None:
    model = told()
    graph, coupling = coupled(model)
    before = model.SerializeToString(deterministic=True)
    pruned(graph, kept_slots(coupling, some(coupling, 0.5)))
    assert model.SerializeToString(deterministic=True) == before
    assert pruned(graph, kept_slots(coupling, [])).SerializeToString(deterministic=True) == before


def test_a_family_cannot_go_as_a_whole() -> None:
    _, coupling = coupled(told())
    with pytest.raises(UsageError, match="nothing would be left of"):
        kept_slots(coupling, coupling.families[0].groups)


def test_members_of_a_group_are_its_indices() -> None:
    _, coupling = coupled(told())
    for family in coupling.families:
        for group in family.groups:
            assert len(coupling.members(group)[family.axis]) == family.channels
            assert coupling.family(group) is family
    assert len(np.unique(coupling.groups)) == 1 + sum(len(family.groups) for family in coupling.families)
