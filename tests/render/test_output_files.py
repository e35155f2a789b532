"""Two files that need each other are there together, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from nnea_graph.errors import OutputError
from nnea_graph.render.output_files import whole_pair


def write(folder: Path, text: bytes, stop: type[BaseException] | None = None) -> None:
    with whole_pair(folder / "model", folder / "model.data") as (file, other):
        file.write(text)
        other.write(text * 2)
        if stop is not None:
            raise stop


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_both_are_written_and_replaced(tmp_path: Path) -> None:
    write(tmp_path, b"one")
    assert content(tmp_path) == {"model": b"one", "model.data": b"oneone"}
    write(tmp_path, b"two")
    assert content(tmp_path) == {"model": b"two", "model.data": b"twotwo"}


@pytest.mark.parametrize("old", [False, True], ids=["nothing there", "older ones there"])
def test_what_fails_while_it_is_written_changes_nothing(tmp_path: Path, *, old: bool) -> None:
    if old:
        write(tmp_path, b"old")
    before = content(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, b"new", KeyboardInterrupt)
    assert content(tmp_path) == before


def test_a_full_disk_is_found_before_anything_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write(tmp_path, b"new")
    assert content(tmp_path) == {}


def test_an_older_model_is_never_left_with_newer_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two: the weights are in their place, the model is not."""
    write(tmp_path, b"old")
    seen: list[dict[str, bytes]] = []
    replace = os.replace

    def watched(source: str, target: Path) -> None:
        replace(source, target)
        seen.append(content(tmp_path))

    monkeypatch.setattr(os, "replace", watched)
    write(tmp_path, b"new")
    first, last = ({name: text for name, text in each.items() if name[0] != "."} for each in seen)
    assert first == {"model.data": b"newnew"}
    assert last == {"model": b"new", "model.data": b"newnew"}
