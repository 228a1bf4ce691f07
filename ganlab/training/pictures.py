"""The pictures of a run: the same latents again and again, real samples, and a walk between latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganlab.data.preparation import Data
from ganlab.drawing.class_rows import class_rows
from ganlab.drawing.pictures import field, grid, scatter, view
from ganlab.engine.engine import Engine
from ganlab.engine.latents import draw_latents, interpolate
from ganlab.engine.networks import evaluation_mode, freeze
from ganlab.engine.sampling import run_generator
from ganlab.engine.streams import Streams, isolated_randomness
from ganlab.training.health import diversity

__all__ = ["Drawn", "Pictures"]

WALK = 8
"""Pictures from one end of an interpolation to the other."""

POINTS = 2000
"""Samples in a scatter, where one for each sample of a grid would show nothing."""


FIELD = 96
"""Places along a side at which a discriminator of the plane is asked."""

ARROWS = 256
"""Generated points whose gradients are drawn there."""

REALS = 1000
"""Real points that are drawn there."""


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
        count: samples in a grid. Where the generator is told a class, every row is of one, and what does
            not fill all rows alike is left out.
    """

    def __init__(self, engine: Engine, data: Data, count: int) -> None:
        self._engine = engine
        self._store, self._spec = data.store, engine.spec
        count = count if self._spec.is_picture else max(count, POINTS)
        generator = Streams(engine.experiment.settings.seed)["pictures"]
        latent = engine.experiment.latent
        told = engine.networks.generator_takes_labels and self._spec.is_picture
        classes = engine.labels.classes if told else ()
        self._rows = class_rows(classes, count, whole=True) if classes else None
        if self._rows is None:
            self._labels, walk_labels = engine.labels.cycle(count), None
            walks = max(count // WALK, 1)
        else:
            self._labels, walk_labels = torch.tensor(self._rows.labels), torch.tensor(self._rows.classes)
            count, walks = len(self._labels), len(walk_labels)
        self._latents = draw_latents(latent, count, generator)
        ends = draw_latents(latent, 2 * walks, generator)
        self._walks = interpolate(latent, ends[:walks], ends[walks:], WALK)
        self._walk_labels = None if walk_labels is None else walk_labels.repeat_interleave(WALK)
        chosen = data.split.training
        order = chosen[torch.randperm(len(chosen), generator=generator).numpy()]
        self._real = self._store.gather(np.sort(order[:count]))
        shown = np.sort(order[:count]) if self._rows is None else self._of_rows(order)
        self._shown, known = self._store.gather(shown), self._store.labels
        self._shown_labels = None if known is None else torch.from_numpy(known[shown])

    def real(self) -> NDArray[np.uint8]:
        """Return a picture of real samples, `(H, W, 1 or 3)`, in rows of the same classes as fakes."""
        return self._draw(self._shown)

    def generated(self) -> Drawn:
        """Return what the generators make now."""
        engine = self._engine
        samples = self._make(engine.raw_generator, self._latents, self._labels)
        pictures = {"fixed": self._draw(samples)}
        discriminator = engine.networks.discriminator
        # Logits that no loss looks at, as where features alone are compared, are those of an untrained layer.
        if self._spec.is_plane and discriminator is not None and engine.logits_looked_at:
            pictures["field"] = self._field(discriminator, samples[:ARROWS])
        if discriminator is not None:
            pictures |= self._drawn_by(discriminator, samples)
        averaged = engine.averaged_generator
        if averaged is not None:
            samples = self._make(averaged, self._latents, self._labels)
            pictures["fixed_ema"] = self._draw(samples)
        if self._spec.is_picture:
            walks = self._make(engine.generator, self._walks, self._walk_labels, still=True)
            pictures["interpolation"] = grid(walks, columns=WALK)
        return Drawn(pictures, diversity(samples, self._real))

    def _make(
        self, network: nn.Module, latents: torch.Tensor, labels: torch.Tensor | None, *, still: bool = False
    ) -> torch.Tensor:
        labels = labels if self._engine.networks.generator_takes_labels else None
        samples = torch.cat(list(run_generator(network, latents, labels, still=still)))
        return self._spec.quantise(samples).cpu()

    def _drawn_by(self, discriminator: nn.Module, fakes: torch.Tensor) -> dict[str, NDArray[np.uint8]]:
        """Return what a discriminator with a method `draw` shows of itself, on real samples and fakes."""
        draw: Any = getattr(discriminator, "draw", None)
        if draw is None:
            return {}
        device = self._engine.networks.device
        arguments = [self._spec.dequantise(torch.cat([self._shown, fakes])).to(device)]
        if self._engine.networks.discriminator_takes_labels and self._shown_labels is not None:
            assert self._labels is not None, "data with labels has some for fakes"
            arguments.append(torch.cat([self._shown_labels, self._labels]).to(device))
        with torch.no_grad(), evaluation_mode(discriminator), isolated_randomness(0):
            drawn: dict[str, NDArray[np.uint8]] = draw(*arguments)
        return {f"discriminator_{name}": picture for name, picture in drawn.items()}

    def _field(self, discriminator: nn.Module, points: torch.Tensor) -> NDArray[np.uint8]:
        """Draw what the discriminator thinks of the plane, a mean over the classes where it takes labels.

        Undecided is what the losses say or, where they say nothing, halfway between the mean logits of real
        and of generated points.
        """
        networks, classes = self._engine.networks, max(self._spec.classes, 1)

        def logits(places: torch.Tensor) -> torch.Tensor:
            count = len(places)
            labels = torch.arange(classes, device=networks.device).repeat_interleave(count)
            answers = networks.discriminate(places.repeat(classes, 1), labels if self._spec.classes else None)
            return answers.logits.reshape(classes, count, -1).mean((0, 2))

        centre, half = view(self._real)
        ticks = torch.from_numpy(np.linspace(-half, half, FIELD)).to(networks.device, torch.float32)
        rows, columns = torch.meshgrid(-ticks, ticks, indexing="ij")
        middle = torch.from_numpy(centre).to(networks.device, torch.float32)
        places = torch.stack([columns, rows], dim=2).reshape(-1, 2) + middle
        with evaluation_mode(discriminator), freeze(discriminator), isolated_randomness(0):
            ground = logits(places).detach().reshape(FIELD, FIELD)
            moving = points.to(networks.device).requires_grad_()
            moved = logits(moving)
            (directions,) = torch.autograd.grad(moved.sum(), moving)
            undecided = self._engine.undecided_logit
            if undecided is None:
                real = logits(self._real[:REALS].to(networks.device)).detach()
                undecided = float(real.mean() + moved.detach().mean()) / 2
        return field(ground - undecided, points, directions, self._real[:REALS])

    def _of_rows(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return samples of the rows' classes, one for each place; a class that has too few repeats them."""
        assert self._rows is not None and self._store.labels is not None
        wanted, theirs = np.array(self._rows.labels), self._store.labels[samples]
        chosen = np.empty(len(wanted), np.int64)
        for label in np.unique(wanted):
            places = wanted == label
            chosen[places] = np.resize(samples[theirs == label], places.sum())
        return chosen

    def _draw(self, samples: torch.Tensor) -> NDArray[np.uint8]:
        if self._spec.is_picture:
            return grid(samples, None if self._rows is None else self._rows.lengths)
        return scatter(samples.flatten(1), self._real.flatten(1))
