"""A turn's samples at addresses that stay, as a CUDA graph reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch

from ganlab.data.feed import Batch
from ganlab.engine.turn_samples import Draw, Fakes, TurnSamples
from ganlab.errors import GanlabError

__all__ = ["FixedSamples"]


class _Copies:
    """Copies of tensors at addresses that stay; what they are copies of is found anew at every filling."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._copies: list[tuple[torch.Tensor, Callable[[Any], torch.Tensor]]] = []

    def of(self, find: Callable[[Any], Any]) -> Any:
        """Return the copy of what is found in the source; `None` of `None`."""
        if self._source is None:
            raise GanlabError("it does not ask for the same samples and random numbers each time")
        found = find(self._source)
        if found is None:
            return None
        made = found.detach().clone()
        self._copies.append((made, find))
        return made

    @torch.no_grad()
    def fill(self, source: Any) -> None:
        """Copy what is found in another source."""
        for made, find in self._copies:
            made.copy_(find(source))

    def complete(self) -> None:
        """Let go of the first source: there is nothing more to be found."""
        self._source = None


class _FixedFakes(Fakes):
    """What the generator is given, at addresses that stay."""

    def __init__(self, first: Fakes) -> None:
        self._copies = copies = _Copies(first)
        super().__init__(
            lambda: copies.of(lambda fakes: fakes.latents), lambda: copies.of(lambda fakes: fakes.labels)
        )
        self.fill, self.complete = copies.fill, copies.complete
        if first.samples is not None:
            self.samples = copies.of(lambda fakes: fakes.samples)


class FixedSamples(TurnSamples):
    """A turn's samples and random numbers at addresses that stay: as many as the turn asks for."""

    def __init__(self, first: TurnSamples) -> None:
        self._rows = first.own_rows
        self._copies = _Copies(first)
        self.fakes: _FixedFakes = _FixedFakes(first.fakes)
        self._drawn: dict[tuple[str, int], torch.Tensor] = {}

    @cached_property
    def real(self) -> Batch:
        """The real batch."""
        samples = self._copies.of(lambda source: source.real.samples)
        return Batch(samples, self._copies.of(lambda source: source.real.labels))

    def noise(self, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the random numbers of a turn's `index`-th request."""
        return self._numbers("noise", index, draw, shape)

    def augmentation_noise(self, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the random numbers of the augmentations' `index`-th request."""
        return self._numbers("augmentation_noise", index, draw, shape)

    def fill(self, samples: TurnSamples) -> None:
        """Take those of another turn."""
        self.fakes.fill(samples.fakes)
        self._copies.fill(samples)

    def complete(self) -> None:
        """Let go of the first samples, and of the graph that the fakes were recorded with."""
        self._copies.complete()
        self.fakes.complete()
        if self.fakes.samples is not None:
            self.fakes.samples = self.fakes.samples.detach()

    def _numbers(self, use: str, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        if (use, index) not in self._drawn:
            numbers = self._copies.of(lambda source: getattr(source, use)(index, draw, shape))
            self._drawn[use, index] = numbers
        return self._drawn[use, index]
