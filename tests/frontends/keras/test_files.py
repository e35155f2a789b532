"""Keras files: the same model as the live one, and no code of a stranger's."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_zoo import keras_nets
from model_zoo.keras_nets import keras, layers

from nnea_graph.errors import ModelError
from nnea_graph.frontends.keras.frontend import FRONTEND
from nnea_graph.frontends.shared.silence import quiet


def saved(model: Any, path: Path) -> Path:
    with quiet():
        model.save(path)
    return path


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_is_the_model_that_was_saved(suffix: str, tmp_path: Path) -> None:
    live = keras_nets.trained("residual_cnn")
    path = saved(live.model, tmp_path / f"model{suffix}")
    assert FRONTEND.takes(path)
    read, wanted = FRONTEND.convert(path, None), live.converted()
    assert [node.name for node in read.proto.graph.node] == [node.name for node in wanted.proto.graph.node]
    assert read.reference is not None
    assert wanted.reference is not None
    assert wanted.example is not None
    for found, expected in zip(read.reference(wanted.example), wanted.reference(wanted.example), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_function_in_a_file_is_not_run(suffix: str, tmp_path: Path) -> None:
    witness = tmp_path / "run"
    place = str(witness)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Lambda(lambda x: x + len(place) + Path(place).write_text("run"))]
    )
    path = saved(model, tmp_path / f"model{suffix}")
    witness.unlink()
    with pytest.raises(ModelError, match=r"file\.py:callable") as refused:
        FRONTEND.convert(path, None)
    assert "\n" not in str(refused.value)
    assert not witness.exists()


def test_a_class_of_another_module_is_not_imported(tmp_path: Path) -> None:
    good = saved(keras_nets.mlp(), tmp_path / "good.keras")
    evil = tmp_path / "evil.keras"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(evil, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1].update(
                    module="os", class_name="system", registered_name="system"
                )
                content = json.dumps(config).encode()
            target.writestr(name, content)
    with pytest.raises(ModelError, match="Keras cannot load it"):
        FRONTEND.convert(evil, None)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_what_is_no_keras_file_is_told_in_a_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(ModelError, match="No such file"):
        FRONTEND.convert(path, None)
    path.write_text("hello", encoding="utf-8")
    with pytest.raises(ModelError, match=r"this is no \.\w+ file; save it with"):
        FRONTEND.convert(path, None)
