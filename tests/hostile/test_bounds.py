"""Small inputs that ask for much: refused before the memory or the time is gone."""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hostile.support.models import chain, model, op, typed
from hostile.support.running import Program

POOL = model(
    [op("GlobalAveragePool", ["x"], ["y"], name="pool")],
    [typed("x", 1, 3, "h", "w")],
    [typed("y", 1, 3, 1, 1)],
)
FIT = 1 << 30


def png(width: int, height: int) -> bytes:
    """An image of one color, told in a few bytes: its data end at once."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_an_image_of_many_pixels_is_refused_before_it_is_unpacked(program: Program) -> None:
    (program.folder / "images").mkdir()
    (program.folder / "images" / "a.png").write_bytes(png(9_400, 9_400))
    outcome = program(
        "run", program.save(POOL), "--data", "images", "--preprocess", "scale=255", "-q", may_run=True
    )
    assert outcome.code == 2
    assert "9,400 × 9,400 pixels" in outcome.stderr
    assert outcome.peak_bytes < FIT // 2


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff"])
def test_a_program_that_is_called_an_image_is_not_run(program: Program, name: str) -> None:
    (program.folder / "images").mkdir()
    (program.folder / "images" / name).write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    outcome = program(
        "run", program.save(POOL), "--data", "images", "--preprocess", "scale=255", "-q", may_run=True
    )
    assert outcome.code == 2
    assert "is no image" in outcome.stderr


def turned_npz(path: Path, shape: tuple[int, ...]) -> None:
    """Zeros whose first axis runs fastest, packed: a thousandth of their size."""
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": True, "shape": shape})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as file,
    ):
        file.write(header.getvalue())
        for _ in range(4 * int(np.prod(shape)) >> 20):
            file.write(bytes(1 << 20))


@pytest.mark.parametrize("shape", [(1 << 18, 1 << 10), (1 << 28, 1)], ids=["does-not-fit", "many"])
def test_a_packed_array_in_column_order_is_refused_before_it_is_read(
    program: Program, shape: tuple[int, ...]
) -> None:
    turned_npz(program.folder / "d.npz", shape)
    made = model(
        [op("Relu", ["x"], ["y"])], [typed("x", "n", shape[1] if shape[1] == 1 else 4)], [typed("y")]
    )
    outcome = program("run", program.save(made), "--data", "d.npz", "-q", may_run=True)
    assert outcome.code == 2
    assert outcome.stderr.count("\n") == 1
    assert outcome.peak_bytes < FIT // 2


def test_a_small_packed_array_in_column_order_is_read(program: Program) -> None:
    np.savez_compressed(program.folder / "d.npz", x=np.asfortranarray(np.ones((6, 4), np.float32)))
    outcome = program(
        "run", program.save(model([op("Relu", ["x"], ["y"])])), "--data", "d.npz", "-q", may_run=True
    )
    assert outcome.code == 0, outcome.stderr


@pytest.mark.parametrize("option", [["--top-k", "1000000000"], ["-p", "pathways{k=1000000000}"]])
def test_more_paths_than_anybody_reads_are_refused(program: Program, option: list[str]) -> None:
    outcome = program("run", program.save(model([op("Relu", ["x"], ["y"])])), *option)
    assert outcome.code == 2
    assert "10" in outcome.stderr


def test_channels_of_a_model_without_a_layer_are_not_walked(program: Program) -> None:
    path = program.save(model(chain(100_000)))
    bare = program("run", path, "-p", "cost", "--format", "json")
    walked = program("run", path, "-p", "cost,channels", "--format", "json")
    assert bare.code == walked.code == 0
    assert walked.seconds < bare.seconds + 3
