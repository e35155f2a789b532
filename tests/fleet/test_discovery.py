from __future__ import annotations

from pathlib import Path

import pytest

from nnea_graph.errors import UsageError
from nnea_graph.fleet.discovery import find_models, slug


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.onnx", "a.onnx", "notes.txt", "sub/c.tflite", "saved/saved_model.pb", "saved/x.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_gives_every_model_in_it_and_a_saved_model_is_one(tree: Path) -> None:
    assert [Path(each).relative_to(tree).as_posix() for each in find_models([str(tree)])] == [
        "a.onnx",
        "b.onnx",
        "saved",
        "sub/c.tflite",
    ]


def test_globs_lists_and_files_give_each_model_once(tree: Path) -> None:
    (tree / "list.txt").write_text("# mine\nb.onnx\n\nsub\n", encoding="utf-8")
    assert find_models(["*.onnx", "@list.txt", "a.onnx"]) == ["a.onnx", "b.onnx", "sub/c.tflite"]
    assert find_models([str(tree / "*.onnx")]) == [str(tree / "a.onnx"), str(tree / "b.onnx")]


@pytest.mark.parametrize("path", ["*.pt2", "@none.txt"])
@pytest.mark.usefixtures("tree")
def test_a_path_that_names_nothing_is_an_error(path: str) -> None:
    with pytest.raises(UsageError):
        find_models([path])


def test_a_folder_without_models_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model there"):
        find_models([str(tmp_path)])


def test_file_names_of_results_differ_and_stay_in_their_folder() -> None:
    names = [slug(path) for path in ("a/b.onnx", "a_b.onnx", "../../etc/passwd", "\udc80", "a" * 5000)]
    assert len(set(names)) == len(names)
    assert all("/" not in name and not name.startswith(".") and len(name) < 120 for name in names)
