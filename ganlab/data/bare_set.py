"""Samples that are there without a dataset: in files, or in a program's memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab.components import ImageSpec, VectorSpec
from ganlab.data.encoding import ImageEncoder
from ganlab.data.image_set import ImageSet, PixelSet, describe, open_image_set
from ganlab.data.packing import pack
from ganlab.data.store import PackedFrom, Store
from ganlab.errors import UsageError
from ganlab.paths import path_text
from ganlab.words import counted

__all__ = ["BareSet", "Samples", "describe_set", "open_bare_set", "store_images", "store_vectors"]

Samples: TypeAlias = "str | Path | torch.Tensor | NDArray[Any]"
"""A folder, zip archive or `.npy` file of images; images as a tensor, uint8 or floats in [-1, 1],
`(N, C, H, W)`, or as a uint8 array `(N, H, W)` or `(N, H, W, C)`; or vectors, floats `(N, d)`."""

BareSet: TypeAlias = "ImageSet | NDArray[np.float32]"
"""Images, or vectors `(N, d)`."""

_ROUNDING = 1e-3


def open_bare_set(given: Samples, name: str, *, uniform: bool, max_pixels: int | None = None) -> BareSet:
    """Return samples; of files, none is read but the first.

    Args:
        given: what they are, or where.
        name: what errors call those that are in memory.
        uniform: as of `ImageSet`.
        max_pixels: as of `ImageSet`.

    Raises:
        GanlabError: there are none, or they are not what they must be.
    """
    if isinstance(given, str | Path):
        return open_image_set(Path(given), uniform=uniform, max_pixels=max_pixels)
    if not isinstance(given, torch.Tensor | np.ndarray):
        raise UsageError(
            f"{name} are a {type(given).__name__}: samples are a path, a tensor or an array; "
            "`numpy.asarray` makes one of lists of numbers"
        )
    if not isinstance(given, torch.Tensor):
        is_vectors = given.ndim == 2 and given.dtype.kind == "f"
        return _vectors(given, name) if is_vectors else PixelSet(given, Path(name), uniform=uniform)
    if given.ndim == 2 and given.is_floating_point():
        return _vectors(given.detach().cpu().float().numpy(), name)
    return PixelSet(_pixels(given, name), Path(name), uniform=uniform)


def describe_set(samples: BareSet) -> str:
    """Return what a sample is, in words."""
    if isinstance(samples, ImageSet):
        return f"images of {describe(samples.spec)}"
    return f"vectors of {counted(samples.shape[1], 'element')}"


def store_images(images: ImageSet, spec: ImageSpec, max_pixels: int | None = None) -> Store:
    """Return images at rest: files in the cache, what was given in memory there.

    Args:
        images: any.
        spec: what each becomes.
        max_pixels: as in `ganlab.data.packing.pack`.

    Raises:
        GanlabError: one cannot be decoded, or the cache cannot be written.
    """
    if isinstance(images, PixelSet):
        pixels = images.pixels.reshape(len(images), *images.spec.row_shape)
        if images.spec != spec:
            encode = ImageEncoder(images, spec, "crop", "lanczos")
            rows = (np.frombuffer(encode(index).content, np.uint8) for index in range(len(images)))
            pixels = np.stack([row.reshape(spec.row_shape) for row in rows])
        return Store(spec, pixels, None, (), f"{images.fingerprint()}, {spec}")
    path = path_text(images.path.resolve())
    origin = PackedFrom("compare-images", {"path": path}, (path,))
    return pack(images, spec, max_pixels=max_pixels, origin=origin)


def store_vectors(vectors: NDArray[np.float32]) -> Store:
    """Return vectors at rest, in memory."""
    digest = hashlib.sha256(str(vectors.shape).encode())
    digest.update(np.ascontiguousarray(vectors).data)
    return Store(VectorSpec(vectors.shape[1]), vectors, None, (), digest.hexdigest())


def _vectors(given: NDArray[Any], name: str) -> NDArray[np.float32]:
    vectors = np.asarray(given, np.float32)
    if not np.isfinite(vectors).all():
        raise UsageError(f"{name} are not all finite")
    return vectors


def _pixels(images: torch.Tensor, name: str) -> NDArray[np.uint8]:
    """Return images `(N, C, H, W)` as uint8 `(N, H, W, C)`.

    Raises:
        UsageError: they have another shape, or floats that are no images.
    """
    if images.ndim != 4 or not 1 <= images.shape[1] <= 4:
        raise UsageError(
            f"{name} have shape {tuple(images.shape)}: a tensor of images is (N, C, H, W) with 1 to 4 "
            "channels, and one of vectors has floats (N, d)"
        )
    spec = ImageSpec(*images.shape[1:])
    if images.is_floating_point():
        largest = float(images.abs().max()) if len(images) else 0.0
        if not largest <= 1 + _ROUNDING:
            raise UsageError(
                f"{name} reach {largest:.4g}: images of floats are in [-1, 1], as generators make them; "
                "those of uint8 are from 0 to 255"
            )
        images = spec.quantise(images)
    if images.dtype != torch.uint8:
        raise UsageError(f"{name} are {images.dtype}: images are uint8, or floats in [-1, 1]")
    return spec.to_rows(images.detach().cpu()).contiguous().numpy()
