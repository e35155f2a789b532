from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.data_inputs import inputs, joined, read
from PIL import Image

from nnea_graph.errors import DataError, UsageError
from nnea_graph.runtime.data.preprocess import Preprocess, parse_preprocess
from nnea_graph.runtime.open_data import open_data

RGB = inputs("x: float32[batch,3,height,width]")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 3), np.uint8)


def save(path: Path, pixels: Any = PIXELS) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(pixels).save(path)


def opened(folder: Path, model: str | Any, preprocess: str | None) -> Any:
    return open_data(str(folder), inputs(model) if isinstance(model, str) else model, preprocess=preprocess)


FORMS = [
    pytest.param("x: float32[batch,3,6,8]", "scale=255", PIXELS.transpose(2, 0, 1) / 255, id="nchw"),
    pytest.param("x: float32[batch,6,8,3]", "scale=255", PIXELS / 255, id="nhwc-by-shape"),
    pytest.param("x: float32[batch,h,w,c]", "layout=nhwc", PIXELS, id="nhwc-said"),
    pytest.param("x: float32[1,3,6,8]", "scale=1", PIXELS.transpose(2, 0, 1), id="fixed-batch"),
    pytest.param("x: float32[batch,3,h,w]", "mode=bgr", PIXELS[..., ::-1].transpose(2, 0, 1), id="bgr"),
    pytest.param(
        "x: float32[batch,3,h,w]",
        "scale=255,mean=0.1|0.2|0.3,std=0.5|0.6|0.7",
        ((PIXELS / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]).transpose(2, 0, 1),
        id="mean-and-std-are-in-scaled-units",
    ),
    pytest.param("x: uint8[batch,6,8,3]", None, PIXELS, id="uint8-needs-no-scale"),
    pytest.param("x: float32[batch,144]", "scale=1,mode=rgb", PIXELS.reshape(-1), id="flat"),
]


@pytest.mark.parametrize(("model", "preprocess", "expected"), FORMS)
def test_an_image_as_the_model_takes_it(
    tmp_path: Path, model: str, preprocess: str | None, expected: Any
) -> None:
    save(tmp_path / "a.png")
    (batch,) = read(opened(tmp_path, model, preprocess))
    np.testing.assert_allclose(batch.feeds["x"][0], expected, rtol=1e-6)
    assert batch.labels is None


@pytest.mark.parametrize("model", ["x: float32[batch,1,6,8]", "x: float32[batch,6,8]"])
def test_a_model_of_one_channel_gets_gray(tmp_path: Path, model: str) -> None:
    save(tmp_path / "a.png")
    (batch,) = read(opened(tmp_path, model, "scale=255"))
    luma = np.round(PIXELS @ [0.299, 0.587, 0.114])
    np.testing.assert_allclose(batch.feeds["x"].reshape(6, 8) * 255, luma, atol=1)


def test_imagenet_is_what_torchvision_does(tmp_path: Path) -> None:
    """Shorter side to 256, the middle 224 x 224, then mean and deviation: by hand with Pillow."""
    pixels = RNG.integers(0, 256, (300, 500, 3), np.uint8)
    save(tmp_path / "a.png", pixels)
    (batch,) = read(opened(tmp_path, RGB, "imagenet"))
    image = Image.fromarray(pixels).resize((426, 256), Image.Resampling.BILINEAR).crop((101, 16, 325, 240))
    wanted = (np.asarray(image) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(batch.feeds["x"][0], wanted.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)


def test_an_image_is_stretched_to_the_models_own_size(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (batch,) = read(opened(tmp_path, "x: float32[batch,3,16,12]", "scale=255"))
    assert batch.feeds["x"].shape == (1, 3, 16, 12)


def test_classes_are_numbered_by_name_and_take_turns(tmp_path: Path) -> None:
    for name, count in (("dog", 3), ("cat", 1), (".hidden", 1), ("empty", 0)):
        (tmp_path / name).mkdir()
        for number in range(count):
            save(tmp_path / name / f"{number}.png", np.full((2, 2), 10 * count + number, np.uint8))
    data = opened(tmp_path, "x: uint8[batch,1,2,2]", None)
    assert (data.samples, data.labeled) == (4, True)
    (batch,) = read(data)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1, 1, 1]
    assert batch.feeds["x"][:, 0, 0, 0].tolist() == [10, 30, 31, 32]


def test_the_first_samples_of_a_folder_a_class_are_of_every_class(tmp_path: Path) -> None:
    for name in "abc":
        for number in range(5):
            save(tmp_path / name / f"{number}.png")
    data = open_data(str(tmp_path), RGB, samples=6, preprocess="scale=255")
    (batch,) = read(data, 6)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1, 2, 0, 1, 2]


ARRAYS = [
    pytest.param("x: float32[batch,1,4,5]", (7, 4, 5), id="no-channel-axis"),
    pytest.param("x: float32[batch,1,4,5]", (7, 1, 4, 5), id="as-the-model"),
    pytest.param("x: float32[batch,1,4,5]", (7, 4, 5, 1), id="channels-last"),
    pytest.param("x: float32[batch,20]", (7, 4, 5), id="flat"),
    pytest.param("x: float32[batch,20]", (7, 20), id="flat-already"),
]


@pytest.mark.parametrize(("model", "shape"), ARRAYS)
def test_arrays_of_pixels_are_preprocessed_too(tmp_path: Path, model: str, shape: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, 256, shape, np.uint8)
    np.savez(tmp_path / "d.npz", pixels=pixels, y=np.arange(7))
    data = open_data(
        str(tmp_path / "d.npz"), inputs(model), preprocess="scale=255,mean=0.5,std=0.5,mode=gray"
    )
    found = joined(data, "x", 3)
    np.testing.assert_allclose(found.reshape(-1), pixels.reshape(-1) / 127.5 - 1, rtol=1e-5, atol=1e-6)
    assert data.labeled


def test_scale_1_takes_uint8_as_it_is() -> None:
    pixels = RNG.integers(0, 256, (3, 3, 4, 4), np.uint8)
    data = open_data(pixels, inputs("x: float32[batch,3,4,4]"), preprocess="scale=1")
    np.testing.assert_array_equal(joined(data, "x"), pixels)


REFUSALS = [
    pytest.param(
        "x: float32[batch,3,h,w]", None, "wants float32 and is given images.*--preprocess", id="scale"
    ),
    pytest.param("x: float32[batch,5,6,8]", "scale=1", "no 5 channels", id="channels"),
    pytest.param("x: float32[batch]", "scale=1", "which is no image", id="rank"),
    pytest.param("x: float32[batch,3,6,8]; n: int64[]", "scale=1", "models of one input", id="two-inputs"),
    pytest.param("x: float32[batch,3,6,8]", "size=5", r"dim 2 must be 6", id="size"),
    pytest.param("x: uint8[batch,3,6,8]", "scale=255", "wants uint8 and is given float32", id="fractions"),
]


@pytest.mark.parametrize(("model", "preprocess", "message"), REFUSALS)
def test_images_that_do_not_fit_are_one_line(
    tmp_path: Path, model: str, preprocess: str | None, message: str
) -> None:
    save(tmp_path / "a.png")
    with pytest.raises(DataError, match=message):
        read(opened(tmp_path, model, preprocess))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"", "no image that Pillow knows", id="nothing"),
        pytest.param(b"<script>", "no image that Pillow knows", id="text"),
        pytest.param(None, "no whole image", id="half"),
    ],
)
def test_a_broken_image_is_named(tmp_path: Path, raw: bytes | None, message: str) -> None:
    save(tmp_path / "a.png", RNG.integers(0, 256, (64, 64, 3), np.uint8))
    half = (tmp_path / "a.png").read_bytes()[:5000]
    (tmp_path / "a.png").write_bytes(half if raw is None else raw)
    with pytest.raises(DataError, match=rf"a\.png is {message}"):
        read(opened(tmp_path, RGB, "scale=255"))


def test_an_image_of_too_many_pixels_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    Image.new("1", (12_000, 9_000)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="more pixels than Pillow takes for safe"):
        read(opened(tmp_path, RGB, "scale=255"))


def test_without_pillow_the_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"pip install 'nnea-graph\[images\]'"):
        opened(tmp_path, RGB, "scale=255")


def test_a_preset_can_be_changed() -> None:
    found = parse_preprocess("mnist, mean=0, std=1")
    assert found == Preprocess(size=(28, 28), scale=255, mean=(0,), std=(1,), mode="gray")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("imagnet", "it takes imagenet, mnist, cifar10, or name=value", id="preset"),
        pytest.param("size=big", "size=big", id="number"),
        pytest.param("size=0", "a number of pixels", id="no-pixels"),
        pytest.param("scale=0", "above 0", id="scale"),
        pytest.param("scale=nan", "a number", id="nan"),
        pytest.param("layout=chw", "one of nchw", id="layout"),
        pytest.param("mean=1|2,std=1|2|3", "different numbers of channels", id="channels"),
        pytest.param("resize=100,size=224", "cannot be larger", id="cut"),
        pytest.param(",", "it takes imagenet", id="nothing"),
        pytest.param("scale=1|2", "scale=1|2", id="two-scales"),
    ],
)
def test_settings_that_cannot_be_meant_are_usage_errors(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_preprocess(text)
    assert "\n" not in str(caught.value)
