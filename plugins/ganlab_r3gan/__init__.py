"""R3GAN (Huang et al., 2024): a modern, plain pair of networks for a loss that needs no tricks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import (
    ComponentError,
    DiscriminatorComponent,
    GeneratorComponent,
    ImageSpec,
    LatentSpec,
    Options,
    hookimpl,
)

if TYPE_CHECKING:
    from torch import nn

SMALLEST, LARGEST = 16, 512


class NetworkOptions(Options):
    """Options of either network: the paper's at 256×256; at 64×64 it has `width` 384 and `widest` 2."""

    width: int = Field(96, ge=1, le=2**14)
    """Channels at full size; they double towards the smallest feature map."""
    widest: int = Field(8, ge=1, le=2**14)
    """Largest multiple of `width`."""
    blocks: int = Field(2, ge=1, le=64)
    """Residual blocks at each size."""
    expansion: int = Field(2, ge=1, le=16)
    """Factor on the channels inside a block."""
    group: int = Field(16, ge=1, le=2**14)
    """Channels of a group of a block's grouped convolution; divides `width` times `expansion`."""


def _check(options: NetworkOptions, image: ImageSpec) -> None:
    image.require_sides(SMALLEST, LARGEST, "r3gan")
    inside = options.width * options.expansion
    if inside % options.group:
        raise ComponentError(
            f"{inside} channels (`width` times `expansion`) cannot be cut into groups of {options.group}",
            option="group",
        )


def build_generator(options: NetworkOptions, image: ImageSpec, latent: LatentSpec) -> nn.Module:
    """Return the generator, `(N, latent.dim) [, labels] -> (N, C, H, W)` in [-1, 1]."""
    from ganlab_r3gan.networks import Generator

    _check(options, image)
    return Generator(
        image,
        latent.dim,
        options.width,
        options.widest,
        blocks=options.blocks,
        expansion=options.expansion,
        group=options.group,
    )


def build_discriminator(options: NetworkOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> (N,)`."""
    from ganlab_r3gan.networks import Discriminator

    _check(options, image)
    return Discriminator(
        image,
        options.width,
        options.widest,
        blocks=options.blocks,
        expansion=options.expansion,
        group=options.group,
    )


@hookimpl
def ganlab_generators() -> Iterator[GeneratorComponent]:
    """Offer the generator."""
    yield GeneratorComponent(
        name="r3gan",
        summary="Grouped convolutions, fix-up initialisation and no normalisation (Huang et al., 2024)",
        options=NetworkOptions,
        build=build_generator,
        takes_labels=True,
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="r3gan",
        summary="The generator's mirror image; wants a relativistic loss, R1 and R2 (Huang et al., 2024)",
        options=NetworkOptions,
        build=build_discriminator,
        takes_labels=True,
    )
