"""The page on a pruned model says what was measured, and why where nothing was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnea_graph.render.pruning_text.verification import verification
from nnea_graph.report.schema.verification import Agreement, ModelSize, RefitLayer, Speed, Verification

FOUND = Verification(
    "mnist.npz",
    synthetic=False,
    samples=400,
    faults=[],
    original=ModelSize(857_738, 11_467_776, "", 3_441_230),
    pruned=ModelSize(215_370, 3_024_384, "", 869_734),
    likeness=[
        Agreement("original", 1.0, None, 0.9934, ""),
        Agreement("pruned", 0.995, 29.3162, 0.991, ""),
        Agreement("random", 0.9, 0.84, None, ""),
    ],
    run_samples=1,
    speed=[Speed(1, 0.000309, 0.000113, 2.7498, 2.674, 2.807, 30, "faster")],
    no_speedup="",
    unclear="",
    layers=[
        RefitLayer("conv2", "Conv", True, "conv2", False, 1e-3, 0.3738, 0.029, 22_032, ""),
        RefitLayer("fc", "Gemm", True, "sum", True, None, 0.5, 0.25, 1600, ""),
        RefitLayer("tied", "Gemm", False, "", False, None, None, None, 0, "its weights are tied"),
    ],
)


def page(found: Verification, width: int = 100, top: int = 10) -> str:
    return "\n".join(line.plain for line in verification(found, width, top))


@pytest.mark.parametrize(
    "line",
    [
        "parameters 858 K 215 K 74.9 %",
        "multiply-accumulates 11.5 M 3.02 M 73.6 %",
        "file 3.28 MiB 849 KiB 74.7 %",
        "original 100.0 99.3 –",
        "pruned 99.5 99.1 29.3",
        "random 90.0 – 0.8",
        "1 0.309 0.113 2.75× 2.67 … 2.81",
        "conv2 37.4 2.9 1e-03 22,032 its output",
        "fc 50.0 25.0 bias only 1,600 sum sum",
        "not refitted tied: its weights are tied",
        "Accuracy and agreement (400 samples held out from fitting: mnist.npz)",
        "Refit (2 of 3 layers; relative errors on held-out rows)",
    ],
)
def test_every_number_is_there(line: str) -> None:
    assert line in [" ".join(text.split()) for text in page(FOUND).splitlines()]


def test_no_speed_up_comes_with_its_reason() -> None:
    found = page(replace(FOUND, no_speedup="products take 12.0 % of the time"))
    assert "Expect no speed-up: products take 12.0 % of the time" in found
    assert "Expect" not in page(FOUND)


def test_a_speed_up_that_is_not_clear_has_no_number() -> None:
    noise = Speed(1, 0.0067, 0.0061, 1.10, 0.93, 1.31, 30, "not clear")
    found = page(replace(FOUND, speed=[noise], unclear="a run takes 0.0067 ms"))
    assert "1 6.7 6.1 not clear 0.93 … 1.31" in " ".join(found.split())
    assert "Not clear: a run takes 0.0067 ms" in found


def test_a_faulty_model_is_named_first() -> None:
    found = page(
        replace(FOUND, faults=["outputs are z\x1b[2J"], speed=[], no_speedup="the pruned model is invalid")
    )
    assert found.lstrip().startswith("The pruned model is invalid")
    assert "outputs are z\\x1b[2J" in found
    assert "Not measured: the pruned model is invalid" in found


def test_what_is_not_known_is_no_zero() -> None:
    unknown = ModelSize(5, None, "without FFT, whose cost is not known", 10)
    found = page(replace(FOUND, pruned=unknown))
    assert "multiply-accumulates 11.5 M – –" in " ".join(found.split())
    assert "without FFT, whose cost is not known" in found


def test_made_up_samples_are_called_so() -> None:
    assert "400 synthetic samples" in page(replace(FOUND, synthetic=True))


def test_only_the_worst_layers_are_shown() -> None:
    found = page(FOUND, top=1)
    assert "fc" in found
    assert "conv2" not in found


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    long = replace(FOUND.layers[0], node="encoder/layers/0/attention/output/dense/MatMul" * 3)
    found = replace(FOUND, layers=[long, *FOUND.layers], no_speedup="word " * 60)
    assert max(len(line) for line in page(found, width).splitlines()) <= width
