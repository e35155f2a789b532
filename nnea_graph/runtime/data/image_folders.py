"""A folder of images, or of one folder a class, as data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.chunked import ChunkedData, parted
from nnea_graph.runtime.data.columns import ArrayColumn
from nnea_graph.runtime.data.image_inputs import Picture, picture
from nnea_graph.runtime.data.preprocess import Preprocess
from nnea_graph.runtime.data.samples import SampleBlock, part_of

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Of those suffixes; whatever a file is called, it is read as nothing else: PostScript would be run."""
_MOST_PIXELS = 1 << 25
"""Of an image that is not resized: each takes 4 bytes a channel then."""
_PILLOW_MODES = {"rgb": "RGB", "bgr": "RGB", "gray": "L", "rgba": "RGBA"}


@dataclass(frozen=True, slots=True)
class _Labeled:
    path: Path
    label: int | None


def image_files(folder: Path) -> list[Path]:
    """The images right in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def class_folders(folder: Path) -> list[Path]:
    """The folders in a folder that hold images, by name: their places are the class numbers."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [path for path in subfolders if image_files(path)]


def image_data(
    folder: Path, inputs: Mapping[str, TensorInfo], settings: Preprocess | None, limit: int | None
) -> ChunkedData:
    """The images of a folder, in the order of their names.

    With one folder a class, images of all classes take turns, so that the first N are of every class.

    Raises:
        DataError: the model takes no images, an image cannot be read, or Pillow is not installed.
    """
    name, info = _image_input(folder, inputs)
    if settings is None and info.dtype and info.dtype.kind == "float":
        raise DataError(
            f"input '{name}' ({folder}) wants {info.dtype} and is given images, whose scale nobody says; add "
            "--preprocess with a preset (imagenet, mnist, cifar10) or such as size=224,scale=255"
        )
    shown = picture(info, settings or Preprocess(), f"input '{name}'")
    files = _files(folder)
    _require_pillow(folder)

    def parts() -> Iterator[SampleBlock]:
        return (_part(each, name, inputs, shown) for each in files)

    return parted(str(folder), parts, len(files), limit)


def _image_input(folder: Path, inputs: Mapping[str, TensorInfo]) -> tuple[str, TensorInfo]:
    if len(inputs) != 1:
        raise DataError(
            f"{folder}: images feed models of one input, this one has {', '.join(inputs)}; give arrays (.npz)"
        )
    return next(iter(inputs.items()))


def _files(folder: Path) -> list[_Labeled]:
    loose = image_files(folder)
    if loose:
        return [_Labeled(path, None) for path in loose]
    classes = [
        [_Labeled(path, number) for path in image_files(each)]
        for number, each in enumerate(class_folders(folder))
    ]
    return [each for each in chain.from_iterable(zip_longest(*classes)) if each is not None]


def _part(each: _Labeled, name: str, inputs: Mapping[str, TensorInfo], shown: Picture) -> SampleBlock:
    pixels = shown.arranged(_pixels(each.path, shown)[None])
    wanted = inputs[name].dtype
    if wanted and wanted.kind == "float":
        pixels = pixels.astype(np.float32, copy=False)
    arrays = {name: ArrayColumn(str(each.path), pixels)}
    if each.label is not None:
        arrays["labels"] = ArrayColumn(f"class of {each.path}", np.array([each.label]))
    return part_of(arrays, inputs, str(each.path))


def _pixels(path: Path, shown: Picture) -> NDArray[np.uint8]:
    """One image as [height, width, channels]."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only images need Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.init()
            with Image.open(path, formats=[each for each in _FORMATS if each in Image.OPEN]) as opened:
                _check_size(path, opened, shown)
                if opened.mode.startswith(("I", "F")):
                    raise DataError(f"{path} has {opened.mode} pixels; save it with 8 bits a channel")
                image = _sized(opened.convert(_PILLOW_MODES[shown.mode]), shown)
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is no image that Pillow knows") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no whole image: {error}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path} has more pixels than Pillow takes for safe; make it smaller") from error
    pixels: NDArray[np.uint8] = np.asarray(image, np.uint8)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return pixels[..., ::-1] if shown.mode == "bgr" else pixels


def _check_size(path: Path, image: Image, shown: Picture) -> None:
    """Checks the size before anything is unpacked; Pillow itself refuses what is larger still."""
    settings = shown.settings
    if not settings.resize and not settings.size and image.width * image.height > _MOST_PIXELS:
        raise DataError(
            f"{path} has {image.width:,} × {image.height:,} pixels, over {_MOST_PIXELS:,};"
            " let it be resized: --preprocess size=224"
        )


def _sized(image: Image, shown: Picture) -> Image:
    """Resized, then cut out of the middle, as torchvision does."""
    from PIL.Image import Resampling  # noqa: PLC0415

    settings = shown.settings
    if settings.resize:
        image = image.resize(_resized(image, settings.resize), Resampling.BILINEAR)
    elif settings.size:
        height, width = settings.size
        image = image.resize((width, height), Resampling.BILINEAR)
    if settings.size is None:
        return image
    height, width = settings.size
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def _resized(image: Image, sides: tuple[int, ...]) -> tuple[int, int]:
    """Width and height after resizing; one number is for the shorter side."""
    if len(sides) == 2:
        return sides[1], sides[0]
    shorter = min(image.width, image.height)
    return image.width * sides[0] // shorter, image.height * sides[0] // shorter


def _require_pillow(folder: Path) -> None:
    try:
        import PIL  # noqa: F401, PLC0415
    except ImportError as error:
        raise DataError(f"{folder}: reading images needs Pillow; pip install 'nnea-graph[images]'") from error


def has_images(folder: Path) -> bool:
    """Tells whether a folder is one for ``image_data``."""
    return bool(image_files(folder) or class_folders(folder))
