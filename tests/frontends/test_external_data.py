"""External data is read from regular files in the model's folder, and from nowhere else."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, SparseTensorProto, TensorProto, helper

from nnea_graph.errors import ExternalDataError, LimitError, ModelError
from nnea_graph.frontends.limits import Limits
from nnea_graph.frontends.read_onnx import OnnxFile, read_onnx

VALUES = np.arange(1000, dtype=np.float32)


def pointing(**entries: str | int) -> TensorProto:
    """A tensor of 1,000 floats whose data is elsewhere."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1000])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def model_of(tensor: TensorProto) -> ModelProto:
    return helper.make_model(helper.make_graph([], "g", [], [], [tensor]))


def opened(
    folder: Path, tensor: TensorProto, allow: Path | None = None, limits: Limits | None = None
) -> OnnxFile:
    (folder / "m.onnx").write_bytes(model_of(tensor).SerializeToString())
    return read_onnx(folder / "m.onnx", limits, allow)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def read(folder: Path, tensor: TensorProto, allow: Path | None = None) -> list[float]:
    file = opened(folder, tensor, allow)
    values: list[float] = file.constant(file.proto.graph.initializer[0], "w").array().tolist()
    return values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with good data in it and beside it."""
    made = tmp_path / "model"
    (made / "sub").mkdir(parents=True)
    for place in (made / "w.bin", made / "sub" / "w.bin", tmp_path / "outside.bin"):
        place.write_bytes(VALUES.tobytes())
    return made


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


def hard_link(folder: Path) -> None:
    (folder / "x.bin").hardlink_to(folder.parent / "outside.bin")


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


def first(file: OnnxFile) -> list[float]:
    values: list[float] = file.constant(file.proto.graph.initializer[0], "w").array().tolist()
    return values


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


def test_thousands_of_tensors_on_one_region_cost_nothing_until_they_exceed_the_limit(folder: Path) -> None:
    file = opened(folder, pointing(location="w.bin"))
    started = time.perf_counter()
    for number in range(5000):
        file.constant(file.proto.graph.initializer[0], f"w{number}")
    assert time.perf_counter() - started < 5
    assert file.size_bytes == (folder / "m.onnx").stat().st_size + 4000

    with (folder / "w.bin").open("wb") as data:
        data.truncate(4 << 20)
    large = pointing(location="w.bin")
    large.dims[:] = [1 << 20]
    file = opened(folder, large)
    for number in range(256):
        file.constant(file.proto.graph.initializer[0], f"w{number}")
    with pytest.raises(ExternalDataError, match=r"--limit sharing=N \(rule sharing\)"):
        file.constant(file.proto.graph.initializer[0], "w256")


def test_the_same_tensor_asked_for_again_is_not_counted_again(folder: Path) -> None:
    with (folder / "w.bin").open("wb") as data:
        data.truncate(4 << 20)
    large = pointing(location="w.bin")
    large.dims[:] = [1 << 20]
    file = opened(folder, large)
    for _ in range(2000):
        assert file.constant(file.proto.graph.initializer[0], "w").size == 1 << 20


def test_a_file_over_the_limit_of_bytes_is_refused(folder: Path) -> None:
    file = opened(folder, pointing(location="w.bin"), limits=Limits(file_bytes=3000))
    with pytest.raises(LimitError, match="--limit file_bytes=N"):
        first(file)


def test_more_files_than_descriptors_can_be_read(folder: Path) -> None:
    count = 200
    for number in range(count):
        (folder / f"{number}.bin").write_bytes(np.full(1000, number, np.float32).tobytes())
    file = opened(folder, pointing(location="w.bin"))
    held = open_files()
    constants = [file.constant(pointing(location=f"{n}.bin"), f"w{n}") for n in range(count)]
    assert open_files() - held <= 64
    assert [constant.array()[999] for constant in constants] == list(range(count))
    (folder / "199.bin").unlink()
    (folder / "199.bin").write_bytes(VALUES.tobytes())
    with pytest.raises(ModelError, match="was replaced while it was read"):
        constants[199].array()


def test_files_close_with_the_model_and_with_the_last_constant(folder: Path) -> None:
    before = open_files()
    file = opened(folder, pointing(location="w.bin"))
    constant = file.constant(file.proto.graph.initializer[0], "w")
    del file
    assert constant.array()[999] == 999
    del constant
    assert open_files() == before
    with opened(folder, pointing(location="w.bin")) as file:
        constant = file.constant(file.proto.graph.initializer[0], "w")
    assert open_files() == before
    with pytest.raises(ModelError, match="is closed"):
        constant.array()


def test_refused_files_leave_no_descriptor_open(folder: Path) -> None:
    before = open_files()
    hard_link(folder)
    for location in ("x.bin", "sub", "none.bin", "w.bin/x", "sub/none"):
        with pytest.raises(ExternalDataError):
            read(folder, pointing(location=location))
    assert open_files() == before


def test_a_file_cut_short_while_it_is_used_is_an_error(folder: Path) -> None:
    file = opened(folder, pointing(location="w.bin"))
    constant = file.constant(file.proto.graph.initializer[0], "w")
    os.truncate(folder / "w.bin", 100)
    with pytest.raises(ModelError, match="became shorter while it was read"):
        constant.array()


def test_a_model_in_memory_has_external_data_only_with_a_folder(folder: Path) -> None:
    model = model_of(pointing(location="w.bin"))
    assert first(OnnxFile.from_proto(model, folder=folder)) == VALUES.tolist()
    with pytest.raises(ExternalDataError, match=r"\(rule no-folder\)"):
        first(OnnxFile.from_proto(model))


def test_an_error_shows_no_control_characters_of_the_file(folder: Path) -> None:
    with pytest.raises(ExternalDataError, match=re.escape(r"'a\nb\x1b[31m\u202e'")) as caught:
        read(folder, pointing(location="a\nb\x1b[31m\u202e"))
    assert str(caught.value).removeprefix(str(folder)).isprintable()
