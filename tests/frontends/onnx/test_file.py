"""Opening model files: real ones exactly as onnx reads them, anything else with one line that says why."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_zoo.shared import CORPUS
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.onnx.file import OnnxFile, read_onnx
from nnea_graph.frontends.shared.limits import Limits

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def tensors_of(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from tensors_of(attribute.g)


def real_models() -> list[Path]:
    models = [path for path in sorted(CORPUS.glob("*.onnx")) if path.is_file()]
    return models + sorted(LIGHT.glob("*.onnx"))


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus in {CORPUS}: set NNEA_SHARED")
def test_the_corpus_is_among_the_models_read() -> None:
    assert any(path.parent == CORPUS for path in real_models())


@pytest.mark.parametrize("path", real_models(), ids=lambda path: path.stem)
def test_every_tensor_of_a_real_model_equals_what_onnx_reads(path: Path) -> None:
    file = read_onnx(path)
    reference = onnx.load(path)
    compared = 0
    for ours, theirs in zip(tensors_of(file.proto.graph), tensors_of(reference.graph), strict=True):
        expected = numpy_helper.to_array(theirs)
        values = file.constant(ours, ours.name).array()
        np.testing.assert_array_equal(values, expected.astype(values.dtype))
        compared += 1
    assert compared > 0
    assert [node.op_type for node in file.proto.graph.node] == [node.op_type for node in reference.graph.node]
    assert file.size_bytes == path.stat().st_size


def model(floats: int = 10) -> ModelProto:
    weights = numpy_helper.from_array(np.arange(floats, dtype=np.float32), "w")
    return helper.make_model(helper.make_graph([], "g", [], [], [weights]))


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    data = model(2_000_000).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(data)
    assert read_onnx(tmp_path / "m.onnx").sha256() == hashlib.sha256(data).hexdigest()


def test_a_model_in_memory_is_read_like_a_file() -> None:
    made = model(5000)
    file = OnnxFile.from_proto(made)
    assert file.constant(made.graph.initializer[0], "w").array().tolist() == list(range(5000))
    assert file.size_bytes == made.ByteSize()
    assert file.sha256() == hashlib.sha256(made.SerializeToString(deterministic=True)).hexdigest()
    with pytest.raises(ModelError, match="no graph in it"):
        OnnxFile.from_proto(ModelProto())


def test_a_model_through_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(model().SerializeToString())
    (tmp_path / "m.onnx").symlink_to("blob")
    assert read_onnx(tmp_path / "m.onnx").size_bytes == (tmp_path / "blob").stat().st_size


def test_a_path_relative_to_the_working_folder_finds_external_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(model(5000), "m.onnx", save_as_external_data=True, location="w.bin")
    file = read_onnx("m.onnx")
    assert file.constant(file.proto.graph.initializer[0], "w").array()[4999] == 4999
    assert file.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_more_than_two_gigabytes_of_inline_data_are_opened(tmp_path: Path) -> None:
    """protobuf itself parses no message over 2 GiB; the zeros take no room on the disk."""
    size = 3 << 30
    head = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[size]).SerializeToString()
    head += b"\x4a" + varint(size)
    graph = b"\x2a" + varint(len(head) + size) + head
    start = b"\x08\x0a\x3a" + varint(len(graph) + size) + graph
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + size)
        file.seek(-1, os.SEEK_END)
        file.write(b"\x07")
    opened = read_onnx(path)
    constant = opened.constant(opened.proto.graph.initializer[0], "w")
    assert constant.size == size
    assert constant.payload.elements(size - 3, size).tolist() == [0, 0, 7]


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zeros_3gb(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("model.onnx", model().SerializeToString())


def holding(data: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def nothing(path: Path) -> None:
    """Leaves the path without a file."""


NO_MODELS = [
    pytest.param(holding(b""), "the file is empty", id="zero-bytes"),
    pytest.param(holding(np.random.default_rng(0).bytes(100_000)), "no ONNX model", id="noise"),
    pytest.param(archive, "a zip archive; unpack it", id="zip"),
    pytest.param(holding(b"\x1f\x8b\x08\x00" + bytes(20)), "compressed by gzip", id="gzip"),
    pytest.param(holding(b"\x89HDF\r\n\x1a\n" + bytes(20)), "an HDF5 file", id="hdf5"),
    pytest.param(holding(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull", id="git-lfs"),
    pytest.param(holding(b"\x1c\x00\x00\x00ORTM" + bytes(20)), ".ort format", id="ort"),
    pytest.param(holding(b"\x1c\x00\x00\x00TFL3" + bytes(20)), "TensorFlow Lite", id="tflite"),
    pytest.param(holding(b"<!DOCTYPE html><html>404"), "text (HTML or XML)", id="html"),
    pytest.param(holding(b'{"irVersion": "8"}'), "text (JSON)", id="json"),
    pytest.param(holding(b"ir_version: 8\n"), "no ONNX model", id="text-format"),
    pytest.param(holding(model(5000).SerializeToString()[:9000]), "damaged or incomplete", id="first-half"),
    pytest.param(holding(b"\x08\x0a"), "there is no graph in it", id="no-graph"),
    pytest.param(holding(b"\x08" + b"\xff" * 20), "no ONNX model", id="bad-varint"),
    pytest.param(zeros_3gb, "no ONNX model", id="3-GB-of-zeros"),
    pytest.param(Path.mkdir, "this is a folder", id="folder"),
    pytest.param(os.mkfifo, "this is a named pipe", id="fifo"),
    pytest.param(nothing, "cannot be opened: No such file or directory", id="vanished"),
    pytest.param(link_to_itself, "cannot be opened: Too many levels", id="link-to-itself"),
]


@pytest.mark.parametrize(("make", "said"), NO_MODELS)
def test_what_is_no_model_is_told_in_one_line_that_begins_with_the_path_at_once(
    make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    make(path)
    started = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    assert time.perf_counter() - started < 1
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert line.isprintable()


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model().SerializeToString())
    path.chmod(0)
    user = os.geteuid()
    # Root reads every file, so this test must not be root while it reads.
    os.seteuid(user or 65534)
    try:
        with pytest.raises(ModelError, match="cannot be opened: Permission denied"):
            read_onnx(path)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(path: str) -> None:
    with pytest.raises(ModelError, match="this is a device; give the"):
        read_onnx(path)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000], ids=["nul", "long"])
def test_what_cannot_be_a_path_is_refused_in_one_line(path: str) -> None:
    with pytest.raises(ModelError, match="cannot be opened") as caught:
        read_onnx(path)
    assert str(caught.value).isprintable()


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model(5000).SerializeToString())
    with pytest.raises(LimitError, match="--limit file_bytes=N"):
        read_onnx(tmp_path / "m.onnx", Limits(file_bytes=20_000))


def test_a_refused_file_is_closed_at_once(tmp_path: Path) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    (tmp_path / "m.onnx").write_bytes(model(5000).SerializeToString()[:9000])
    for _ in range(3):
        with pytest.raises(ModelError):
            read_onnx(tmp_path / "m.onnx")
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


MEASURED = """
import re, sys
from pathlib import Path
from nnea_graph.frontends.onnx.file import read_onnx
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
file = read_onnx(sys.argv[1])
constant = file.constant(file.proto.graph.initializer[0], "w")
total = sum(int(chunk.sum()) for chunk in constant.chunks())
print(total, peak() - before)
"""


def test_reading_all_weights_in_chunks_takes_little_memory(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones(200_000_000, np.uint8), "w")
    (tmp_path / "m.onnx").write_bytes(
        helper.make_model(helper.make_graph([], "g", [], [], [weights])).SerializeToString()
    )
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "m.onnx")]
    total, kilobytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(total) == 200_000_000
    assert int(kilobytes) < 20_000
