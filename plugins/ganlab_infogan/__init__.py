"""InfoGAN: latents that can be read off the samples, and so come to mean something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class InfoGanOptions(Options):
    """Options of InfoGAN's mutual information."""

    codes: int = Field(2, ge=0)
    """How many of the latents are continuous codes: the first behind the [latent] `categories`, which are
    codes, too; the rest is noise."""
    continuous_weight: float = Field(1.0, ge=0)
    """Weight of the continuous codes; the categories' is 1. The authors' code has 0.1 on MNIST."""
    noise: float = Field(0.0, ge=0)
    """Standard deviation of what is added to fakes before they are read, so that codes cannot hide in
    patterns that nobody sees: the encoder is its own network, a head of the discriminator in the paper."""
    learned_variance: bool = False
    """Let the encoder tell how sure it is; the authors' code has a variance of 1."""


def build_infogan(options: InfoGanOptions) -> Loss:
    """Return the loss."""
    from ganlab_infogan.losses import InfoGan

    return InfoGan(
        options.codes,
        options.continuous_weight,
        noise=options.noise,
        learned_variance=options.learned_variance,
    )


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="infogan",
        summary="Codes among the latents that an encoder reads off fakes (InfoGAN, Chen et al., 2016)",
        options=InfoGanOptions,
        build=build_infogan,
        needs=frozenset({"encoder"}),
    )
