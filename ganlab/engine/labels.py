"""Labels for generated samples."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["LabelSampler"]


class LabelSampler:
    """Draws labels as often as they occur in the training data.

    Args:
        labels: `(N,)` of the whole dataset, or `None` where it has none.
        indices: the training samples among them.
    """

    def __init__(self, labels: NDArray[np.int64] | None, indices: NDArray[np.int64]) -> None:
        self._labels = None if labels is None else torch.from_numpy(labels[indices].copy())

    @classmethod
    def uniform(cls, classes: int) -> LabelSampler:
        """Return a sampler that draws every class alike."""
        return cls(np.arange(classes), np.arange(classes))

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes that occur, in order; empty where there are no labels."""
        return () if self._labels is None else tuple(np.unique(self._labels.numpy()).tolist())

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor | None:
        """Return int64 labels `(count,)` on the CPU, or `None` where there are none."""
        if self._labels is None:
            return None
        chosen: torch.Tensor = self._labels[torch.randint(len(self._labels), (count,), generator=generator)]
        return chosen

    def cycle(self, count: int) -> torch.Tensor | None:
        """Return labels `(count,)` that go through the classes in order, or `None`."""
        if self._labels is None:
            return None
        classes = torch.tensor(self.classes)
        return classes[torch.arange(count) % len(classes)]
