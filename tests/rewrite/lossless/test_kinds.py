"""Each kind of channel that can go: found, taken out, and nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracles.exactly import conv, exact, held, image_model, images, model_of, removal, shapes, went

from nnea_graph.api.prune import prune


def test_dead_channels_go_with_their_normalization() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][[2, 6]], tensors["n.shift"][[2, 6]] = 0, -0.5
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"dead": 2}
    left = shapes(found.model)
    assert (left["a.w"], left["n.var"], left["c.w"]) == ((6, 3, 3, 3), (6,), (5, 6, 3, 3))


@pytest.mark.parametrize("bias", ["c.b", ""])
def test_constant_channels_go_into_the_next_bias(bias: str) -> None:
    nodes, tensors = images(conv(bias=bias))
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, 0.75
    if not bias:
        del tensors["c.b"]
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"constant": 1}
    assert shapes(found.model)["c.w"] == (5, 7, 3, 3)


def test_a_padded_convolution_holds_one_constant_channel_and_takes_the_others_into_it() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][[1, 3, 4]], tensors["n.shift"][[1, 3, 4]] = 0, [0.75, 0.25, 1.5]
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"cloned": 2}
    alone, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, 0.75
    found = exact(image_model(alone, tensors))
    assert went(found) == {}
    assert [(text.partition("zeros")[1], count) for text, count in held(found).items()] == [("zeros", 1)]


@pytest.mark.parametrize("times", [1.0, 0.5, 3.7])
def test_clones_and_multiples_leave_their_columns_to_the_one_that_stays(times: float) -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    for place in (4, 7):
        for name in ("a.w", "a.b", "n.mean", "n.shift"):
            tensors[name][place] = tensors[name][2] * times
        for name in ("n.scale", "n.var"):
            tensors[name][place] = tensors[name][2]
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"cloned": 2}
    assert shapes(found.model)["c.w"] == (5, 6, 3, 3)


def test_what_one_round_leaves_for_nothing_the_next_one_takes() -> None:
    """Equal channels that are read with opposite weights: where one has taken up the other, nothing reads it."""
    nodes, tensors = images(conv(1, 1, 1, 1))
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    tensors["c.w"][:, 5] = -tensors["c.w"][:, 1]
    found = exact(image_model(nodes, tensors))
    assert removal(found).rounds == 2
    assert went(found) == {"cloned": 1, "unread": 1}
    assert shapes(found.model)["a.w"] == (6, 3, 3, 3)
    assert found.plan.kept["a.w", 0].tolist() == [0, 2, 3, 4, 6, 7]


def test_what_no_row_reads_goes_and_what_only_that_has_read_as_well() -> None:
    nodes, tensors = images(conv())
    nodes[3] = helper.make_node("Conv", ["a.on", "c.w", "c.b"], ["c.out"], name="c")
    nodes.append(helper.make_node("Conv", ["c.out", "d.w"], ["y"], name="d"))
    tensors["d.w"] = np.random.default_rng(2).normal(size=(4, 5, 1, 1))
    tensors["d.w"][:, 1] = 0
    tensors["c.w"][np.arange(5) != 1, 6] = 0
    tensors["c.w"][:, 5] = 0
    found = exact(model_of(nodes, tensors, [2, 3, 9, 9], 2, 4, "h", "w"))
    assert went(found) == {"unread": 3}
    assert shapes(found.model)["a.w"] == (6, 3, 3, 3)


def test_a_layer_of_which_nothing_is_alive_keeps_a_channel() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][:], tensors["n.shift"][:] = 0, -1
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"dead": 7}


def test_layers_that_are_to_be_kept_are() -> None:
    nodes, tensors = images(conv())
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, -0.75
    found = exact(image_model(nodes, tensors), keep=("a",))
    assert went(found) == {}
    assert held(found) == {"dead: kept, as --keep says": 1}


def test_half_precision_takes_no_sums_but_loses_what_is_dead() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, -0.75
    model = image_model(nodes, tensors)
    for each in (*model.graph.input, *model.graph.output):
        each.type.tensor_type.elem_type = TensorProto.FLOAT16
    for each in model.graph.initializer:
        each.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(each).astype(np.float16), each.name))
    found = prune(model, None, "exact", rounds=2)
    assert found.report.met
    assert went(found) == {"dead": 1}
    assert any("float16" in reason for reason in held(found))
