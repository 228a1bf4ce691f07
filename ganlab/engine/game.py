"""The game: what a loss sees during a turn, computed on first use and remembered."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any, Literal, TypeAlias

import torch

from ganlab.components import LatentSpec
from ganlab.data.feed import Batch
from ganlab.engine.augmentation import Augmentations, Draws
from ganlab.engine.latents import to_device
from ganlab.engine.loss import Verdict
from ganlab.engine.networks import Networks
from ganlab.errors import ComponentError
from ganlab.processes import Processes

__all__ = ["Fakes", "Game", "TurnSamples", "WholeGame"]

Draw: TypeAlias = Callable[..., Any]
"""`torch.rand` or `torch.randn`."""


class Fakes:
    """What the generator is given for a batch, drawn on first use.

    Args:
        draw_latents: returns latents `(n, dim)`, this process's rows of the batch.
        draw_labels: returns labels `(n,)`, or `None` where there are none.

    Attributes:
        samples: what the generator made of it, with its graph, where two turns share that;
            `None` where each turn makes its own.
    """

    def __init__(
        self, draw_latents: Callable[[], torch.Tensor], draw_labels: Callable[[], torch.Tensor | None]
    ) -> None:
        self._draw_latents = draw_latents
        self._draw_labels = draw_labels
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
        """Return the random numbers of a turn's `index`-th request, `(n, *shape)`."""
        return self.whole_noise(index, draw, shape)[self._rows]

    def whole_noise(self, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the random numbers of a turn's `index`-th request for all processes' rows."""
        return self._noise(index, draw, shape)

    def augmentation_noise(self, index: int, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the random numbers of the augmentations' `index`-th request, `(n, *shape)`."""
        return self._augmentation_noise(index, draw, shape)[self._rows]


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


class Game:
    """What a loss may look at during a turn.

    Everything is computed when first asked for, and once: a loss pays for what it
    touches, and two losses that look at the same logits share one forward pass. All
    tensors are float32 on the training device. N is the microbatch.

    Attributes:
        player: whose turn it is.
        step: completed steps before this one.
        latent: what the experiment's latents are.
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
        self.player = player
        self.step = step
        self.latent = latent
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

    @property
    def real_logits(self) -> torch.Tensor:
        """Logits of `real`, `(N,)` or `(N, …)`; higher is more real."""
        return self.real_verdict.logits

    @property
    def fake_logits(self) -> torch.Tensor:
        """Logits of `fake`, `(N,)` or `(N, …)`; higher is more real."""
        return self.fake_verdict.logits

    def discriminate(self, samples: torch.Tensor, labels: torch.Tensor | None = None) -> Verdict:
        """Return the discriminator's verdict on any samples, seen through the experiment's augmentations.

        Raises:
            ComponentError: the experiment has no discriminator.
        """
        if self._augmentations:
            samples = self._augmentations.shown(samples, self._augmentation_draws(len(samples)))
        return self._networks.discriminate(samples, labels)

    def augment(self, samples: torch.Tensor) -> torch.Tensor:
        """Return samples changed at random by all of the experiment's augmentations.

        For losses that compare a sample with its augmented self; `discriminate` applies those that
        are shown `always` by itself.

        Raises:
            ComponentError: the experiment has no augmentations.
        """
        if not self._augmentations:
            raise ComponentError("it augments samples, and the experiment has no [[augmentations]]")
        return self._augmentations.augmented(samples, self._augmentation_draws(len(samples)))

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

    def rand(self, *shape: int) -> torch.Tensor:
        """Return numbers uniform on [0, 1), `(N, *shape)`: a loss's own randomness, a row for each sample."""
        return self._draw(torch.rand, shape)

    def randn(self, *shape: int) -> torch.Tensor:
        """Return numbers from N(0, 1), `(N, *shape)`: a loss's own randomness, a row for each sample."""
        return self._draw(torch.randn, shape)

    def leaf(self, samples: torch.Tensor) -> torch.Tensor:
        """Return a copy of samples that gradients can be taken by, cut off from their own history."""
        return samples.detach().requires_grad_()

    def input_gradient(self, logits: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Return ∂(Σ logits)/∂ samples, shaped as the samples, itself differentiable.

        Since a sample's logits depend on that sample alone (as long as the discriminator has
        no batch statistics), row i is the gradient of the verdict on sample i.
        """
        (gradient,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
        return gradient

    @property
    def logits_seen(self) -> dict[str, torch.Tensor]:
        """The logits of `real` and of `fake`, those of them that some loss has asked for already."""
        verdicts = {kind: self.__dict__.get(f"{kind}_verdict") for kind in ("real", "fake")}
        return {kind: verdict.logits.detach() for kind, verdict in verdicts.items() if verdict is not None}

    def _draw(self, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        noise = self._samples.noise(self._requests, draw, shape)
        self._requests += 1
        return noise[self._rows]

    def _augmentation_draws(self, count: int) -> Draws:
        """Return random numbers for samples that may be several times the turn's rows."""

        def draw(kind: Draw, shape: tuple[int, ...]) -> torch.Tensor:
            rows = self._samples.augmentation_noise(self._augmentation_requests, kind, shape)[self._rows]
            self._augmentation_requests += 1
            return rows

        def enough(kind: Draw, shape: tuple[int, ...]) -> torch.Tensor:
            parts = [draw(kind, shape)]
            while len(parts) * len(parts[0]) < count:
                parts.append(draw(kind, shape))
            return torch.cat(parts)[:count] if len(parts) > 1 else parts[0][:count]

        return Draws(enough)

    @cached_property
    def _joint_verdicts(self) -> tuple[Verdict, Verdict]:
        labels = None
        if self.real_labels is not None and self.fake_labels is not None:
            labels = torch.cat([self.real_labels, self.fake_labels])
        both = self.discriminate(torch.cat([self.real, self.fake]), labels)
        count = len(self.real)
        return both.map(lambda part: part[:count]), both.map(lambda part: part[count:])


class WholeGame(Game):
    """A turn as a loss sees it that compares the samples of a batch with one another.

    Where several processes share the batch, each sees all of it here, and gradients flow to
    its own rows: summed over the processes, they are those of the whole batch. Samples,
    labels and verdicts can be looked at; networks cannot be called, since each process would
    do the work of all.

    Args:
        own: the turn with this process's rows.
        processes: those that share the batch.
        count: samples of the whole batch.
    """

    def __init__(self, own: Game, processes: Processes, count: int) -> None:
        self.player, self.step, self.latent = own.player, own.step, own.latent
        self._own, self._processes, self._count = own, processes, count

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
        """Refuse."""
        raise self._refusal("discriminate")

    def augment(self, samples: torch.Tensor) -> torch.Tensor:
        """Refuse."""
        raise self._refusal("augment")

    def generate(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Refuse."""
        raise self._refusal("generate")

    def generate_with_styles(
        self, latents: torch.Tensor, labels: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Refuse."""
        raise self._refusal("generate_with_styles")

    def encode(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Refuse."""
        raise self._refusal("encode")

    def input_gradient(self, logits: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Refuse."""
        raise self._refusal("input_gradient")

    def _draw(self, draw: Draw, shape: tuple[int, ...]) -> torch.Tensor:
        noise = self._own._samples.whole_noise(self._own._requests, draw, shape)
        self._own._requests += 1
        return noise

    def _whole(self, own: torch.Tensor) -> torch.Tensor:
        return self._processes.all_gather(own, self._count)

    def _refusal(self, what: str) -> ComponentError:
        return ComponentError(
            f"it compares whole batches and calls `game.{what}`, which {self._processes.world} processes "
            "cannot share; run it in one process"
        )
