"""From one sample of a source to the bytes that are kept of it. Runs in packing workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ganlab.components import ImageSpec
from ganlab.data.source import BadImageError, ImageSource, VectorSource
from ganlab.errors import ComponentError

if TYPE_CHECKING:
    from ganlab.data.images import Fit, Resample

__all__ = ["ImageEncoder", "VectorEncoder"]


@dataclass(frozen=True)
class ImageEncoder:
    """Index -> bytes of uint8 `(height, width, channels)`."""

    source: ImageSource
    spec: ImageSpec
    fit: Fit
    resample: Resample

    def __call__(self, index: int) -> bytes:
        """Encode image `index`.

        Raises:
            BadImageError: it cannot be decoded.
        """
        from ganlab.data.images import render

        try:
            image = self.source.read(index)
        except OSError as error:
            raise BadImageError(self.source.place(index), f"cannot be read: {error}") from error
        return render(image, self.spec, self.fit, self.resample, self.source.place(index))


@dataclass(frozen=True)
class VectorEncoder:
    """Index -> bytes of little-endian float32 `(dimension,)`."""

    source: VectorSource

    def __call__(self, index: int) -> bytes:
        """Encode vector `index`.

        Raises:
            ComponentError: it cannot be read, has another shape than the source declares, or is not finite.
        """
        try:
            vector = np.asarray(self.source.read(index), dtype="<f4")
        except OSError as error:
            raise ComponentError(f"vector {index} cannot be read: {error}") from error
        if vector.shape != (self.source.dimension,):
            message = f"vector {index} has shape {vector.shape}, not ({self.source.dimension},)"
            raise ComponentError(message)
        if not np.isfinite(vector).all():
            raise ComponentError(f"vector {index} has elements that are not finite")
        return vector.tobytes()
