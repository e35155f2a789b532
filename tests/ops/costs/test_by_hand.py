"""What a cost rule says: estimates, operators that compute nothing, and what is not known."""

from __future__ import annotations

import pytest
from oracles.calls import call, counted, ms

from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import OperatorCost


@pytest.mark.parametrize(
    ("op", "macs", "other_flops"),
    [
        pytest.param(
            call("LSTM", [(7, 2, 10), (1, 80, 10), (1, 80, 20), None, (2,)], [(7, 1, 2, 20)]),
            14 * 80 * 30,
            14 * 20 * 22,
            id="sequence lengths not known",
        ),
        pytest.param(
            ms(
                "GroupQueryAttention",
                [(2, 1, 32), (2, 1, 16), (2, 1, 16), (2, 2, 9, 8), (2, 2, 9, 8), (2,), ()],
                [(2, 1, 32), (2, 2, 10, 8), (2, 2, 10, 8)],
                num_heads=4,
                kv_num_heads=2,
            ),
            4 * 20 * 16,
            4 * 20 * 7,
            id="the whole cache",
        ),
        pytest.param(call("TopK", [(4, 1000), (1,)], [(4, 7), (4, 7)]), 0, 4000 * 3, id="a heap of seven"),
        pytest.param(
            call("NonMaxSuppression", [(1, 8, 4), (1, 2, 8), ()], [None], {2: 3}),
            0,
            2 * (8 * 4 + 3 * 8 * 13),
            id="NMS",
        ),
        pytest.param(
            call(
                "TreeEnsembleRegressor",
                [(10, 3)],
                [(10, 1)],
                domain="ai.onnx.ml",
                nodes_treeids=[0, 0, 0, 0, 0, 1],
                nodes_nodeids=[0, 1, 2, 3, 4, 0],
                nodes_truenodeids=[1, 3, 0, 0, 0, 0],
                nodes_falsenodeids=[2, 4, 0, 0, 0, 0],
                nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF", "LEAF"],
                n_targets=1,
            ),
            0,
            10 * (2 + 2),
            id="two levels and a lone leaf",
        ),
        pytest.param(
            call(
                "TreeEnsemble",
                [(10, 3)],
                [(10, 1)],
                domain="ai.onnx.ml",
                tree_roots=[0],
                n_targets=1,
                nodes_truenodeids=[1, 0],
                nodes_trueleafs=[0, 1],
                nodes_falsenodeids=[1, 2],
                nodes_falseleafs=[1, 1],
            ),
            0,
            10 * (2 + 1),
            id="two levels of positions",
        ),
    ],
)
def test_work_that_depends_on_data_is_called_an_estimate(op: OpCall, macs: int, other_flops: int) -> None:
    work = counted(op)
    assert (work.macs, work.other_flops) == (macs, other_flops)
    assert work.estimate


@pytest.mark.parametrize(
    "op_type", ["Reshape", "If", "Loop", "Scan", "SequenceMap", "Gather", "Cast", "Constant"]
)
def test_what_computes_nothing_says_why(op_type: str) -> None:
    work = counted(call(op_type, [], []))
    assert work.free
    assert (work.macs, work.flops, work.other_flops) == (0, 0, 0)


@pytest.mark.parametrize(
    "op",
    [
        pytest.param(call("Resize", [(1, 3, 4, 4)], [(1, 3, 8, 8)]), id="nearest"),
        pytest.param(call("Dropout", [(10,)], [(10,)]), id="inference"),
        pytest.param(call("ScatterND", [(9,), (3, 1), (3,)], [(9,)]), id="replacing"),
        pytest.param(call("Einsum", [(3, 4)], [(4, 3)], equation="ij->ji"), id="transposing"),
    ],
)
def test_free_depends_on_attributes(op: OpCall) -> None:
    assert counted(op).free


def test_the_two_parts_of_work_add_up() -> None:
    assert OperatorCost(2, 3, 4) + OperatorCost(10, 20, 30, estimate="data") == OperatorCost(
        12, 23, 34, estimate="data"
    )
    assert (OperatorCost(free="moves") + OperatorCost(1, 1)).free == ""


@pytest.mark.parametrize(
    ("op", "missing"),
    [
        pytest.param(call("Dropout", [(10,), (), ()], [(10,)]), "value of input 2", id="training mode"),
        pytest.param(call("DFT", [(2, 16, 1), ()], [(2, 16, 2)]), "value of input 1", id="transform length"),
        pytest.param(call("ImageDecoder", [(99,)], [None]), "compressed image", id="compressed data"),
        pytest.param(call("Add", [(2,), (2,)], [None]), "output 0", id="shape of the output"),
        pytest.param(call("Add", [(2,), (2,)], [(-1, 2)]), "negative dim", id="the -1 of some exporters"),
        pytest.param(
            ms("FusedGemm", [(2, 3), (3, 4)], [(2, 4)], activation="Wobble"),
            "activation 'Wobble'",
            id="an activation nobody has heard of",
        ),
    ],
)
def test_what_is_not_known_is_named(op: OpCall, missing: str) -> None:
    with pytest.raises(UnknownFactError, match=missing):
        counted(op)
