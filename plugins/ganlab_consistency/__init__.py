"""Consistency regularisation: what hardly differs looks alike to the discriminator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class ConsistencyOptions(Options):
    """Options of consistency under augmentation."""

    fakes: bool = True
    """Hold for fakes too: balanced consistency, bCR; otherwise CR, of real samples alone. Both papers give
    it `weight = 10`, and show its augmentations to nothing else: set `always = false` in them."""


class LatentConsistencyOptions(Options):
    """Options of latent consistency."""

    deviation: float = Field(0.03, gt=0)
    """Standard deviation of what is added to each latent."""
    discriminator_weight: float = Field(5.0, gt=0)
    """Weight of the discriminator's term, λ_dis."""
    generator_weight: float = Field(0.5, gt=0)
    """Weight of the generator's term, λ_gen."""


def build_consistency(options: ConsistencyOptions) -> Loss:
    """Return the loss."""
    from ganlab_consistency.losses import Consistency

    return Consistency(fakes=options.fakes)


def build_latent_consistency(options: LatentConsistencyOptions) -> Loss:
    """Return the loss."""
    from ganlab_consistency.losses import LatentConsistency

    return LatentConsistency(options.deviation, options.discriminator_weight, options.generator_weight)


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the losses."""
    yield LossComponent(
        name="consistency",
        summary="Augmented samples: like logits; weight 10 (CR, Zhang et al., 2020; bCR, Zhao et al., 2021)",
        options=ConsistencyOptions,
        build=build_consistency,
        needs=frozenset({"augmentation", "discriminator"}),
    )
    yield LossComponent(
        name="latent-consistency",
        summary="Near latents: like logits, unlike samples (zCR, Zhao et al., 2021)",
        options=LatentConsistencyOptions,
        build=build_latent_consistency,
        needs=frozenset({"discriminator"}),
    )
