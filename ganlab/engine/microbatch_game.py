"""A turn as losses see it that take each sample by itself: a microbatch at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from typing import Literal

import torch

from ganlab.components import LatentSpec
from ganlab.engine.augmentation import Augmentations, Draws
from ganlab.engine.game import Game
from ganlab.engine.loss import Verdict
from ganlab.engine.networks import Networks
from ganlab.engine.turn_samples import Draw, TurnSamples
from ganlab.errors import ComponentError

__all__ = ["MicrobatchGame"]


class MicrobatchGame(Game):
    """A microbatch of this process's samples, N of them.

    Args:
        player: whose turn it is.
        networks: what is called.
        samples: this process's of the whole turn.
        rows: which of them are the microbatch.
        step: completed steps before this one.
        latent: what the experiment's latents are.
        leaves: `real`, `fake` or both, where some loss takes gradients by them.
        joint_batch: whether real and fake pass the discriminator together.
        augmentations: what the discriminator sees samples through.
    """

    def __init__(
        self,
        player: Literal["discriminator", "generator"],
        networks: Networks,
        samples: TurnSamples,
        *,
        rows: slice,
        step: int,
        latent: LatentSpec,
        leaves: Collection[str] = (),
        joint_batch: bool = False,
        augmentations: Augmentations | None = None,
    ) -> None:
        super().__init__(player, step=step, latent=latent)
        self._networks = networks
        self._samples = samples
        self._rows = rows
        self._leaves = leaves
        self._joint_batch = joint_batch
        self._augmentations = augmentations
        self._requests = 0
        self._augmentation_requests = 0

    @cached_property
    def real(self) -> torch.Tensor:
        """Real samples, `(N, C, H, W)` in [-1, 1] or `(N, dimension)`."""
        real = self._samples.real.samples[self._rows]
        return real.detach().requires_grad_() if "real" in self._leaves else real

    @cached_property
    def real_labels(self) -> torch.Tensor | None:
        """Labels `(N,)` of the real samples, or `None`."""
        labels = self._samples.real.labels
        return None if labels is None else labels[self._rows]

    @cached_property
    def latents(self) -> torch.Tensor:
        """Latents `(N, dim)` of the fakes."""
        return self._samples.fakes.latents[self._rows]

    @cached_property
    def fake_labels(self) -> torch.Tensor | None:
        """Labels `(N,)` that the fakes were made for, or `None`."""
        labels = self._samples.fakes.labels
        return None if labels is None else labels[self._rows]

    @cached_property
    def fake(self) -> torch.Tensor:
        """Generated samples; gradients flow through them in the generator's turn only."""
        shared = self._samples.fakes.samples
        fake = self.generate(self.latents, self.fake_labels) if shared is None else shared[self._rows]
        if self.player == "discriminator":
            fake = fake.detach()
        if "fake" in self._leaves and not fake.requires_grad:
            fake = fake.detach().requires_grad_()
        return fake

    @cached_property
    def real_verdict(self) -> Verdict:
        """The discriminator's verdict on `real`."""
        return (
            self._joint_verdicts[0] if self._joint_batch else self.discriminate(self.real, self.real_labels)
        )

    @cached_property
    def fake_verdict(self) -> Verdict:
        """The discriminator's verdict on `fake`."""
        return (
            self._joint_verdicts[1] if self._joint_batch else self.discriminate(self.fake, self.fake_labels)
        )

    def discriminate(
        self, samples: torch.Tensor, labels: torch.Tensor | None = None, draws: Draws | None = None
    ) -> Verdict:
        """Return the discriminator's verdict on any samples, seen through the experiment's augmentations.

        Args:
            samples: `(N, …)`.
            labels: theirs.
            draws: random numbers for the augmentations; the microbatch's if left out.

        Raises:
            ComponentError: the experiment has no discriminator.
        """
        if self._augmentations:
            samples = self._augmentations.shown(samples, draws or self._augmentation_draws(len(samples)))
        return self._networks.discriminate(samples, labels)

    def augment(self, samples: torch.Tensor, draws: Draws | None = None) -> torch.Tensor:
        """Return samples changed at random by the augmentations that are `always = false`.

        For losses that compare a sample with its augmented self; `discriminate` applies the others by
        itself, to both.

        Args:
            samples: `(N, …)`.
            draws: random numbers; the microbatch's if left out.

        Raises:
            ComponentError: the experiment has no such augmentations.
        """
        if not self._augmentations:
            raise ComponentError("it augments samples, and the experiment has no [[augmentations]]")
        return self._augmentations.augmented(samples, draws or self._augmentation_draws(len(samples)))

    def generate(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the generator's samples for any latents `(N, dim)`."""
        return self._networks.generate(latents, labels)

    def generate_with_styles(
        self, latents: torch.Tensor, labels: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return samples, and what the generator made them of, which gradients can be taken by.

        That is what its module `mapping` returned, `(N, …)`; where it has none, a leaf with the
        latents.
        """
        styles = [self.leaf(latents)]
        with self._networks.noting_styles(styles.append):
            samples = self.generate(styles[0], labels)
        return samples, styles[-1]

    def encode(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the encoder's mean and log-variance, each `(N, dim)`.

        Raises:
            ComponentError: the experiment has no encoder.
        """
        return self._networks.encode(samples)

    def input_gradient(self, logits: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Return ∂(Σ verdicts)/∂ samples, shaped as the samples, itself differentiable.

        The verdict on a sample is the mean of its logits, where it has several. Since they depend on
        that sample alone (as long as the discriminator does not look across its batch), row i is the
        gradient of the verdict on sample i.

        Args:
            logits: `(N,)` or `(N, …)`.
            samples: what they follow from, a leaf or not.
        """
        verdicts = logits.reshape(len(logits), -1).mean(dim=1)
        (gradient,) = torch.autograd.grad(verdicts.sum(), samples, create_graph=True)
        return gradient

    @property
    def logits_seen(self) -> dict[str, torch.Tensor]:
        """The logits of `real` and of `fake`, those of them that some loss has asked for already."""
        kinds = [kind for kind in ("real", "fake") if kind in self.logits_asked_for]
        verdicts: dict[str, Verdict] = {kind: getattr(self, f"{kind}_verdict") for kind in kinds}
        return {kind: verdict.logits.detach() for kind, verdict in verdicts.items()}

    def draw_for_all(self, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the losses' next random numbers for the whole batch, over all processes."""
        noise = self._samples.noise(self._requests, draw, shape)
        self._requests += 1
        return noise

    def draws_for_all(self, count: int, rows: slice) -> Draws:
        """Return random numbers for rows of `count` samples, which may be several times the whole batch."""
        return self._draws(lambda noise: noise, count, rows)

    def _draw(self, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        return self._samples.own(self.draw_for_all(draw, shape))[self._rows]

    def _augmentation_draws(self, count: int) -> Draws:
        """Return random numbers for samples that may be several times the turn's rows."""
        return self._draws(lambda noise: self._samples.own(noise)[self._rows], count, slice(count))

    def _draws(self, cut: Callable[[torch.Tensor], torch.Tensor], count: int, rows: slice) -> Draws:
        """Return random numbers for rows of `count` samples, cut from as many whole batches as it takes."""

        def draw(kind: Draw, shape: tuple[int, ...]) -> torch.Tensor:
            noise = self._samples.augmentation_noise(self._augmentation_requests, kind, shape)
            self._augmentation_requests += 1
            return cut(noise)

        def enough(kind: Draw, shape: tuple[int, ...]) -> torch.Tensor:
            parts = [draw(kind, shape)]
            while len(parts) * len(parts[0]) < count:
                parts.append(draw(kind, shape))
            return torch.cat(parts)[rows] if len(parts) > 1 else parts[0][rows]

        return Draws(enough)

    @cached_property
    def _joint_verdicts(self) -> tuple[Verdict, Verdict]:
        labels = None
        if self.real_labels is not None and self.fake_labels is not None:
            labels = torch.cat([self.real_labels, self.fake_labels])
        both = self.discriminate(torch.cat([self.real, self.fake]), labels)
        count = len(self.real)
        return both.map(lambda part: part[:count]), both.map(lambda part: part[count:])
