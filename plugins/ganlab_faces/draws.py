"""Random numbers that are a pure function of (seed, index).

SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
2014) in integer arithmetic: the same numbers on every platform and with every numpy,
for any index, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

__all__ = ["Draws"]

NameT = TypeVar("NameT", bound=str)

_GAMMA = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_MASK = (1 << 64) - 1
_COUNT = 128
_STEPS = np.arange(1, _COUNT + 1, dtype=np.uint64) * np.uint64(_GAMMA)


def _scramble(value: int) -> int:
    """Return SplitMix64's output function of one 64-bit integer."""
    value &= _MASK
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return value ^ (value >> 31)


def _uniforms(key: int) -> list[float]:
    """Return `_COUNT` numbers in [0, 1), 53 bits each."""
    bits = _STEPS + np.array([key], dtype=np.uint64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(_FIRST)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(_SECOND)
    bits ^= bits >> np.uint64(31)
    uniforms: list[float] = ((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53).tolist()
    return uniforms


class Draws:
    """A short stream of random decisions for one index.

    Every caller should draw the same things in the same order whatever comes out, so
    that one trait never changes what another is drawn from.

    Args:
        seed: any integer.
        index: any integer.
    """

    def __init__(self, seed: int, index: int) -> None:
        self._values = iter(_uniforms(_scramble(_scramble(seed + _GAMMA) + index * _GAMMA)))

    def unit(self) -> float:
        """Return a number in [0, 1)."""
        return next(self._values)

    def between(self, low: float, high: float) -> float:
        """Return a number uniform on [low, high)."""
        return low + (high - low) * next(self._values)

    def bell(self, low: float, high: float) -> float:
        """Return a number in [low, high) with a triangular density, most often in the middle."""
        return low + (high - low) * 0.5 * (next(self._values) + next(self._values))

    def chance(self, probability: float) -> bool:
        """Return whether something of this probability happens."""
        return next(self._values) < probability

    def choose(self, weights: Mapping[NameT, float]) -> NameT:
        """Return a name with probability in proportion to its weight."""
        rest = next(self._values) * sum(weights.values())
        for name, weight in weights.items():
            rest -= weight
            if rest < 0:
                return name
        return [*weights][-1]
