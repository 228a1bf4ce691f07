"""FastGAN (Liu et al., 2021): little data and little time; a discriminator that supervises itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import (
    DiscriminatorComponent,
    GeneratorComponent,
    ImageSpec,
    LatentSpec,
    LossComponent,
    Options,
    hookimpl,
)

if TYPE_CHECKING:
    from torch import nn

    from ganlab import Loss

SMALLEST, LARGEST = 16, 1024


class NetworkOptions(Options):
    """Options of either network."""

    width: int = Field(64, ge=1, le=2**14)
    """Channels at full size; they double towards the smallest feature map."""
    widest: int = Field(16, ge=1, le=2**14)
    """Largest multiple of `width`."""


def build_generator(options: NetworkOptions, image: ImageSpec, latent: LatentSpec) -> nn.Module:
    """Return the generator, `(N, latent.dim) [, labels] -> (N, C, H, W)` in [-1, 1]."""
    from ganlab_fastgan.networks import Generator

    image.require_sides(SMALLEST, LARGEST, "fastgan")
    return Generator(image, latent.dim, options.width, options.widest)


def build_discriminator(options: NetworkOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> Verdict` with logits `(N, h, w)`."""
    from ganlab_fastgan.networks import Discriminator

    image.require_sides(SMALLEST, LARGEST, "fastgan")
    return Discriminator(image, options.width, options.widest)


def build_reconstruction(options: Options) -> Loss:
    """Return the loss."""
    from ganlab_fastgan.losses import Reconstruction

    return Reconstruction()


@hookimpl
def ganlab_generators() -> Iterator[GeneratorComponent]:
    """Offer the generator."""
    yield GeneratorComponent(
        name="fastgan",
        summary="Small feature maps scale the channels of large ones (FastGAN, Liu et al., 2021)",
        options=NetworkOptions,
        build=build_generator,
        takes_labels=True,
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="fastgan",
        summary="Judges patches, and draws the image again for `reconstruction` (FastGAN, Liu et al., 2021)",
        options=NetworkOptions,
        build=build_discriminator,
        takes_labels=True,
        outputs=frozenset({"reconstruction_error"}),
    )


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="reconstruction",
        summary="What a self-supervised discriminator misses of real samples (FastGAN, Liu et al., 2021)",
        build=build_reconstruction,
        needs=frozenset({"discriminator"}),
        needs_outputs=frozenset({"reconstruction_error"}),
    )
