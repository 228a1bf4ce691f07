"""From one sample of a source to the bytes that are kept of it. Runs in packing workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ganlab.components import ImageSpec, SampleSpec
from ganlab.data.source import ArraySource, BadImageError, ImageSource
from ganlab.errors import ComponentError

if TYPE_CHECKING:
    from ganlab.data.images import Fit, Resample

__all__ = ["ArrayEncoder", "ImageEncoder", "Row"]


class Row(NamedTuple):
    """One sample at rest.

    Attributes:
        content: its bytes.
        enlarged: width and height of an image that had to be enlarged; `None` for all others.
    """

    content: bytes
    enlarged: tuple[int, int] | None = None


@dataclass(frozen=True)
class ImageEncoder:
    """Index -> uint8 `(height, width, channels)`.

    `max_pixels` are the pixels of the largest image that is decoded; `None` is Pillow's own limit.
    """

    source: ImageSource
    spec: ImageSpec
    fit: Fit
    resample: Resample
    max_pixels: int | None = None

    def __call__(self, index: int) -> Row:
        """Encode image `index`.

        Raises:
            BadImageError: it cannot be decoded.
            ComponentError: it is none.
        """
        from PIL.Image import Image

        from ganlab.data.images import enlarges, pixel_limit, render

        try:
            with pixel_limit(self.max_pixels):
                image = self.source.read(index)
        except OSError as error:
            # Pillow complains of damaged content with an `OSError` that has no number.
            passing = error.errno is not None
            raise BadImageError(
                self.source.place(index), f"cannot be read: {error}", passing=passing
            ) from error
        if not isinstance(image, Image):
            raise ComponentError(
                f"read({index}) returned a {type(image).__name__}, not a PIL image; the core converts it"
            )
        content = render(image, self.spec, self.fit, self.resample, self.source.place(index))
        return Row(content, image.size if enlarges(image.size, self.spec, self.fit) else None)


@dataclass(frozen=True)
class ArrayEncoder:
    """Index -> the spec's `row_dtype`, `row_shape`."""

    source: ArraySource
    spec: SampleSpec

    def __call__(self, index: int) -> Row:
        """Encode sample `index`.

        Raises:
            ComponentError: it cannot be read, has another shape than the source declares, or is not finite.
        """
        what = f"{self.spec.kind} {index}"
        try:
            row = np.asarray(self.source.read(index), dtype=self.spec.row_dtype)
        except OSError as error:
            raise ComponentError(f"{what} cannot be read: {error}") from error
        if row.shape != self.spec.row_shape:
            raise ComponentError(f"{what} has shape {row.shape}, not {self.spec.row_shape}")
        if not np.isfinite(row).all():
            raise ComponentError(f"{what} has elements that are not finite")
        return Row(row.tobytes())
