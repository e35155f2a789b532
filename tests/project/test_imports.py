"""Imports run one way: the sources are read, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "nnea_graph"

# Layers of one line do not import each other.
LAYERS = (
    ("errors",),
    ("graph",),
    ("frontends", "ops", "engine"),
    ("inference", "stats"),
    ("channels", "runtime"),
    ("passes",),
    ("report",),
    ("rewrite", "render"),
    ("fleet",),
    ("api", "layer_analysis", "notebook"),
    ("analysis",),
    ("analyzer", "annotator", "integrations", "pruner"),
    ("commands",),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# One door a library: the packages that may import it.
DOORS = {
    "onnx": {"frontends", "runtime", "rewrite"},
    "onnxruntime": {"runtime"},
    "onnx_ir": {"frontends", "integrations"},
    "torch": {"frontends", "rewrite"},
    "tensorflow": {"frontends"},
    "matplotlib": {"render"},
    "graphviz": {"render"},
    "pygraphviz": {"render"},
    "rich": {"render"},
    "click": {"cli"},
    "google": {"frontends", "runtime", "rewrite"},
    "ray": {"fleet"},
}


def sources() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        if "passes" not in path.parts:
            yield path.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py"), path
    for path in sorted((ROOT / "passes").glob("*.py")):
        yield "passes", path


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported module, also of imports inside functions, but not those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.module or "", node.lineno


SOURCES = [pytest.param(layer, path, id=str(path.relative_to(ROOT))) for layer, path in sources()]


@pytest.mark.parametrize(("layer", "path"), SOURCES)
def test_a_layer_imports_only_layers_before_it(layer: str, path: Path) -> None:
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] != PACKAGE or len(parts) == 1 or parts[1] == layer:
            continue
        assert parts[1] in RANK, f"{path}:{line} imports {module}, which is in no layer"
        assert layer == "__init__" or RANK[parts[1]] < RANK[layer], f"{path}:{line}: {layer} imports {module}"


@pytest.mark.parametrize(("layer", "path"), SOURCES)
def test_a_library_enters_through_its_door(layer: str, path: Path) -> None:
    for module, line in imports(path):
        door = DOORS.get(module.split(".")[0])
        assert door is None or layer in door, f"{path}:{line}: {layer} imports {module}"


def test_every_file_is_in_a_layer() -> None:
    assert {layer for layer, _ in sources()} <= {*RANK, "__init__"}
