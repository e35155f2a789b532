"""Models of old versions: their masks of Dropout, their constants that may not be initializers alone."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, parser
from oracles.prunable_facts import coupled, some
from oracles.prunable_oracle import run

from nnea_graph.frontends.onnx.file import OnnxFile
from nnea_graph.frontends.onnx.graph import graph_of
from nnea_graph.rewrite.refit.layers import RefittableLayer, layers_of
from nnea_graph.rewrite.refit.write_weights import with_values
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned


def old(outputs: str = "h, mask") -> ModelProto:
    """IR version 3: every initializer is an input as well; a Dropout that puts out its mask."""
    model = parser.parse_model(f"""
        <ir_version: 3, opset_import: ["": 9]>
        old (float[1, 3, 4, 4] x, float[8, 3, 1, 1] w1, float[5, 8, 1, 1] w2) => (float[1, 5, 4, 4] y)
        {{
            a = Conv(x, w1)
            {outputs} = Dropout(a)
            y = Conv(h, w2)
        }}""")
    random = np.random.default_rng(0)
    for name, shape in (("w1", (8, 3, 1, 1)), ("w2", (5, 8, 1, 1))):
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        )
    return model


def test_a_mask_that_nobody_reads_keeps_no_channels() -> None:
    for outputs in ("h, mask", "h"):
        graph, coupling = coupled(old(outputs))
        assert [len(family.groups) for family in coupling.families] == [8]
        onnx.checker.check_model(pruned(graph, kept_slots(coupling, some(coupling, 0.5))), full_check=True)


def test_new_constants_are_no_inputs() -> None:
    model = old()
    layers = layers_of(graph := graph_of(OnnxFile.from_proto(model)), graph)
    last = [layer for layer in layers.values() if isinstance(layer, RefittableLayer)][-1]
    assert last.bias is not None
    found = with_values(model, [last], {last.bias.name: np.arange(5, dtype=np.float32)})
    onnx.checker.check_model(found, full_check=True)
    feeds = {"x": np.ones((1, 3, 4, 4), np.float32)}
    np.testing.assert_allclose(
        run(found, feeds)[0] - run(model, feeds)[0],
        np.arange(5)[None, :, None, None] + np.zeros((4, 4)),
        atol=1e-5,
    )
