"""The real samples that generated ones are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab.data.preparation import Data

__all__ = ["ReferenceData"]

PERMUTATION_SEED = 0
"""A constant: the reference set is part of the metric, and does not change with a run's seed."""


@dataclass(frozen=True)
class ReferenceData:
    """Access to the real samples of an experiment.

    Attributes:
        fingerprint: hex digest of the prepared samples: content, crop, size, filter.
        training: `(n,)` int64 indices of training samples.
        held_out: `(m,)` int64 indices of samples kept out of training; may be empty.
        read: maps `(k,)` int64 indices to uint8 `(k, C, H, W)` or float32 `(k, dimension)` on the CPU.
        labels: `(N,)` int64 classes of all samples, by index; `None` where there are none.
    """

    fingerprint: str
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    read: Callable[[NDArray[np.int64]], torch.Tensor]
    labels: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, data: Data) -> ReferenceData:
        """Return access to an experiment's prepared data."""
        store = data.store
        return cls(store.fingerprint, data.split.training, data.split.holdout, store.gather, store.labels)

    @cached_property
    def identity(self) -> str:
        """Hex digest of the data's fingerprint, and of which samples train and which are held out."""
        digest = hashlib.sha256(self.fingerprint.encode())
        for indices in (self.training, self.held_out):
            ordered = np.sort(np.asarray(indices, dtype="<i8"))
            digest.update(f" {len(ordered)} ".encode())
            digest.update(ordered.tobytes())
        return digest.hexdigest()

    def reference(self, count: int) -> NDArray[np.int64]:
        """Return the first `count` training indices of a fixed permutation, or all there are."""
        return _first_of_permutation(self.training, count)

    def floor(self, count: int) -> NDArray[np.int64]:
        """Return the first `count` held-out indices of a fixed permutation, or all there are."""
        return _first_of_permutation(self.held_out, count)


def _first_of_permutation(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    # Sorted first: which samples are chosen depends on the set, not on how a split lists it.
    ordered = np.sort(np.asarray(indices, dtype=np.int64))
    return np.random.RandomState(PERMUTATION_SEED).permutation(ordered)[:count]
