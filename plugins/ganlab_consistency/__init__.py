"""Consistency regularisation: near latents look alike to the discriminator, and make samples that differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class LatentConsistencyOptions(Options):
    """Options of latent consistency."""

    deviation: float = Field(0.03, gt=0)
    """Standard deviation of what is added to each latent."""
    discriminator_weight: float = Field(5.0, gt=0)
    """Weight of the discriminator's term, λ_dis."""
    generator_weight: float = Field(0.5, gt=0)
    """Weight of the generator's term, λ_gen."""


def build_latent_consistency(options: LatentConsistencyOptions) -> Loss:
    """Return the loss."""
    from ganlab_consistency.losses import LatentConsistency

    return LatentConsistency(options.deviation, options.discriminator_weight, options.generator_weight)


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="latent-consistency",
        summary="Near latents: like logits, unlike samples (zCR, Zhao et al., 2021)",
        options=LatentConsistencyOptions,
        build=build_latent_consistency,
        needs=frozenset({"discriminator"}),
    )
