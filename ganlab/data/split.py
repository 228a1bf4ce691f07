"""Which samples train, and which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ganlab.data.order import permutation

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Split", "split"]


@dataclass(frozen=True)
class Split:
    """Two disjoint sets of indices that together are all samples.

    Attributes:
        training: sorted indices, int64, at least one.
        holdout: sorted indices, int64; never trained on.
    """

    training: NDArray[np.int64]
    holdout: NDArray[np.int64]


def split(count: int, holdout: float, seed: int, alike: NDArray[np.int64] | None = None) -> Split:
    """Divide `range(count)` at random: a pure function of its arguments.

    Args:
        count: samples, at least one.
        holdout: share held out, in [0, 1). A share above 0 holds out at least one
            sample, and any share leaves at least one for training. A larger share
            of the same data and seed holds out the same samples and more.
        seed: `dataset.split_seed` of the experiment.
        alike: `(count,)` for each sample the first that is the same. Copies of a sample are on its side,
            and so the share is met as far as they let it; where it cannot be, they are divided as others.

    Raises:
        ValueError: there are no samples, or the share is out of range.
    """
    if count < 1:
        raise ValueError("no samples to split")
    if not 0 <= holdout < 1:
        raise ValueError(f"holdout is {holdout}, but must lie in [0, 1)")
    held = round(count * holdout)
    if holdout > 0:
        held = max(held, 1)
    held = min(held, count - 1)
    order = permutation(count, seed, "split")
    if held and alike is not None:
        order, held = _together(order, held, alike)
    return Split(training=np.sort(order[held:]), holdout=np.sort(order[:held]))


def _together(order: NDArray[np.int64], held: int, alike: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Move copies beside the first of them in an order, and the cut to the nearest place between samples."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    foremost = np.full_like(place, len(order))
    np.minimum.at(foremost, alike, place)
    together = np.lexsort((place, foremost[alike]))
    cuts = np.flatnonzero(np.diff(alike[together])) + 1
    cuts = cuts[2 * cuts <= max(len(order), 2 * held)]
    return (together, int(cuts[np.abs(cuts - held).argmin()])) if len(cuts) else (order, held)
