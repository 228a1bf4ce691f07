"""StyleGAN2 (Karras et al., 2020): styles that modulate convolutions, and a residual discriminator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import (
    DiscriminatorComponent,
    GeneratorComponent,
    ImageSpec,
    LatentSpec,
    Options,
    hookimpl,
)

if TYPE_CHECKING:
    from torch import nn

SMALLEST, LARGEST = 16, 1024


class GeneratorOptions(Options):
    """Options of the style-based generator; the paper's at 1024×1024 has `width` 32 and `widest` 16."""

    width: int = Field(64, ge=1, le=2**14)
    """Channels at full size; they double towards the smallest feature map."""
    widest: int = Field(8, ge=1, le=2**14)
    """Largest multiple of `width`."""
    style: int = Field(512, ge=1, le=2**14)
    """Elements of a style w, and units of the mapping network's layers."""
    mapping: int = Field(8, ge=1, le=64)
    """Layers of the mapping network; later work makes do with 2 (Karras et al., 2020b)."""
    noise: bool = True
    """Add noise after every convolution, fresh for each image, with a learned strength that starts at 0."""
    mixing: float = Field(0.0, ge=0, le=1)
    """Share of samples in training that are made of two latents' styles, the second's from a random layer on
    (Karras et al., 2019, §3.1, where it is 0.9)."""


class DiscriminatorOptions(Options):
    """Options of the residual discriminator; the paper's at 1024×1024 has `width` 32 and `widest` 16."""

    width: int = Field(64, ge=1, le=2**14)
    """Channels at full size; they double at every halving."""
    widest: int = Field(8, ge=1, le=2**14)
    """Largest multiple of `width`."""
    group: int = Field(4, ge=0, le=2**14)
    """Samples of a batch whose spread a sample is shown beside its own features, or else the number nearest
    to this that divides the batch, if only all of them; 0 shows none. A single sample has no spread: a batch,
    or microbatch, has 2 or more."""


def build_generator(options: GeneratorOptions, image: ImageSpec, latent: LatentSpec) -> nn.Module:
    """Return the generator, `(N, latent.dim) [, labels] -> (N, C, H, W)` in [-1, 1]."""
    from ganlab_style.networks import Generator

    image.require_sides(SMALLEST, LARGEST, "style")
    return Generator(
        image,
        latent.dim,
        options.width,
        options.widest,
        style=options.style,
        mapping=options.mapping,
        noise=options.noise,
        mixing=options.mixing,
        uniform=latent.distribution == "uniform",
        codes=sum(latent.categories),
    )


def build_discriminator(options: DiscriminatorOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> (N,)`."""
    from ganlab_style.networks import Discriminator

    image.require_sides(SMALLEST, LARGEST, "style")
    return Discriminator(image, options.width, options.widest, options.group)


@hookimpl
def ganlab_generators() -> Iterator[GeneratorComponent]:
    """Offer the generator."""
    yield GeneratorComponent(
        name="style",
        summary="StyleGAN2: a mapping network, modulated convolutions, noise (Karras et al., 2020)",
        options=GeneratorOptions,
        build=build_generator,
        takes_labels=True,
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="style",
        summary="StyleGAN2: residual blocks that see the spread of a group of samples (Karras et al., 2020)",
        options=DiscriminatorOptions,
        build=build_discriminator,
        takes_labels=True,
    )
