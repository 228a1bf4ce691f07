"""Energy-based GANs: a discriminator that reconstructs what is real, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ganlab import (
    ComponentError,
    DiscriminatorComponent,
    ImageSpec,
    LossComponent,
    Options,
    SampleSpec,
    hookimpl,
)

if TYPE_CHECKING:
    from torch import nn

    from ganlab import Loss

SMALLEST = 8


class EbganOptions(Options):
    """Options of the energy-based loss."""

    margin: float = Field(0.1, gt=0)
    """Energy beyond which a fake is left alone, in the discriminator's units. Far above the energy of real
    samples, which the chart `logits/real` shows, no fake ever comes below it: 0.05 to 0.1 is right for an
    autoencoder of images. The paper searches it for each data set."""
    pulling_away: float = Field(0.0, ge=0)
    """Weight of the pulling-away term, which turns the fakes' codes apart; 0.1 in the paper's EBGAN-PT."""


class AutoencoderOptions(Options):
    """Options of the autoencoder."""

    width: int = Field(32, ge=1, le=2**16)
    """Of images, channels after the first convolution, doubled at each further one; of other samples, units
    of a hidden layer."""
    widest: int = Field(8, ge=1, le=2**16)
    """Of images, largest multiple of `width`."""
    code: int = Field(16, ge=1, le=2**16)
    """Of images, channels of the code, whose shorter side is 4 to 7; of other samples, its elements."""
    normalisation: Literal["batch", "instance", "layer", "none"] = "batch"
    """Of images, what follows every hidden convolution but the first."""
    slope: float = Field(0.2, ge=0)
    """Slope of the leaky ReLU below zero."""


def build_ebgan(options: EbganOptions) -> Loss:
    """Return the loss."""
    from ganlab_energy.losses import Ebgan

    return Ebgan(options.margin, options.pulling_away)


def build_autoencoder(options: AutoencoderOptions, image: SampleSpec) -> nn.Module:
    """Return the discriminator, `(N, …) -> Verdict` of logits `(N,)` and codes.

    Raises:
        ComponentError: images are too small to be halved.
    """
    from ganlab_energy.networks import convolutional, perceptron

    if not isinstance(image, ImageSpec):
        return perceptron(image, options.width, options.code, options.slope)
    if min(image.height, image.width) < SMALLEST:
        raise ComponentError(
            f"autoencoder judges images from {SMALLEST} pixels a side, and [image] asks for "
            f"{image.height}×{image.width}"
        )
    return convolutional(
        image, options.width, options.widest, options.code, options.normalisation, options.slope
    )


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="ebgan",
        summary="Low energy for real, above a margin for fake; for `autoencoder` (EBGAN, Zhao et al., 2017)",
        options=EbganOptions,
        build=build_ebgan,
        needs=frozenset({"discriminator"}),
        needs_outputs=frozenset({"energy"}),
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="autoencoder",
        summary="Minus the error of reconstructing a sample, for `ebgan` (Zhao et al., 2017)",
        options=AutoencoderOptions,
        build=build_autoencoder,
        accepts=(SampleSpec,),
        outputs=frozenset({"energy"}),
    )
