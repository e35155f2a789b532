"""Links lead out of a model's folder only where --allow-external says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_zoo.external import VALUES, first, hard_link, model_of, pointing, read

from nnea_graph.errors import ExternalDataError
from nnea_graph.frontends.onnx.file import read_onnx


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The layout of the Hugging Face cache: everything is a link into ``blobs``."""
    root = tmp_path / "hub" / "models--a--b"
    snapshot = root / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (root / "blobs").mkdir()
    (root / "blobs" / "aa").write_bytes(VALUES.tobytes())
    model = model_of(pointing(location="model.onnx_data"))
    (root / "blobs" / "bb").write_bytes(model.SerializeToString())
    (snapshot / "model.onnx").symlink_to("../../blobs/bb")
    (snapshot / "model.onnx_data").symlink_to("../../blobs/aa")
    return snapshot / "model.onnx"


def test_a_model_in_the_hugging_face_cache_needs_the_option_and_the_error_says_so(cache: Path) -> None:
    with pytest.raises(ExternalDataError, match=r"--allow-external DIR .*\(rule symlink\)"):
        first(read_onnx(cache))
    assert first(read_onnx(cache, allow_external=cache.parents[2])) == VALUES.tolist()
    assert first(read_onnx(cache, allow_external=cache.parents[3])) == VALUES.tolist()


def test_links_out_of_the_allowed_folder_stay_refused(cache: Path) -> None:
    with pytest.raises(ExternalDataError, match=r"\(rule outside-allowed\)"):
        first(read_onnx(cache, allow_external=cache.parent))
    secret = cache.parents[3] / "secret"
    secret.write_bytes(VALUES.tobytes())
    data = cache.parent / "model.onnx_data"
    data.unlink()
    data.symlink_to(secret)
    with pytest.raises(ExternalDataError, match=r"\(rule outside-allowed\)"):
        first(read_onnx(cache, allow_external=cache.parents[2]))


def test_a_folder_is_not_allowed_because_its_name_begins_alike(cache: Path) -> None:
    root = cache.parents[2]
    other = root.with_name(root.name + "-evil")
    other.mkdir()
    (other / "aa").write_bytes(VALUES.tobytes())
    data = cache.parent / "model.onnx_data"
    data.unlink()
    data.symlink_to(other / "aa")
    with pytest.raises(ExternalDataError, match=r"\(rule outside-allowed\)"):
        first(read_onnx(cache, allow_external=root))


def test_hard_links_in_the_allowed_folder_are_read(folder: Path) -> None:
    hard_link(folder)
    assert read(folder, pointing(location="x.bin"), allow=folder.parent) == VALUES.tolist()


def test_the_option_does_not_loosen_the_rules_of_paths(folder: Path) -> None:
    with pytest.raises(ExternalDataError, match=r"\(rule parent-folder\)"):
        read(folder, pointing(location="../outside.bin"), allow=folder.parent)
    (folder / "x.bin").symlink_to("/dev/zero")
    with pytest.raises(ExternalDataError, match=r"\(rule not-a-file\)"):
        read(folder, pointing(location="x.bin"), allow=Path("/"))
