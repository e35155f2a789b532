"""The tree as a map: imports run one way, a folder is a room, a name is one thing. Sources are read, not imported."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "nnea_graph"

# Top-level boxes, first to last; those of one line do not import each other.
LAYERS = (
    ("errors",),
    ("process",),
    ("graph",),
    ("frontends", "ops", "engine"),
    ("static", "stats"),
    ("channels", "runtime"),
    ("passes",),
    ("report",),
    ("rewrite", "render"),
    ("fleet",),
    ("api",),
    ("integrations",),
    ("commands",),
    ("__main__",),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# One door a library: the packages that may import it.
DOORS = {
    "onnx": {"frontends", "runtime", "rewrite"},
    "onnxruntime": {"runtime"},
    "onnx_graphsurgeon": {"frontends"},
    "onnx_ir": {"frontends", "integrations"},
    "torch": {"frontends", "rewrite"},
    "tensorflow": {"frontends"},
    "matplotlib": {"render"},
    "graphviz": {"render"},
    "pygraphviz": {"render"},
    "rich": {"render"},
    "click": {"commands"},
    "google": {"frontends", "runtime", "rewrite"},
    "ray": {"fleet"},
}

ROOM = 18
"""Modules that a folder holds at most."""
CATALOGUES = {"nnea_graph.ops.costs"}
"""Folders that one reads by name, one family of operators a file: they may be longer."""

FAMILIES = frozenset(
    [
        "add",
        "attention",
        "attention_cached",
        "attention_linear",
        "attention_projected",
        "cast",
        "control_flow",
        "convolution",
        "creation",
        "einsum",
        "elementwise",
        "gates",
        "generation",
        "image",
        "indexing",
        "layout",
        "matmul",
        "matmul_packed",
        "mixture_of_experts",
        "ml",
        "ml_trees",
        "multiply",
        "nchwc",
        "no_channels",
        "normalization",
        "pooling",
        "quantization",
        "random",
        "recurrent",
        "reduction",
        "reshape",
        "rotary",
        "signal",
        "softmax",
        "sorting",
        "standard",
        "text",
        "training",
    ]
)
"""Names of families of operators, the same in every folder of rules."""


def module_of(path: Path) -> str:
    """``passes/`` is imported as a sub-package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = (PACKAGE, *parts) if parts[0] == "passes" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, tuple[Path, ast.Module]]:
    """Every module, parsed once."""
    paths = [path for path in sorted((ROOT / PACKAGE).rglob("*.py")) if "passes" not in path.parts]
    paths += sorted((ROOT / "passes").glob("*.py"))
    return {module_of(path): (path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths}


def layer_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def folder_of(module: str) -> str:
    return module if trees()[module][0].name == "__init__.py" else module.rpartition(".")[0]


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every imported module, also of imports inside functions, but not those for type checkers."""
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
            assert node.level == 0, f"line {node.lineno} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in trees() else node.module or ""), node.lineno


@cache
def imported() -> dict[str, list[tuple[str, int]]]:
    """What each module imports, and where."""
    return {module: list(imports(tree)) for module, (_, tree) in trees().items()}


@cache
def between_files() -> nx.DiGraph[str]:
    pairs = ((one, other) for one, found in imported().items() for other, _ in found if other in trees())
    return nx.DiGraph(pairs)


@cache
def families() -> dict[str, list[str]]:
    """The folders that a table of rules loads: the ``families=`` of every ``Registry``, with their modules."""
    found = {
        str(keyword.value.value)
        for _, tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Registry"
        for keyword in node.keywords
        if keyword.arg == "families" and isinstance(keyword.value, ast.Constant)
    }
    return {
        folder: [
            name
            for name in trees()
            if name.startswith(f"{folder}.") and name.count(".") == folder.count(".") + 1
        ]
        for folder in sorted(found)
    }


@pytest.mark.parametrize("module", trees())
def test_a_layer_imports_only_layers_before_it(module: str) -> None:
    layer = layer_of(module)
    for other, line in imported()[module]:
        if not other.startswith(f"{PACKAGE}.") or layer_of(other) == layer:
            continue
        assert layer_of(other) in RANK, f"{module}:{line} imports {other}, which is in no layer"
        assert layer == "__init__" or RANK[layer_of(other)] < RANK[layer], f"{module}:{line} imports {other}"


@pytest.mark.parametrize("module", trees())
def test_a_library_enters_through_its_door(module: str) -> None:
    for other, line in imported()[module]:
        door = DOORS.get(other.split(".")[0])
        assert door is None or layer_of(module) in door, f"{module}:{line} imports {other}"


def test_every_file_is_in_a_layer() -> None:
    assert {layer_of(module) for module in trees()} <= {*RANK, "__init__"}


def test_the_drawing_of_the_top_has_at_most_20_boxes_and_no_way_back() -> None:
    """The package's own ``__init__`` is no box: whatever is imported imports it first."""
    pairs = ((layer_of(one), layer_of(other)) for one, other in between_files().edges)
    top = nx.DiGraph((one, other) for one, other in pairs if one != other and "__init__" not in {one, other})
    assert len(top) <= 20
    assert nx.is_directed_acyclic_graph(top)


def test_no_two_folders_import_each_other() -> None:
    pairs = {(folder_of(one), folder_of(other)) for one, other in between_files().edges}
    assert not {
        (one, other) for one, other in pairs if one < other and (other, one) in pairs and one != PACKAGE
    }


def test_no_files_import_each_other_in_a_circle() -> None:
    assert [
        sorted(found) for found in nx.strongly_connected_components(between_files()) if len(found) > 1
    ] == []


def test_a_folder_is_a_room_and_not_a_warehouse() -> None:
    sizes = Counter(folder_of(module) for module, (path, _) in trees().items() if path.name != "__init__.py")
    assert {folder: size for folder, size in sizes.items() if size > ROOM}.keys() <= CATALOGUES


def test_a_class_name_is_one_thing() -> None:
    homes = defaultdict(list)
    for module, (_, tree) in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_a_family_of_operators_has_one_name_in_all_tables() -> None:
    assert len(families()) >= 6
    used = {module.rpartition(".")[2] for modules in families().values() for module in modules}
    assert used == FAMILIES


def test_only_rules_lie_where_families_are_loaded() -> None:
    """A module of a family registers a rule: at its top it calls or decorates with a table's function."""
    tables = {"add", "register", *_registrars()}
    for modules in families().values():
        for module in modules:
            calls = {
                getattr(node.func, "attr", getattr(node.func, "id", ""))
                for node in ast.walk(trees()[module][1])
                if isinstance(node, ast.Call)
            }
            assert calls & tables, f"{module} registers no rule"


def _registrars() -> set[str]:
    """Functions and names outside of the families that register a rule."""
    found = set()
    for module, (_, tree) in trees().items():
        if any(module in modules for modules in families().values()):
            continue
        for node in tree.body:
            text = ast.unparse(node)
            if isinstance(node, ast.FunctionDef) and "_RULES.add" in text:
                found.add(node.name)
            if isinstance(node, ast.Assign) and ".register" in text:
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("folder", ["schema", "sections", "findings"])
def test_a_part_of_the_report_has_one_name_in_schema_sections_and_findings(folder: str) -> None:
    """No prefix or suffix repeats the folder, as in ``sensitivity_schema.py``."""
    names = [
        module.rpartition(".")[2] for module in trees() if module.startswith(f"{PACKAGE}.report.{folder}.")
    ]
    assert names
    assert not [name for name in names if folder.rstrip("s") in name]
