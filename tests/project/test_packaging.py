"""The wheel holds every package of the tree, the passes behind their link too."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_folder_of_modules_is_a_package() -> None:
    """setuptools finds packages by this file; ``.ci/run`` tries the wheel."""
    folders = {file.parent for file in (ROOT / "nnea_graph").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_passes_is_the_link_to_the_folder_of_passes() -> None:
    assert (ROOT / "nnea_graph" / "passes").resolve() == ROOT / "passes"
