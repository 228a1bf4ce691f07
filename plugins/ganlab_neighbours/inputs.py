"""What evaluators check of their banks before they look for neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch

from ganlab import ComponentError, FeatureBank

__all__ = ["FEW", "Remembered", "cautions", "features_of", "used"]

FEW = 1000
"""Samples below which a caution is due: neighbours are far, and shares coarse."""

T = TypeVar("T")


def features_of(bank: FeatureBank, neighbours: int, *, option: str | None = None) -> torch.Tensor:
    """Return a bank's features `(n, d)`, in which each sample has so many others.

    Args:
        bank: what the core handed out.
        neighbours: other samples that each needs.
        option: the option that asks for so many.

    Raises:
        ComponentError: there are too few samples.
    """
    if bank.features is None:
        raise ComponentError("neighbours are looked up among features, and this bank has only moments")
    if bank.n <= neighbours:
        asked = f"{option} = {neighbours}" if option else f"looking at {neighbours} neighbours"
        raise ComponentError(
            f"{asked} needs at least {neighbours + 1} samples on each side (training, generated and "
            f"held-out ones), and one has {bank.n}",
            option=option,
        )
    return bank.features


def cautions(real: FeatureBank, fake: FeatureBank) -> Iterator[str]:
    """Yield what a reader must know about the banks' sizes."""
    fewest = min(real.n, fake.n)
    if fewest < FEW:
        yield f"only {fewest} samples on one side: compare with values at the same counts only"


def used(real: FeatureBank, fake: FeatureBank) -> Iterator[str]:
    """Yield how many samples an evaluator looks at that takes as many real as generated ones."""
    if real.n != fake.n:
        fewest = min(real.n, fake.n)
        yield f"of {real.n:,} real and {fake.n:,} generated samples, the first {fewest:,} of both"


class Remembered(Generic[T]):
    """The last result of something that is computed from features, for as long as they are the same."""

    def __init__(self) -> None:
        self._features: tuple[torch.Tensor, ...] = ()
        self._result: T

    def get(self, features: tuple[torch.Tensor, ...], compute: Callable[[], T]) -> T:
        """Return `compute()`, or what it returned the last time if that was of equal features."""
        known = len(features) == len(self._features)
        if not known or not all(map(_same, features, self._features)):
            self._features = ()
            self._result = compute()
            self._features = features
        return self._result


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one is other or torch.equal(one, other)
