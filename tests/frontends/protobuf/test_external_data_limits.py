"""External data under limits: bytes, shared regions, descriptors, files that change."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from model_zoo.external import VALUES, first, hard_link, model_of, open_files, opened, pointing, read

from nnea_graph.errors import ExternalDataError, LimitError, ModelError
from nnea_graph.frontends.onnx.file import OnnxFile
from nnea_graph.frontends.shared.limits import Limits


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
