"""The game: what a loss may look at during a turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch

from ganlab.components import LatentSpec
from ganlab.engine.loss import Verdict
from ganlab.engine.turn_samples import Draw

__all__ = ["Game"]


class Game(ABC):
    """What a loss may look at during a turn.

    Everything is computed when first asked for, and once: a loss pays for what it
    touches, and two losses that look at the same logits share one forward pass. All
    tensors are float32 on the training device.

    A loss sees a microbatch (`MicrobatchGame`), or, if it compares the samples of a batch with
    one another and several processes share that batch, all of it (`WholeGame`). N is the number
    of samples it sees.

    Attributes:
        player: whose turn it is.
        latent: what the experiment's latents are.
        logits_asked_for: `real` and `fake`, as far as losses have looked at those logits.
        step_asked_for: whether a loss has looked at `step`.
    """

    def __init__(
        self, player: Literal["discriminator", "generator"], *, step: int, latent: LatentSpec
    ) -> None:
        self.player = player
        self._step = step
        self.latent = latent
        self.logits_asked_for: set[str] = set()
        self.step_asked_for = False

    @property
    def step(self) -> int:
        """Completed steps before this one."""
        self.step_asked_for = True
        return self._step

    @property
    @abstractmethod
    def real(self) -> torch.Tensor:
        """Real samples, `(N, C, H, W)` in [-1, 1] or `(N, dimension)`."""

    @property
    @abstractmethod
    def real_labels(self) -> torch.Tensor | None:
        """Labels `(N,)` of the real samples, or `None`."""

    @property
    @abstractmethod
    def latents(self) -> torch.Tensor:
        """Latents `(N, dim)` of the fakes."""

    @property
    @abstractmethod
    def fake_labels(self) -> torch.Tensor | None:
        """Labels `(N,)` that the fakes were made for, the real samples' own; `None` where there are none."""

    @property
    @abstractmethod
    def fake(self) -> torch.Tensor:
        """Generated samples; gradients flow through them in the generator's turn only."""

    @property
    @abstractmethod
    def real_verdict(self) -> Verdict:
        """The discriminator's verdict on `real`."""

    @property
    @abstractmethod
    def fake_verdict(self) -> Verdict:
        """The discriminator's verdict on `fake`."""

    @property
    def real_logits(self) -> torch.Tensor:
        """Logits of `real`, `(N,)` or `(N, …)`; higher is more real."""
        self.logits_asked_for.add("real")
        return self.real_verdict.logits

    @property
    def fake_logits(self) -> torch.Tensor:
        """Logits of `fake`, `(N,)` or `(N, …)`; higher is more real."""
        self.logits_asked_for.add("fake")
        return self.fake_verdict.logits

    @abstractmethod
    def discriminate(self, samples: torch.Tensor, labels: torch.Tensor | None = None) -> Verdict:
        """Return the discriminator's verdict on any samples, seen through the experiment's augmentations.

        Raises:
            ComponentError: the experiment has no discriminator.
        """

    @abstractmethod
    def augment(self, samples: torch.Tensor) -> torch.Tensor:
        """Return samples changed at random by the augmentations that are `always = false`.

        For losses that compare a sample with its augmented self; `discriminate` applies the others by
        itself, to both.

        Raises:
            ComponentError: the experiment has no such augmentations.
        """

    @abstractmethod
    def generate(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the generator's samples for any latents `(N, dim)`."""

    @abstractmethod
    def generate_with_styles(
        self, latents: torch.Tensor, labels: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return samples, and what the generator made them of, which gradients can be taken by.

        That is what its module `mapping` returned, `(N, …)`; where it has none, a leaf with the
        latents.
        """

    @abstractmethod
    def encode(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the encoder's mean and log-variance, each `(N, dim)`.

        Raises:
            ComponentError: the experiment has no encoder.
        """

    @abstractmethod
    def input_gradient(self, logits: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Return ∂(Σ verdicts)/∂ samples, shaped as the samples, itself differentiable.

        The verdict on a sample is the mean of its logits, where it has several. Since they depend on
        that sample alone (as long as the discriminator does not look across its batch), row i is the
        gradient of the verdict on sample i.

        Args:
            logits: `(N,)` or `(N, …)`.
            samples: what they follow from, a leaf or not.
        """

    def rand(self, *shape: int) -> torch.Tensor:
        """Return numbers uniform on [0, 1), `(N, *shape)`: a loss's own randomness, a row for each sample."""
        return self._draw(torch.rand, shape)

    def randn(self, *shape: int) -> torch.Tensor:
        """Return numbers from N(0, 1), `(N, *shape)`: a loss's own randomness, a row for each sample."""
        return self._draw(torch.randn, shape)

    def leaf(self, samples: torch.Tensor) -> torch.Tensor:
        """Return a copy of samples that gradients can be taken by, cut off from their own history."""
        return samples.detach().requires_grad_()

    @abstractmethod
    def _draw(self, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the losses' next random numbers, `(N, *shape)`."""
