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

    codes: int = Field(2, ge=1)
    """How many of the latents, from the first on, are codes; the rest is noise."""
    learned_variance: bool = False
    """Let the encoder tell how sure it is; the authors' code has a variance of 1."""


def build_infogan(options: InfoGanOptions) -> Loss:
    """Return the loss."""
    from ganlab_infogan.losses import InfoGan

    return InfoGan(options.codes, learned_variance=options.learned_variance)


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
