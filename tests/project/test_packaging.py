"""The wheel holds every package of the tree: they are listed by hand, as the passes lie behind a link."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_package_is_listed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "nnea_graph").rglob("__init__.py")
        if "passes" not in file.parts
    }
    assert sorted(settings["packages"]) == sorted({*found, "nnea_graph.passes"})


def test_passes_is_the_link_to_the_folder_of_passes() -> None:
    assert (ROOT / "nnea_graph" / "passes").resolve() == ROOT / "passes"
