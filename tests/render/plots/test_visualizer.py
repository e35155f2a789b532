"""Plots as a user meets them: figures that stand for themselves, files, and what is said where facts are missing."""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from hostile.support.models import model, op, tensor, typed
from hostile.support.running import Program
from matplotlib.figure import Figure
from oracles.plotted import MODELS, large, small, static, words

from nnea_graph import Visualizer, analyze
from nnea_graph.errors import NneaError, OutputError, UsageError
from nnea_graph.render.plots.figure import picture
from nnea_graph.render.plots.visualizer import PLOT_FILES, PLOTS, RADAR, plot_files

METHODS = [name for name, _ in inspect.getmembers(Visualizer, inspect.isfunction) if name.startswith("plot_")]


def drawn(visualizer: Visualizer, method: str, **options: object) -> Figure:
    draw: Callable[..., Figure] = getattr(visualizer, method)
    return draw(*([0] if "radar" in method else []), **options)


def test_the_plots_are_those_of_the_original_and_two_more() -> None:
    assert METHODS == [
        "plot_cost_breakdown",
        "plot_cumulative_importance",
        "plot_efficiency_radar",
        "plot_layer_comparison",
        "plot_layer_importance_distribution",
        "plot_neural_pathways",
        "plot_pathway_flow",
        "plot_pruning_sensitivity",
    ]
    assert [f"plot_{name}" for name in sorted(PLOTS)] == METHODS


@pytest.mark.parametrize("method", METHODS)
def test_a_plot_is_a_figure_of_the_size_asked_for_in_the_file_asked_for(method: str, tmp_path: Path) -> None:
    file = tmp_path / "plot.png"
    figure = drawn(Visualizer(static()), method, figsize=(7, 6), save=file)
    assert isinstance(figure, Figure)
    assert figure.get_size_inches().tolist() == [7, 6]
    assert file.read_bytes()[:4] == b"\x89PNG"


PROGRAM = """
import sys
from nnea_graph import Visualizer, analyze
for form in ("svg", "png", "pdf"):
    Visualizer(analyze(sys.argv[1], passes="pathways")).plot_neural_pathways(save=f"{sys.argv[2]}.{form}")
assert "matplotlib.pyplot" not in sys.modules, "windows are pyplot's"
"""


def test_files_are_the_same_bytes_in_every_process_and_need_no_screen(tmp_path: Path) -> None:
    for seed in range(2):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "MPLBACKEND": "TkAgg", "DISPLAY": ""}
        command = [sys.executable, "-c", PROGRAM, str(MODELS / "digits_mlp.onnx"), str(tmp_path / str(seed))]
        subprocess.run(command, env=environment, check=True)
    for form in ("svg", "png", "pdf"):
        assert (tmp_path / f"0.{form}").read_bytes() == (tmp_path / f"1.{form}").read_bytes()


def test_the_users_settings_of_matplotlib_change_nothing_and_are_not_changed() -> None:
    plain = picture(Visualizer(static()).plot_layer_comparison(), "svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 20}):
        styled = picture(Visualizer(static()).plot_layer_comparison(), "svg")
        assert mpl.rcParams["font.size"] == 30
    assert styled == plain


def test_every_plot_is_written_into_a_folder(tmp_path: Path) -> None:
    written = Visualizer(static()).save_all(tmp_path / "new" / "plots", "png")
    assert [file.name for file in written] == [f"{name}.png" for name in PLOTS if "path" not in name]
    assert all(file.stat().st_size > 5_000 for file in written)


@pytest.mark.parametrize(
    ("save", "said"),
    [
        ("plot.xyz", r"no \.xyz; write \.svg, \.png or \.pdf"),
        ("no-folder/plot.png", "no-folder.*give another"),
    ],
)
def test_a_file_that_cannot_be_written_is_said_in_one_line(save: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=said) as caught:
        Visualizer(static()).plot_cost_breakdown(save=tmp_path / save)
    assert "\n" not in str(caught.value)


def test_a_suffix_that_is_left_out_is_png(tmp_path: Path) -> None:
    Visualizer(static()).plot_cost_breakdown(save=tmp_path / "plot")
    assert (tmp_path / "plot").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_is_not_there_is_refused(layer: int) -> None:
    with pytest.raises(UsageError, match=f"no layer {layer}; the model has 3"):
        Visualizer(static()).plot_efficiency_radar(layer)


def test_negative_layers_count_from_the_last_one() -> None:
    shown = Visualizer(small())
    assert words(shown.plot_efficiency_radar(-1)) == words(shown.plot_efficiency_radar(2))


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "nnea_graph.render.plots.visualizer.find_spec",
        lambda name: None if name == "matplotlib" else found(name),
    )
    with pytest.raises(NneaError, match=r"pip install 'nnea-graph\[plots\]'"):
        Visualizer(static())
    assert plot_files(static()) == (
        {},
        "no plots: matplotlib is not installed: pip install 'nnea-graph[plots]'",
    )


def test_a_notebook_shows_a_figure_by_itself() -> None:
    figure = Visualizer(static()).plot_cost_breakdown()
    picture = getattr(figure, "_repr_png_")()  # noqa: B009 - IPython's own way
    assert picture[:4] == b"\x89PNG"


# What is not known


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("plot_pruning_sensitivity", "NOT MEASURED (add pass +sensitivity, and data)"),
        ("plot_neural_pathways", "not computed (pass pathways)"),
        ("plot_pathway_flow", "not computed (pass pathways)"),
        ("plot_layer_importance_distribution", "weights alone, no real data"),
        ("plot_cumulative_importance", "share of |w| that they hold"),
    ],
)
def test_what_was_not_done_is_said(method: str, said: str) -> None:
    assert said in words(drawn(Visualizer(static()), method))


def test_measured_sensitivity_says_so_and_what_it_was_not_measured_of_is_gray() -> None:
    text = words(Visualizer(small()).plot_pruning_sensitivity())
    assert "measured on 60 samples" in text
    assert "NOT MEASURED" not in text
    assert "gray" not in text
    report = analyze(MODELS / "digits_cnn.onnx", MODELS / "digits.npz", "+sensitivity", samples=4)
    assert "gray: not done" in words(Visualizer(report).plot_pruning_sensitivity())


@pytest.mark.parametrize("method", [method for method in METHODS if RADAR not in method])
def test_a_model_without_layers_has_plots_that_say_so(method: str) -> None:
    report = analyze(model([op("Relu", ["x"], ["y"])], [typed("x", "batch", 4)]))
    text = words(drawn(Visualizer(report), method))
    assert any(said in text for said in ("no operator has", "no layer", "not computed", "no path leads"))
    assert plot_files(report) == ({}, "")


def test_costs_that_are_not_known_are_counted_below_the_bars() -> None:
    nodes = [op("MatMul", ["x", "w"], ["h"]), op("Strange", ["h"], ["y"], domain="some.where")]
    report = analyze(
        model(nodes, [typed("x", 1, 2)], weights=[tensor("w", [[1.0, 2.0], [3.0, 4.0]])]), passes="cost"
    )
    assert "MACs of 1 of 2 operators are not known" in words(Visualizer(report).plot_cost_breakdown())


def test_a_layer_without_statistics_is_marked_and_not_drawn_as_nothing() -> None:
    report = analyze(MODELS / "digits_transformer.onnx", MODELS / "digits.npz", samples=4)
    assert any(layer.metrics is None for layer in report.layers)
    assert "× not known" in words(Visualizer(report).plot_layer_comparison())
    assert "not known" not in words(Visualizer(large(12)).plot_layer_comparison())


def test_a_run_into_a_folder_writes_plots_or_says_once_what_to_install(program: Program) -> None:
    model_path = MODELS / "digits_mlp.onnx"
    outcome = program("run", model_path, "-o", "out", "--format", "json")
    assert outcome.stderr == ""
    assert {path.name for path in (program.folder / "out").glob("plot_*")} == set(PLOT_FILES)
    assert "weights alone" in (program.folder / "out" / "plot_layer_comparison.svg").read_text("utf-8")
    hidden = (
        "import sys; sys.modules['matplotlib'] = None;"
        "from nnea_graph.commands.cli import run_command_line;"
        f"sys.exit(run_command_line(['run', r'{model_path}', '-o', 'none', '-p', 'cost', '--format', 'json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=program.folder, capture_output=True, text=True, check=True
    )
    assert (
        done.stderr == "nnea-graph: no plots: matplotlib is not installed: pip install 'nnea-graph[plots]'\n"
    )
    assert not list((program.folder / "none").glob("plot_*"))
