"""Residual networks for GANs, from SNGAN (Miyato et al., 2018) to BigGAN (Brock et al., 2019)."""

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

SMALLEST, LARGEST = 16, 512


class GeneratorOptions(Options):
    """Options of the residual generator."""

    width: int = Field(64, ge=1, le=2**14)
    """Channels before the last convolution; they double towards the latents."""
    widest: int = Field(16, ge=1, le=2**14)
    """Largest multiple of `width`."""
    spectral: bool = False
    """Normalise the weights of the generator spectrally as well (SAGAN, Zhang et al., 2019)."""
    attention: int = Field(0, ge=0)
    """Self-attention where the shorter side of a feature map first reaches this (BigGAN: 64); 0 for none."""
    hierarchical: bool = False
    """Give every block a part of the latents of its own, for its batch normalisation (BigGAN)."""
    embedding: int = Field(0, ge=0, le=2**14)
    """Elements of one embedding of the labels that all batch normalisations share (BigGAN has 128); 0 gives
    every one of them a scale and a shift for each class (Dumoulin et al., 2017)."""


class DiscriminatorOptions(Options):
    """Options of the residual discriminator."""

    width: int = Field(64, ge=1, le=2**14)
    """Channels of the first block; they double with every block."""
    widest: int = Field(16, ge=1, le=2**14)
    """Largest multiple of `width`."""
    spectral: bool = True
    """Normalise all weights spectrally; without it, let a gradient penalty hold them."""
    attention: int = Field(0, ge=0)
    """Self-attention where the shorter side of the feature map is last as large as this; 0 for none."""
    smallest: int = Field(4, ge=4)
    """Blocks halve the sides while the shorter one does not fall below this (SNGAN for CIFAR: 8)."""


def build_generator(options: GeneratorOptions, image: ImageSpec, latent: LatentSpec) -> nn.Module:
    """Return the generator, `(N, latent.dim) [, labels] -> (N, C, H, W)` in [-1, 1]."""
    from ganlab_resnet.networks import Generator

    image.require_sides(SMALLEST, LARGEST, "resnet")
    return Generator(
        image,
        latent.dim,
        options.width,
        options.widest,
        spectral=options.spectral,
        attention=options.attention,
        hierarchical=options.hierarchical,
        embedding=options.embedding,
    )


def build_discriminator(options: DiscriminatorOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> (N,)`."""
    from ganlab_resnet.networks import Discriminator

    image.require_sides(SMALLEST, LARGEST, "resnet")
    return Discriminator(
        image,
        options.width,
        options.widest,
        spectral=options.spectral,
        attention=options.attention,
        smallest=options.smallest,
    )


@hookimpl
def ganlab_generators() -> Iterator[GeneratorComponent]:
    """Offer the generator."""
    yield GeneratorComponent(
        name="resnet",
        summary="Residual blocks and conditional batch norm, SNGAN to BigGAN (Miyato et al., 2018)",
        options=GeneratorOptions,
        build=build_generator,
        takes_labels=True,
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="resnet",
        summary="Residual blocks, spectral norm and labels by projection (Miyato & Koyama, 2018)",
        options=DiscriminatorOptions,
        build=build_discriminator,
        takes_labels=True,
    )
