"""The pictures of a run: the same latents again and again, real samples, and a walk between latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.engine.latents import draw_latents, interpolate
from ganlab.engine.sampling import run_generator
from ganlab.engine.streams import Streams
from ganlab.tracking.pictures import grid, scatter
from ganlab.training.health import diversity

__all__ = ["Drawn", "Pictures"]

WALK = 8
"""Pictures from one end of an interpolation to the other."""

POINTS = 2000
"""Samples in a scatter, where one for each sample of a grid would show nothing."""


@dataclass(frozen=True)
class Drawn:
    """What the generators make of the fixed latents.

    Attributes:
        pictures: `(H, W, 1 or 3)` by name.
        diversity: how far the samples are from one another, as a share of how far reals are.
    """

    pictures: dict[str, NDArray[np.uint8]]
    diversity: float


class Pictures:
    """Draws what a run's generators make of latents that never change.

    Args:
        engine: what trains.
        data: what it trains on.
        count: samples in a grid.
    """

    def __init__(self, engine: Engine, data: Data, count: int) -> None:
        self._engine = engine
        self._store, self._spec = data.store, engine.spec
        count = count if self._spec.is_picture else max(count, POINTS)
        generator = Streams(engine.experiment.settings.seed)["pictures"]
        latent = engine.experiment.latent
        self._latents = draw_latents(latent, count, generator)
        self._labels = engine.labels.cycle(count)
        walks = max(count // WALK, 1)
        ends = draw_latents(latent, 2 * walks, generator)
        self._walks = interpolate(latent, ends[:walks], ends[walks:], WALK)
        walk_labels = engine.labels.cycle(walks)
        self._walk_labels = None if walk_labels is None else walk_labels.repeat_interleave(WALK)
        chosen = data.split.training
        order = torch.randperm(len(chosen), generator=generator)[:count].numpy()
        self._real = self._store.gather(np.sort(chosen[order]))

    def real(self) -> NDArray[np.uint8]:
        """Return a picture of real samples, `(H, W, 1 or 3)`."""
        return self._draw(self._real)

    def generated(self) -> Drawn:
        """Return what the generators make now."""
        engine = self._engine
        samples = self._make(engine.raw_generator, self._latents, self._labels)
        pictures = {"fixed": self._draw(samples)}
        averaged = engine.averaged_generator
        if averaged is not None:
            samples = self._make(averaged, self._latents, self._labels)
            pictures["fixed_ema"] = self._draw(samples)
        if self._spec.is_picture:
            walks = self._make(engine.generator, self._walks, self._walk_labels)
            pictures["interpolation"] = grid(walks, columns=WALK)
        return Drawn(pictures, diversity(samples, self._real))

    def _make(self, network: nn.Module, latents: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        labels = labels if self._engine.networks.generator_takes_labels else None
        samples = torch.cat(list(run_generator(network, latents, labels)))
        return self._spec.quantise(samples).cpu()

    def _draw(self, samples: torch.Tensor) -> NDArray[np.uint8]:
        if self._spec.is_picture:
            return grid(samples)
        return scatter(samples.flatten(1), self._real.flatten(1))
