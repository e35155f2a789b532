"""External data is read from regular files in the model's folder, and from nowhere else."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from model_zoo.external import VALUES, first, hard_link, opened, pointing, read
from onnx import SparseTensorProto, TensorProto, helper

from nnea_graph.errors import ExternalDataError, ModelError


@pytest.mark.parametrize("location", ["w.bin", "./w.bin", "sub/w.bin", "sub//w.bin", "sub/./w.bin"])
def test_a_file_in_the_models_folder_is_read(location: str, folder: Path) -> None:
    assert read(folder, pointing(location=location)) == VALUES.tolist()
    assert read(folder, pointing(location=location, offset=0, length=4000)) == VALUES.tolist()


def test_an_offset_says_where_the_tensor_starts(folder: Path) -> None:
    (folder / "two.bin").write_bytes(bytes(64) + VALUES.tobytes() + bytes(9))
    assert read(folder, pointing(location="two.bin", offset=64)) == VALUES.tolist()


PATHS = [
    pytest.param("../outside.bin", "parent-folder", id="parent"),
    pytest.param("sub/../../outside.bin", "parent-folder", id="parent-of-sub"),
    pytest.param("sub/../w.bin", "parent-folder", id="parent-that-stays-inside"),
    pytest.param("..", "parent-folder", id="parent-alone"),
    pytest.param("/proc/self/environ", "absolute-path", id="environ"),
    pytest.param("//etc/passwd", "absolute-path", id="two-slashes"),
    pytest.param("C:/w.bin", "drive-letter", id="drive"),
    pytest.param("c:w.bin", "drive-letter", id="drive-without-slash"),
    pytest.param("..\\outside.bin", "backslash", id="backslash"),
    pytest.param("\\\\host\\share", "backslash", id="network"),
    pytest.param("w.bin\0.txt", "nul-in-path", id="nul"),
    pytest.param("\0model-file-" + "0" * 32, "nul-in-path", id="forged-marker"),
    pytest.param("", "empty-path", id="empty"),
    pytest.param(".", "empty-path", id="the-folder-itself"),
    pytest.param("./", "empty-path", id="dot-slash"),
    pytest.param("w.bin/", "folder", id="slash-at-the-end"),
    pytest.param("*/_ORT_MEM_ADDR_/*", "memory-address", id="memory-address"),
    pytest.param("x/_ORT_MEM_ADDR_/y", "memory-address", id="memory-address-inside"),
    pytest.param("none.bin", "missing", id="missing"),
    pytest.param("none/w.bin", "missing", id="missing-folder"),
    pytest.param("w.bin/w.bin", "not-a-file", id="file-as-folder"),
    pytest.param("sub", "not-a-file", id="folder"),
    pytest.param("n" * 300, "unreadable", id="name-too-long"),
    pytest.param("a/" * 20_000 + "w.bin", "missing", id="deep"),
]


@pytest.mark.parametrize(("location", "rule"), PATHS)
def test_a_path_that_breaks_a_rule_is_an_error_that_names_tensor_and_rule(
    location: str, rule: str, folder: Path
) -> None:
    with pytest.raises(ExternalDataError, match=rf"external data of tensor 'w': .*\(rule {rule}\)$"):
        read(folder, pointing(location=location))


def symlink(folder: Path) -> None:
    (folder / "x.bin").symlink_to(folder.parent / "outside.bin")


def symlink_inside(folder: Path) -> None:
    (folder / "x.bin").symlink_to("w.bin")


def broken_symlink(folder: Path) -> None:
    (folder / "x.bin").symlink_to("nowhere")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "x.bin")


def unix_socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("x.bin")
    finally:
        os.chdir(here)


def device(folder: Path) -> None:
    try:
        os.mknod(folder / "x.bin", 0o020666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (symlink, "symlink"),
        (symlink_inside, "symlink"),
        (broken_symlink, "symlink"),
        (hard_link, "hard-link"),
        (fifo, "not-a-file"),
        (unix_socket, "not-a-file"),
        (device, "not-a-file"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_only_regular_files_with_one_name_are_opened(
    make: Callable[[Path], None], rule: str, folder: Path
) -> None:
    make(folder)
    with pytest.raises(ExternalDataError, match=rf"tensor 'w': .*\(rule {rule}\)$"):
        read(folder, pointing(location="x.bin"))


def test_a_folder_that_is_a_link_is_not_passed(folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent)
    with pytest.raises(ExternalDataError, match=r"\(rule symlink\)"):
        read(folder, pointing(location="out/outside.bin"))


def test_a_folder_that_may_not_be_entered_is_unreadable(folder: Path) -> None:
    file = opened(folder, pointing(location="sub/w.bin"))
    folder.chmod(0)
    user = os.geteuid()
    # Root enters every folder, so this test must not be root while it reads.
    os.seteuid(user or 65534)
    try:
        with pytest.raises(ExternalDataError, match=r"\(rule unreadable\)"):
            first(file)
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


NUMBERS = [
    pytest.param({"offset": 1}, "out-of-range", id="one-byte-past-the-end"),
    pytest.param({"offset": 4001}, "out-of-range", id="offset-past-the-end"),
    pytest.param({"offset": 2**64 - 8}, "out-of-range", id="offset-2^64-8"),
    pytest.param({"offset": 2**63 - 4000, "length": 4000}, "out-of-range", id="sum-overflows-63-bits"),
    pytest.param({"length": 2**60}, "wrong-length", id="length-2^60"),
    pytest.param({"length": 3996}, "wrong-length", id="length-short-of-the-dims"),
    pytest.param({"length": 0}, "wrong-length", id="length-0"),
    pytest.param({"offset": -1}, "bad-number", id="negative"),
    pytest.param({"offset": "0x10"}, "bad-number", id="hexadecimal"),
    pytest.param({"offset": ""}, "bad-number", id="empty"),
    pytest.param({"offset": " 0"}, "bad-number", id="space"),
    pytest.param({"offset": "0\n"}, "bad-number", id="newline"),
    pytest.param({"offset": "1_0"}, "bad-number", id="underscore"),
    pytest.param({"offset": "\u0660"}, "bad-number", id="other-digits"),
    pytest.param({"offset": "1e3"}, "bad-number", id="float"),
    pytest.param({"length": "9" * 5000}, "bad-number", id="5000-digits"),
]


@pytest.mark.parametrize(("entries", "rule"), NUMBERS)
def test_a_number_that_cannot_be_is_an_error_that_names_tensor_and_rule(
    entries: dict[str, str | int], rule: str, folder: Path
) -> None:
    with pytest.raises(ExternalDataError, match=rf"tensor 'w': .*\(rule {rule}\)$"):
        read(folder, pointing(location="w.bin", **entries))


def test_entries_that_are_missing_or_there_twice_are_errors(folder: Path) -> None:
    with pytest.raises(ExternalDataError, match=r"\(rule empty-path\)"):
        read(folder, pointing(offset=0))
    twice = pointing(location="w.bin")
    twice.external_data.add(key="location", value="sub/w.bin")
    with pytest.raises(ExternalDataError, match=r"\(rule entry-twice\)"):
        read(folder, twice)


def test_small_data_of_its_own_beside_external_data_is_an_error(folder: Path) -> None:
    both = pointing(location="w.bin")
    both.raw_data = b"1234"
    with pytest.raises(ModelError, match="tensor 'w' has data in raw_data and in external_data"):
        read(folder, both)


def test_an_entry_that_is_not_utf8_is_an_error(folder: Path) -> None:
    tensor = TensorProto.FromString(
        pointing(location="w.bin").SerializeToString().replace(b"w.bin", b"\xff\xfe\xff\xfe\xff")
    )
    with pytest.raises(ModelError, match="external data entry of tensor 'w' is not valid UTF-8"):
        read(folder, tensor)


def in_sparse_values(tensor: TensorProto) -> SparseTensorProto:
    return SparseTensorProto(values=tensor, dims=[1000])


def test_sparse_tensors_are_read_by_the_same_rules(folder: Path) -> None:
    file = opened(folder, pointing(location="w.bin"))
    with pytest.raises(ExternalDataError, match=r"'w \(values\)'.*\(rule parent-folder\)"):
        file.sparse_constant(in_sparse_values(pointing(location="../outside.bin")), "w")
    indices = helper.make_tensor("i", TensorProto.INT64, [1000], np.arange(1000))
    good = SparseTensorProto(values=pointing(location="w.bin"), indices=indices, dims=[1000])
    assert file.sparse_constant(good, "w").array().tolist() == VALUES.tolist()
