"""Pillow images: decoded strictly, and made into what an experiment asks for."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from PIL import Image, ImageOps, UnidentifiedImageError

from ganlab.components import ImageSpec
from ganlab.data.source import BadImageError
from ganlab.files import reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Fit",
    "Resample",
    "enlarges",
    "open_image",
    "pixel_limit",
    "render",
    "to_channels",
]

Fit: TypeAlias = Literal["crop", "pad", "stretch"]
Resample: TypeAlias = Literal["lanczos", "bicubic", "bilinear", "box", "hamming", "nearest"]

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_NO_RANGE = {"F": "floats", "I": "32-bit or signed integers"}
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_SIXTEEN_BIT_AT_MOST = ("PNG", "PPM")
"""Formats whose values Pillow keeps in 32 bits and scales to 16."""

_BITS_PER_SAMPLE = 258
"""TIFF's tag of that name."""


@contextmanager
def pixel_limit(pixels: int | None) -> Iterator[None]:
    """Let Pillow, and so `open_image`, decode images of up to so many pixels inside the block.

    `None` leaves it at Pillow's own guard against decompression bombs, 89,478,485.
    """
    before = Image.MAX_IMAGE_PIXELS
    if pixels is not None:
        Image.MAX_IMAGE_PIXELS = pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def open_image(file: Path | bytes, name: str | None = None) -> Image.Image:
    """Decode an image file completely, turned upright as its EXIF orientation says.

    Args:
        file: a path, or the file's content.
        name: what errors call it; the path if left out.

    Returns:
        The image in whatever size and mode the file has; grayscale of more than 8 bits whose
        range the file tells is of mode `I;16`, and fills that range.

    Raises:
        BadImageError: not an image, damaged or cut off, or with more pixels than
            `pixel_limit` allows.
    """
    name = name if name is not None else (str(file) if isinstance(file, Path) else "image")
    try:
        content = file.read_bytes() if isinstance(file, Path) else file
    except OSError as error:
        raise BadImageError(name, f"cannot be read: {reason(error)}", passing=True) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(content))
            image.load()
            # Worth a look: parsing metadata that is not there takes a tenth of a small JPEG's time.
            if image.format != "JPEG" or "exif" in image.info or "xmp" in image.info:
                ImageOps.exif_transpose(image, in_place=True)
            image = _full_range(image)
    except UnidentifiedImageError:
        raise BadImageError(
            name, "not an image file that Pillow knows, or damaged from its start on"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError(name, _too_large(str(error))) from None
    except (
        OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError, zlib.error
    ) as error:  # fmt: skip
        # Pillow's decoders let many kinds of error through when a file is damaged.
        if "MAX_TEXT" in str(error):
            what = "its metadata (texts, or a colour profile) is larger than Pillow lets through"
            raise BadImageError(name, f"{what}; save it without") from error
        raise BadImageError(name, f"damaged or cut off ({error})") from error
    except MemoryError:
        raise BadImageError(name, "too large for this machine's memory", passing=True) from None
    return image


def render(image: Image.Image, spec: ImageSpec, fit: Fit, resample: Resample, name: str) -> bytes:
    """Return an image as the bytes of a `uint8` array `(height, width, channels)`.

    The channels are converted first (`to_channels`), then the size, in one pass of
    the filter. Where the aspect ratio differs, `crop` cuts both sides equally, `pad`
    centres the picture between borders of zeros (black, and transparent where there
    is alpha), `stretch` distorts it.

    Raises:
        BadImageError: the image's mode has no defined range of values.
    """
    image = to_channels(image, spec.channels, name)
    filter_ = Image.Resampling[resample.upper()]
    size = (spec.width, spec.height)
    if image.size == size:
        return image.tobytes()
    if fit == "stretch":
        return image.resize(size, filter_).tobytes()
    if fit == "crop":
        return image.resize(size, filter_, box=_centre_box(image.size, size)).tobytes()
    scale = min(spec.width / image.width, spec.height / image.height)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new(image.mode, size)
    canvas.paste(image.resize(inner, filter_), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return canvas.tobytes()


def enlarges(size: tuple[int, int], spec: ImageSpec, fit: Fit) -> bool:
    """Return whether `render` has to invent pixels for an image of a size (width, height)."""
    horizontal, vertical = spec.width / size[0], spec.height / size[1]
    if fit == "pad":
        return min(horizontal, vertical) > 1
    return max(horizontal, vertical) > 1


def to_channels(image: Image.Image, channels: int, name: str = "image") -> Image.Image:
    """Return an image with 1 (grayscale), 2 (with alpha), 3 (RGB) or 4 (RGBA) channels of 8 bits.

    Transparency is laid over white where the result has no alpha, as a page would show
    it; a result with alpha is opaque where the image has none. Grayscale is ITU-R 601
    luma. Grayscale of 16 bits is divided by 257. Palettes, CMYK and the like are
    converted as Pillow does.

    Raises:
        BadImageError: the pixels are floats or 32-bit integers, which have no defined range.
    """
    mode = _MODES[channels]
    if image.mode == mode:
        return image
    if image.mode in _SIXTEEN_BIT:
        image = _from_sixteen_bit(image)
    elif image.mode in _NO_RANGE:
        what = f"its pixels are {_NO_RANGE[image.mode]}, which have no defined range"
        raise BadImageError(name, f"{what}; save it with 8 or 16 bits")
    if image.mode == "La":
        image = image.convert("LA")  # Pillow has no other way on from it.
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if channels in (1, 3):
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return image.convert(mode)


def _full_range(image: Image.Image) -> Image.Image:
    """Return an image as `I;16` that fills its range, where its file says how many bits its values have."""
    import numpy as np

    if image.mode == "I" and image.format in _SIXTEEN_BIT_AT_MOST:
        return _like(image, np.asarray(image).clip(0, 65535).astype(np.uint16))
    if image.mode in _SIXTEEN_BIT and image.format == "TIFF":
        (bits, *_) = image.tag_v2.get(_BITS_PER_SAMPLE, (16,))  # type: ignore[attr-defined]
        if bits < 16:
            largest = 2**bits - 1
            values = (np.asarray(image).astype(np.int64) * 65535 + largest // 2) // largest
            return _like(image, values.astype(np.uint16))
    return image


def _like(image: Image.Image, values: NDArray[np.uint16]) -> Image.Image:
    """Return values `(H, W)` as an image with the metadata of another."""
    changed = Image.fromarray(values)
    changed.info = image.info
    return changed


def _too_large(complaint: str) -> str:
    """Return Pillow's complaint about a decompression bomb, "(12000 pixels) …", in words of our own."""
    found = re.search(r"\((\d+) pixels\)", complaint)
    pixels = int(found[1]) if found else 0
    return (
        f"far too large: more than {Image.MAX_IMAGE_PIXELS:,} pixels, namely {pixels:,}; if it is no "
        f"decompression bomb, a max_pixels of {pixels} lets it through"
    )


def _from_sixteen_bit(image: Image.Image) -> Image.Image:
    import numpy as np

    values = np.asarray(image).astype(np.int64)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _centre_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the largest centred box of the target's aspect ratio, in fractions of a pixel."""
    (width, height), (target_width, target_height) = size, target
    scale = min(width / target_width, height / target_height)
    box_width, box_height = min(width, target_width * scale), min(height, target_height * scale)
    left, top = (width - box_width) / 2, (height - box_height) / 2
    return (left, top, min(width, left + box_width), min(height, top + box_height))
