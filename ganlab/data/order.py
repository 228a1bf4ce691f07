"""Random orders and coins as pure functions of a seed and a position.

NumPy guarantees the raw output of its bit generators for ever, but not what
`Generator.permutation` makes of it; an order that must be the same after an
upgrade is therefore made from raw output alone.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["coins", "permutation"]


def permutation(count: int, seed: int, *purpose: str | int) -> NDArray[np.int64]:
    """Return the permutation of `range(count)` that belongs to a seed and a purpose.

    It sorts 64-bit random keys, ties (one pair in 2⁶⁴) in natural order.
    """
    return np.argsort(_raw(count, seed, *purpose), kind="stable").astype(np.int64, copy=False)


def coins(count: int, seed: int, *purpose: str | int) -> NDArray[np.bool_]:
    """Return `count` fair coins that belong to a seed and a purpose."""
    return (_raw(count, seed, *purpose) >> np.uint64(63)).astype(np.bool_)


def _raw(count: int, seed: int, *purpose: str | int) -> NDArray[np.uint64]:
    name = ":".join(str(part) for part in (seed, *purpose))
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
    return np.asarray(np.random.Philox(key=key).random_raw(count), dtype=np.uint64)
