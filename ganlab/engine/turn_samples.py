"""What a turn is played with: real samples, fakes and random numbers, each fetched on first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import torch

from ganlab.data.feed import Batch
from ganlab.data.transfer import to_device

__all__ = ["Draw", "Fakes", "TurnSamples"]

Draw: TypeAlias = Callable[..., Any]
"""`torch.rand` or `torch.randn`."""


class Fakes:
    """What the generator is given for a batch, drawn on first use.

    Args:
        draw_latents: returns latents `(n, dim)`, this process's rows of the batch.
        draw_labels: returns labels `(n,)`, or `None` where there are none.

    Attributes:
        real: the real batch whose labels these are, where turns that share the fakes are to share it too.
        samples: what the generator made of it, with its graph, where two turns share that;
            `None` where each turn makes its own.
    """

    def __init__(
        self, draw_latents: Callable[[], torch.Tensor], draw_labels: Callable[[], torch.Tensor | None]
    ) -> None:
        self._draw_latents = draw_latents
        self._draw_labels = draw_labels
        self.real: Batch | None = None
        self.samples: torch.Tensor | None = None

    @cached_property
    def latents(self) -> torch.Tensor:
        """Latents `(n, dim)`."""
        return self._draw_latents()

    @cached_property
    def labels(self) -> torch.Tensor | None:
        """Labels `(n,)` that the fakes are made for."""
        return self._draw_labels()


class TurnSamples:
    """The rows of a turn's batch that are this process's, fetched on first use.

    A turn that never looks at real data takes no batch from the feed. Random numbers that
    losses ask for are drawn for the whole batch too, and cut like it: neither microbatches
    nor how many processes share a batch change them.

    Args:
        next_batch: returns this process's rows of the next real batch.
        fakes: what the generator is given.
        batch_size: samples in the whole batch.
        rows: this process's.
        rng: generator on the CPU for the losses' random numbers.
        augmentation_rng: another for the augmentations'; `rng` if left out.
        device: where those are wanted.
    """

    def __init__(
        self,
        next_batch: Callable[[], Batch],
        fakes: Fakes,
        *,
        batch_size: int,
        rows: slice,
        rng: torch.Generator,
        device: torch.device,
        augmentation_rng: torch.Generator | None = None,
    ) -> None:
        self._next_batch = next_batch
        self._rows = rows
        self._noise = _Noise(batch_size, rng, device)
        self._augmentation_noise = _Noise(batch_size, augmentation_rng or rng, device)
        self.fakes = fakes

    @cached_property
    def real(self) -> Batch:
        """The real batch."""
        return self._next_batch()

    def noise(self, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the random numbers of a turn's `index`-th request for the whole batch."""
        return self._noise(index, draw, shape)

    def augmentation_noise(self, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the random numbers of the augmentations' `index`-th request for the whole batch."""
        return self._augmentation_noise(index, draw, shape)

    @property
    def own_rows(self) -> slice:
        """Which rows of the batch are this process's."""
        return self._rows

    def own(self, whole: torch.Tensor) -> torch.Tensor:
        """Return this process's rows of what was drawn for the whole batch."""
        return whole[self._rows]


class _Noise:
    """A turn's random numbers for one use, drawn for the whole batch when first asked for."""

    def __init__(self, batch_size: int, rng: torch.Generator, device: torch.device) -> None:
        self._batch_size = batch_size
        self._rng = rng
        self._device = device
        self._drawn: list[torch.Tensor] = []

    def __call__(self, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        if index == len(self._drawn):
            drawn = draw(self._batch_size, *shape, generator=self._rng)
            self._drawn.append(to_device(drawn, self._device))
        return self._drawn[index]
