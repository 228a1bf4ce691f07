"""A bare set of images, all of one size: a folder, a zip archive or a NumPy array."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganlab.components import ImageSpec
from ganlab.data.files import ImageFiles
from ganlab.data.source import BadImageError, ImageSource
from ganlab.errors import GanlabError, UsageError
from ganlab.files import explained

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["ImageSet", "PixelSet", "describe", "open_image_set"]

_CHANNELS = {"1": 1, "L": 1, "I": 1, "I;16": 1, "LA": 2, "La": 2, "RGBA": 4, "RGBa": 4, "PA": 4}
"""Channels by Pillow's mode; all others are colour."""

_COLOURS = {1: "grayscale", 2: "grayscale with alpha", 3: "RGB", 4: "RGB with alpha"}


class ImageSet(ImageSource):
    """Images that must be alike: the first one says how.

    Args:
        path: where they are, and what errors call the set.
        uniform: whether images of another size or with other channels than the first one's are bad.
        max_pixels: as in `ganlab.data.packing.pack`, for the first image.
    """

    def __init__(self, path: Path, *, uniform: bool, max_pixels: int | None = None) -> None:
        self.path = path
        self._uniform = uniform
        self._max_pixels = max_pixels
        self._spec: ImageSpec | None = None

    @property
    def spec(self) -> ImageSpec:
        """Size and channels of the first image.

        Raises:
            GanlabError: it cannot be decoded.
        """
        if self._spec is None:
            from ganlab.data.images import pixel_limit

            try:
                with pixel_limit(self._max_pixels):
                    self._spec = _spec_of(self._decode(0))
            except BadImageError as error:
                raise GanlabError(str(error)) from error
        return self._spec

    def read(self, index: int) -> Image:
        """Return image `index`.

        Raises:
            BadImageError: it cannot be decoded, or is unlike the first one.
        """
        image = self._decode(index)
        found = _spec_of(image)
        if self._uniform and found != self.spec:
            raise BadImageError(
                self.place(index),
                f"is {describe(found)}, while the first image of {self.path} is {describe(self.spec)}; "
                "resized images change every metric, so say what they should become: --size, --channels",
            )
        return image

    def _decode(self, index: int) -> Image:
        raise NotImplementedError


class _Files(ImageSet):
    def __init__(self, path: Path, files: ImageFiles, *, uniform: bool, max_pixels: int | None) -> None:
        super().__init__(path, uniform=uniform, max_pixels=max_pixels)
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def place(self, index: int) -> str:
        return self._files.place(self._files.names[index])

    def revisions(self) -> list[str]:
        return self._files.revisions()

    def _decode(self, index: int) -> Image:
        return self._files.open(self._files.names[index])


class PixelSet(ImageSet):
    """Images that are there as an array already.

    Args:
        pixels: uint8 `(N, H, W)` or `(N, H, W, C)` with 1 to 4 channels.
        path: as of any `ImageSet`.
        uniform: as of any `ImageSet`.

    Raises:
        UsageError: the array is none of these.
    """

    def __init__(self, pixels: NDArray[Any], path: Path, *, uniform: bool) -> None:
        super().__init__(path, uniform=uniform)
        self.pixels = _checked(pixels, path)

    def __len__(self) -> int:
        return len(self.pixels)

    def fingerprint(self) -> str:
        """Return a digest of shape and pixels."""
        digest = hashlib.sha256(str(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()

    def place(self, index: int) -> str:
        """Return the set's name, with the index."""
        return f"{self.path}[{index}]"

    def _decode(self, index: int) -> Image:
        return _image(self.pixels[index])


class _Array(ImageSet):
    """A `.npy` file, which each process maps for itself."""

    def __init__(self, path: Path, *, uniform: bool) -> None:
        super().__init__(path, uniform=uniform)
        self._length = len(self._mapped())

    def __len__(self) -> int:
        return self._length

    def fingerprint(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def place(self, index: int) -> str:
        return f"{self.path}[{index}]"

    def _decode(self, index: int) -> Image:
        return _image(self._mapped()[index])

    def _mapped(self) -> NDArray[np.uint8]:
        try:
            with explained(f"cannot read {self.path}"):
                array: NDArray[Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise UsageError(f"{self.path} is not a NumPy array file: {error}") from error
        return _checked(array, self.path)


def _image(pixels: NDArray[np.uint8]) -> Image:
    from PIL import Image

    pixels = np.asarray(pixels)
    return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _checked(array: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    wanted = "it must be uint8 (N, H, W) or (N, H, W, C) with 1 to 4 channels"
    if array.dtype != np.uint8:
        raise UsageError(
            f"{path} is {array.dtype}; {wanted}. How other values become the 256 levels of an "
            "image is not for a metric to guess"
        )
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in _COLOURS):
        first = array.ndim == 4 and array.shape[1] in _COLOURS
        hint = "; channels come last (transpose it with `.transpose(0, 2, 3, 1)`)" if first else ""
        raise UsageError(f"{path} has shape {array.shape}; {wanted}{hint}")
    return array


def open_image_set(path: Path, *, uniform: bool, max_pixels: int | None = None) -> ImageSet:
    """Return the images of a folder tree, a zip archive or a `.npy` file.

    Args:
        path: where they are.
        uniform: whether all must be of the first one's size and channels.
        max_pixels: of an image; as in `ganlab.data.packing.pack`.

    Raises:
        GanlabError: there are none, or they cannot be read.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; it must be a folder of images, a .zip of them, or a .npy")
    images: ImageSet
    advice = ""
    if path.suffix == ".npy" and path.is_file():
        images = _Array(path, uniform=uniform)
    elif path.is_file() and path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
        raise UsageError(f"{path} is neither a folder of images, nor a .zip of them, nor a .npy")
    else:
        files = ImageFiles(path, option=None)
        images, advice = _Files(path, files, uniform=uniform, max_pixels=max_pixels), files.advice()
    if not len(images):
        raise UsageError(f"{path} holds no images" + (f"; {advice}" if advice else ""))
    return images


def describe(spec: ImageSpec) -> str:
    """Return an image's size, and what its channels are, in words."""
    return f"{spec.width}×{spec.height} {_COLOURS[spec.channels]}"


def _spec_of(image: Image) -> ImageSpec:
    transparent_palette = image.mode == "P" and "transparency" in image.info
    channels = 4 if transparent_palette else _CHANNELS.get(image.mode, 3)
    return ImageSpec(channels, image.height, image.width)
