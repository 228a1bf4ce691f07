"""A turn as losses see it that compare the samples of a batch: all of it, over all processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NoReturn

import torch

from ganlab.engine.game import Game
from ganlab.engine.loss import Verdict
from ganlab.engine.microbatch_game import MicrobatchGame
from ganlab.engine.turn_samples import Draw
from ganlab.errors import ComponentError
from ganlab.processes import Processes

__all__ = ["WholeGame"]


def _refused(name: str) -> Callable[..., NoReturn]:
    """Return a method that says why it cannot be called here."""

    def refuse(game: WholeGame, *arguments: object, **named: object) -> NoReturn:
        raise ComponentError(
            f"it compares whole batches and calls `game.{name}`, which {game._processes.world} processes "
            "cannot share; run it in one process"
        )

    return refuse


class WholeGame(Game):
    """All samples of a batch that several processes share, N over all of them.

    It is for losses that compare samples with one another. Each process sees the whole batch, and gradients
    flow to its own rows: summed over the processes, they are those of the whole batch. Samples,
    labels and verdicts can be looked at; networks cannot be called, since each process would
    do the work of all.

    Args:
        own: the turn with this process's rows.
        processes: those that share the batch.
        count: samples of the whole batch.
    """

    def __init__(self, own: MicrobatchGame, processes: Processes, count: int) -> None:
        super().__init__(own.player, step=own.step, latent=own.latent)
        self._processes = processes
        self._own, self._count = own, count

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

    discriminate = _refused("discriminate")
    augment = _refused("augment")
    generate = _refused("generate")
    generate_with_styles = _refused("generate_with_styles")
    encode = _refused("encode")
    input_gradient = _refused("input_gradient")

    def _draw(self, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        return self._own.draw_for_all(draw, shape)

    def _whole(self, own: torch.Tensor) -> torch.Tensor:
        return self._processes.all_gather(own, self._count)
