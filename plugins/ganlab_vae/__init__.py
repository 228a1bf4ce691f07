"""The variational autoencoder's objective: with an encoder it makes a VAE of any generator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class ElboOptions(Options):
    """Options of the evidence lower bound."""

    beta: float = Field(1.0, ge=0)
    """Weight of the KL term; 1 is the bound itself (β-VAE: Higgins et al., 2017)."""
    sigma: Literal["optimal"] | Annotated[float, Field(gt=0)] = "optimal"
    """Standard deviation of the Gaussian likelihood, for samples in [-1, 1]; `optimal` is the maximum
    likelihood value for each batch (Rybkin et al., 2021)."""


def build_elbo(options: ElboOptions) -> Loss:
    """Return the loss."""
    from ganlab_vae.losses import Elbo

    return Elbo(options.beta, None if options.sigma == "optimal" else options.sigma)


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="elbo",
        summary="Evidence lower bound: makes a VAE of generator and encoder (Kingma & Welling, 2014)",
        options=ElboOptions,
        build=build_elbo,
        needs=frozenset({"encoder"}),
    )
