"""Files that are no models, or only the beginning of one."""

from __future__ import annotations

import gzip
import io
import os
import random
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile.support.models import field, model, op, tensor, typed, varint
from hostile.support.running import Program
from onnx import TensorProto

GOOD = model(
    [op("MatMul", ["x", "w"], ["y"], name="matmul")], weights=[tensor("w", np.ones((4, 3000)))]
).SerializeToString()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model.onnx", GOOD)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "empty", id="zero-bytes"),
        pytest.param(b"\0" * 5000, "byte 0", id="zeros"),
        pytest.param(b"\xff" * 5000, "byte 0", id="ones"),
        pytest.param(b"\n" * 1000, "no ONNX model", id="newlines"),
        pytest.param(random.Random(1).randbytes(100_000), "no ONNX model", id="noise"),
        pytest.param(_zip(), "zip", id="zip"),
        pytest.param(gzip.compress(GOOD), "gzip", id="gzip"),
        pytest.param(b"<!DOCTYPE html><html>404", "HTML", id="html"),
        pytest.param(b'{"error": "not found"}', "JSON", id="json"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull", id="lfs-pointer"
        ),
        pytest.param(GOOD[: len(GOOD) // 2], "incomplete", id="first-half"),
        pytest.param(GOOD[:-1], "incomplete", id="all-but-one-byte"),
        pytest.param(GOOD + b"\x07", "no ONNX model", id="wire-type-7"),
        pytest.param(b"\x0b" + GOOD, "no ONNX model", id="group-start"),
        pytest.param(b"\x80" * 11 + GOOD, "no ONNX model", id="endless-varint"),
        pytest.param(b"\x08" + b"\xff" * 10 + b"\x01", "damaged", id="varint-of-11-bytes"),
        pytest.param(b"\x3a" + varint((1 << 32) - 1) + GOOD, "incomplete", id="length-of-4-gib"),
        pytest.param(b"\x3a" + varint((1 << 63) - 1) + GOOD, "incomplete", id="length-of-2-to-63"),
        pytest.param(b"\x3a" + b"\xff" * 9 + b"\x01" + GOOD, "incomplete", id="length-of-2-to-64"),
        pytest.param(b"\x08\x0a", "no graph", id="only-a-version"),
        pytest.param(field(1, b"text where a number belongs"), "no graph", id="wrong-kind-of-field"),
    ],
)
def test_what_is_no_model_is_refused_with_what_it_is(program: Program, content: bytes, said: str) -> None:
    program.refuses(content, said)


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda _: None, "No such file", id="missing"),
        pytest.param(_folder, "a folder", id="folder"),
        pytest.param(os.mkfifo, "a named pipe", id="fifo"),
        pytest.param(lambda path: path.symlink_to(path), "symbolic links", id="link-to-itself"),
        pytest.param(lambda path: path.symlink_to("nowhere.onnx"), "No such file", id="dangling-link"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "a device", id="endless-device"),
        pytest.param(lambda path: path.symlink_to("/dev/null"), "a device", id="empty-device"),
        pytest.param(lambda path: path.symlink_to("/proc/self/mem"), "", id="own-memory"),
    ],
)
def test_a_path_that_is_no_file_is_refused_at_once(
    program: Program, make: Callable[[Path], object], said: str
) -> None:
    path = program.folder / "model.onnx"
    make(path)
    program.refuses(path, said)


def test_a_socket_is_refused(program: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    del tmp_path_factory
    path = Path("/tmp") / f"nnea-{os.getpid()}.onnx"  # a socket's path must be short
    _socket(path)
    try:
        program.refuses(path, "cannot be opened")
    finally:
        path.unlink()


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\nb.onnx", "\x1b[31m.onnx", "no/such/folder/model.onnx"])
def test_a_path_that_cannot_be_is_one_line(program: Program, name: str) -> None:
    outcome = program("run", name, "--format", "json")
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert outcome.stderr.count("\n") == 1
    assert outcome.stderr[:-1].isprintable()


def test_an_unreadable_file_is_refused(program: Program) -> None:
    path = program.save(GOOD)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("whoever runs this may read everything")
    program.refuses(path, "Permission denied")


def test_a_file_of_3_gb_that_is_nearly_all_hole_is_refused_in_no_time(program: Program) -> None:
    path = program.folder / "model.onnx"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    outcome = program.run(path)
    assert outcome.code == 2
    assert outcome.peak_bytes < 500 << 20


def test_a_weight_of_1_gib_that_is_all_hole_is_counted_without_being_held(program: Program) -> None:
    """The wire says 1 GiB of raw data; the disk holds none of it, memory must not either."""
    size = 1 << 30
    raw = b"\x08" + varint(size // 4) + b"\x10\x01" + field(8, b"w") + b"\x4a" + varint(size)
    weight = b"\x2a" + varint(len(raw) + size) + raw
    node = field(1, op("Gather", ["w", "i"], ["y"], name="gather").SerializeToString())
    index = field(11, typed("i", 1, dtype=TensorProto.INT64).SerializeToString())
    output = field(12, field(1, b"y"))
    graph_size = len(node) + len(index) + len(output) + len(weight) + size
    head = b"\x08\x0a" + field(8, b"\x10\x15") + b"\x3a" + varint(graph_size) + node + index + output + weight
    path = program.folder / "model.onnx"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    outcome = program.run(path, "-p", "cost")
    assert outcome.code == 0, outcome.stderr
    assert outcome.peak_bytes < 300 << 20
    assert outcome.report["layers"][0]["parameters"] == size // 4


@pytest.mark.parametrize("seed", range(8))
def test_a_model_with_bytes_changed_at_random_ends_in_a_report_or_an_error(
    program: Program, seed: int
) -> None:
    """Every run is checked by ``Program.run``: no traceback, one line, bounded time and memory."""
    chance = random.Random(seed)
    small = model([op("Conv", ["x", "w"], ["h"], strides=[2]), op("Relu", ["h"], ["y"])]).SerializeToString()
    for _ in range(15):
        damaged = bytearray(small)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        program.run(bytes(damaged))


@pytest.mark.parametrize("name", ["digits_cnn.onnx", "digits_transformer.onnx"])
def test_a_real_model_damaged_at_random_ends_in_a_report_or_an_error(program: Program, name: str) -> None:
    original = (Path(__file__).parents[2] / "models" / name).read_bytes()
    chance = random.Random(name)
    for _ in range(12):
        damaged = bytearray(original)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        program.run(
            bytes(
                damaged[: chance.randint(len(damaged) // 2, len(damaged))]
                if chance.random() < 0.2
                else damaged
            )
        )
