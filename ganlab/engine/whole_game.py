"""A turn as losses see it that compare the samples of a batch: all of it, over all processes."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cached_property

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from ganlab.engine.augmentation import Draws
from ganlab.engine.game import Game
from ganlab.engine.loss import Verdict
from ganlab.engine.microbatch_game import MicrobatchGame
from ganlab.engine.shared_rows import cut, gather
from ganlab.engine.turn_samples import Draw
from ganlab.errors import ComponentError
from ganlab.processes import Processes
from ganlab.words import counted

__all__ = ["WholeGame"]


class WholeGame(Game):
    """All samples of a batch that several processes share, N over all of them.

    It is for losses that compare samples with one another. Each process sees the whole batch, and gradients
    flow to its own rows: summed over the processes, they are those of the whole batch. Networks take
    and return what is whole, too, of which each process does its share.

    Args:
        own: the turn with this process's rows.
        processes: those that share the batch.
        count: samples of the whole batch.
    """

    def __init__(self, own: MicrobatchGame, processes: Processes, count: int) -> None:
        super().__init__(own.player, step=own.step, latent=own.latent)
        self._processes = processes
        self._own, self._count = own, count
        self.logits_asked_for = own.logits_asked_for
        # Own rows by what was gathered of them, for as long as a loss could ask for its gradient.
        self._gathered: MutableMapping[torch.Tensor, torch.Tensor] = WeakTensorKeyDictionary()

    @cached_property
    def real(self) -> torch.Tensor:
        """All real samples."""
        return self._whole(self._own.real)

    @cached_property
    def real_labels(self) -> torch.Tensor | None:
        """Labels of all real samples, or `None`."""
        return None if self._own.real_labels is None else self._whole(self._own.real_labels)

    @cached_property
    def latents(self) -> torch.Tensor:
        """Latents of all fakes."""
        return self._whole(self._own.latents)

    @cached_property
    def fake_labels(self) -> torch.Tensor | None:
        """Labels that all fakes were made for, or `None`."""
        return None if self._own.fake_labels is None else self._whole(self._own.fake_labels)

    @cached_property
    def fake(self) -> torch.Tensor:
        """All generated samples."""
        return self._whole(self._own.fake)

    @cached_property
    def real_verdict(self) -> Verdict:
        """The discriminator's verdict on all real samples."""
        return self._own.real_verdict.map(self._whole)

    @cached_property
    def fake_verdict(self) -> Verdict:
        """The discriminator's verdict on all fakes."""
        return self._own.fake_verdict.map(self._whole)

    def discriminate(self, samples: torch.Tensor, labels: torch.Tensor | None = None) -> Verdict:
        """Return the discriminator's verdict on any samples, seen through the experiment's augmentations.

        Raises:
            ComponentError: the experiment has no discriminator.
        """
        own, own_labels, draws = self._cut(samples), self._cut_labels(labels), self._draws(samples)
        verdict = self._own.discriminate(own, own_labels, draws)
        return verdict.map(lambda part: self._whole(part, len(samples)))

    def augment(self, samples: torch.Tensor) -> torch.Tensor:
        """Return samples changed at random by all of the experiment's augmentations.

        Raises:
            ComponentError: the experiment has no augmentations.
        """
        return self._whole(self._own.augment(self._cut(samples), self._draws(samples)), len(samples))

    def generate(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the generator's samples for any latents `(N, dim)`."""
        samples = self._own.generate(self._cut(latents), self._cut_labels(labels))
        return self._whole(samples, len(latents))

    def generate_with_styles(
        self, latents: torch.Tensor, labels: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return samples, and what the generator made them of, which gradients can be taken by."""
        samples, styles = self._own.generate_with_styles(self._cut(latents), self._cut_labels(labels))
        return self._whole(samples, len(latents)), self._whole(styles, len(latents))

    def encode(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the encoder's mean and log-variance, each `(N, dim)`.

        Raises:
            ComponentError: the experiment has no encoder.
        """
        mean, log_variance = self._own.encode(self._cut(samples))
        return self._whole(mean, len(samples)), self._whole(log_variance, len(samples))

    def input_gradient(self, logits: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Return ∂(Σ verdicts)/∂ samples, shaped as the samples, itself differentiable."""
        # What was gathered is no part of the graph that it was gathered from: the own rows are.
        own = self._gathered.get(samples)
        if own is None:
            return self._own.input_gradient(logits, samples)
        return self._whole(self._own.input_gradient(logits, own), len(samples))

    def _draw(self, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        return self._own.draw_for_all(draw, shape)

    def _draws(self, samples: torch.Tensor) -> Draws:
        """Return the augmentations' random numbers for this process's rows of samples."""
        return self._own.draws_for_all(len(samples), self._processes.rows(len(samples)))

    def _cut(self, whole: torch.Tensor) -> torch.Tensor:
        """Return this process's rows of what a network is given.

        Raises:
            ComponentError: there are fewer than processes.
        """
        count, world = len(whole), self._processes.world
        if count < world:
            raise ComponentError(
                f"it gives a network {counted(count, 'sample')}, which {world} processes cannot share"
            )
        return cut(whole, self._processes)

    def _cut_labels(self, labels: torch.Tensor | None) -> torch.Tensor | None:
        return None if labels is None else self._cut(labels)

    def _whole(self, own: torch.Tensor, count: int | None = None) -> torch.Tensor:
        """Return all rows, of which `own` are this process's."""
        whole = gather(own, self._processes, self._count if count is None else count)
        self._gathered[whole] = own
        return whole
