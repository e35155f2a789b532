"""Defines how pixels become the numbers that a model was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import UsageError

PRESETS = {
    "imagenet": "resize=256,size=224,scale=255,mean=0.485|0.456|0.406,std=0.229|0.224|0.225,mode=rgb",
    "mnist": "size=28,scale=255,mean=0.1307,std=0.3081,mode=gray",
    "cifar10": "size=32,scale=255,mean=0.4914|0.4822|0.4465,std=0.247|0.2435|0.2616,mode=rgb",
}
"""As the training scripts of torchvision and the PyTorch examples have them."""

LAYOUTS = ("nchw", "nhwc", "nhw", "flat")
MODES = ("rgb", "bgr", "gray", "rgba")
CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1, "rgba": 4}


@dataclass(frozen=True, slots=True)
class Preprocess:
    """``(pixel / scale - mean) / std`` per channel, in a size (height, width) and layout.

    ``resize`` comes first: one number for the shorter side, or both; then ``size`` is cut from the middle.
    Without ``resize`` the image is stretched to ``size``. None leaves it to the model's input.
    """

    size: tuple[int, int] | None = None
    resize: tuple[int, ...] | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: str | None = None
    mode: str | None = None

    @property
    def keeps_integers(self) -> bool:
        """Tells whether pixels stay whole numbers."""
        return self.scale == 1 and set(self.mean) == {0.0} and set(self.std) == {1.0}

    def numbers(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels [..., channels] as float32 numbers of the same shape; untouched where nothing is to do."""
        if self.keeps_integers:
            return pixels
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        result: NDArray[Any] = (pixels.astype(np.float32) / np.float32(self.scale) - mean) / std
        return result


def parse_preprocess(text: str) -> Preprocess:
    """Read ``imagenet``, ``size=224,scale=255,mean=0.5,std=0.5``, or a preset with changes after it.

    Raises:
        UsageError: an unknown preset or setting, or a value that is none.
    """
    settings: dict[str, Any] = {}
    for item in _items(text):
        name, equals, value = item.partition("=")
        if not equals or name not in _SETTINGS:
            raise UsageError(
                f"--preprocess '{item}': it takes {', '.join(PRESETS)}, or name=value with {', '.join(_SETTINGS)}"
            )
        settings[name] = _value(name, value)
    found = Preprocess(**settings)
    _check(found, text)
    return found


def _items(text: str) -> list[str]:
    first, *rest = [item.strip().lower() for item in text.split(",") if item.strip()] or [""]
    return PRESETS.get(first, first).split(",") + rest


def _value(name: str, text: str) -> object:
    try:
        return _SETTINGS[name](text)
    except ValueError as error:
        raise UsageError(f"--preprocess {name}={text}: {error}") from error


def _sides(text: str) -> tuple[int, ...]:
    numbers = tuple(int(side) for side in text.split("x"))
    if not 1 <= len(numbers) <= 2 or min(numbers) < 1:
        raise ValueError("wanted is a number of pixels, or height x width such as 48x192")
    return numbers


def _size(text: str) -> tuple[int, int]:
    numbers = _sides(text)
    return numbers[0], numbers[-1]


def _floats(text: str) -> tuple[float, ...]:
    numbers = tuple(float(number) for number in text.split("|"))
    if not np.isfinite(numbers).all():
        raise ValueError("wanted is a number, or one a channel such as 0.5|0.4|0.3")
    return numbers


def _divisors(text: str) -> tuple[float, ...]:
    numbers = _floats(text)
    if min(numbers) <= 0:
        raise ValueError("it must be above 0")
    return numbers


def _divisor(text: str) -> float:
    (number,) = _divisors(text)
    return number


def _word(*known: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in known:
            raise ValueError(f"it is one of {', '.join(known)}")
        return text

    return check


_SETTINGS: dict[str, Callable[[str], object]] = {
    "size": _size,
    "resize": _sides,
    "scale": _divisor,
    "mean": _floats,
    "std": _divisors,
    "layout": _word(*LAYOUTS),
    "mode": _word(*MODES),
}


def _check(found: Preprocess, text: str) -> None:
    channels = {len(found.mean), len(found.std)} - {1}
    if len(channels) > 1 or (found.mode and channels - {CHANNELS[found.mode]}):
        raise UsageError(f"--preprocess '{text}': mean, std and mode say different numbers of channels")
    if (
        found.resize
        and found.size
        and min(found.resize) < (max if len(found.resize) == 1 else min)(found.size)
    ):
        raise UsageError(f"--preprocess '{text}': size is cut out after resize, so it cannot be larger")
