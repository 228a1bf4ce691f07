"""The `coordinates` extractor."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ganlab import FeatureExtractor, VectorSpec
from ganlab_features.identity import digest

__all__ = ["Coordinates"]


class Coordinates(FeatureExtractor):
    """The vector itself.

    Args:
        vector: what a sample is.
    """

    def __init__(self, vector: VectorSpec) -> None:
        self._dimension = vector.dimension

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Return float32 vectors `(N, dimension)` as they are."""
        return samples.float()

    def fingerprint(self) -> str:
        """Return a digest of the dimension."""
        return digest("coordinates", 1, self._dimension)

    def names(self) -> Sequence[str]:
        """Return the coordinates' numbers."""
        return [f"coordinate {index}" for index in range(self._dimension)]
