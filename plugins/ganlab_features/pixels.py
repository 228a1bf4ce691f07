"""The `pixels` extractor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_features.identity import digest
from ganlab_features.naming import cells, channel_names

__all__ = ["Pixels"]


class Pixels(FeatureExtractor):
    """Pixels in [0, 1], averaged over the areas of a square grid.

    Args:
        image: what an image is.
        size: cells in a row and in a column of the grid.

    Raises:
        ComponentError: the grid is finer than the image.
    """

    def __init__(self, image: ImageSpec, size: int) -> None:
        if size > min(image.height, image.width):
            raise ComponentError(
                f"images of {image.height}×{image.width} cannot be averaged down to {size}×{size}",
                option="size",
            )
        self._image = image
        self._size = size

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, C · size · size)`."""
        return F.adaptive_avg_pool2d(samples.float() / 255, self._size).flatten(1)

    def fingerprint(self) -> str:
        """Return a digest of the image's shape and the grid."""
        return digest("pixels", 1, self._image.shape, self._size)

    def names(self) -> Sequence[str]:
        """Return each feature's channel and cell."""
        channels = channel_names(self._image.channels)
        return [f"{channel}, {cell}" for channel in channels for cell in cells(self._size)]
