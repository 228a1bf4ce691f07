"""DCGAN (Radford et al., 2016): the paper's networks, an encoder, and the pair that tutorials build."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ganlab import (
    ComponentError,
    DiscriminatorComponent,
    EncoderComponent,
    GeneratorComponent,
    ImageSpec,
    LatentSpec,
    Options,
    hookimpl,
)

if TYPE_CHECKING:
    from torch import nn

SMALLEST, LARGEST = 16, 256


class GeneratorOptions(Options):
    """Options of the DCGAN generator."""

    width: int = Field(64, ge=1, le=2**16)
    """Channels before the last convolution; they double towards the latents."""
    widest: int = Field(8, ge=1, le=2**16)
    """Largest multiple of `width`."""
    normalisation: Literal["batch", "instance", "layer", "none"] = "batch"
    """What follows every hidden convolution."""
    upsampling: Literal["transposed", "nearest"] = "transposed"
    """Transposed convolutions, or nearest-neighbour resizing and a convolution (Odena et al., 2016)."""


class DiscriminatorOptions(Options):
    """Options of the DCGAN discriminator."""

    width: int = Field(64, ge=1, le=2**16)
    """Channels after the first convolution; they double at every stride."""
    widest: int = Field(8, ge=1, le=2**16)
    """Largest multiple of `width`."""
    normalisation: Literal["batch", "instance", "layer", "spectral", "none"] = "batch"
    """What follows every hidden convolution but the first; `spectral` normalises all weights instead."""
    slope: float = Field(0.2, ge=0)
    """Slope of the leaky ReLU below zero."""
    labels: Literal["projection", "classifier"] = "projection"
    """Where the data has labels: told by projection (Miyato & Koyama, 2018), or guessed by a second head
    (AC-GAN, Odena et al., 2017), for the loss `auxiliary-classifier`."""


class EncoderOptions(Options):
    """Options of the convolutional encoder."""

    width: int = Field(64, ge=1, le=2**16)
    """Channels after the first convolution; they double at every stride."""
    widest: int = Field(8, ge=1, le=2**16)
    """Largest multiple of `width`."""
    normalisation: Literal["batch", "instance", "layer", "none"] = "batch"
    """What follows every hidden convolution but the first."""
    slope: float = Field(0.2, ge=0)
    """Slope of the leaky ReLU below zero."""


class TutorialGeneratorOptions(Options):
    """Options of the tutorial's generator."""

    width: int = Field(64, ge=1, le=2**16)
    """Channels before the last convolution; they double towards the latents."""
    widest: int = Field(8, ge=1, le=2**16)
    """Largest multiple of `width`."""
    blocks: int = Field(4, ge=1, le=8)
    """Blocks of transposed convolution and batch normalisation, each of which doubles the sides."""


class TutorialDiscriminatorOptions(Options):
    """Options of the tutorial's discriminator."""

    width: int = Field(64, ge=1, le=2**16)
    """Channels of the first block; they double with every block."""
    widest: int = Field(8, ge=1, le=2**16)
    """Largest multiple of `width`."""
    blocks: int = Field(4, ge=1, le=8)
    """Blocks of a convolution and a strided one, each of which halves the sides."""
    slope: float = Field(0.2, ge=0)
    """Slope of the leaky ReLU below zero."""


def _check_blocks(image: ImageSpec, blocks: int) -> None:
    image.require_sides(SMALLEST, LARGEST, "dcgan")
    if min(image.height, image.width) < 2**blocks:
        raise ComponentError(
            f"{blocks} blocks halve the sides {blocks} times, and {image.height}×{image.width} pixels are "
            f"too few for it; {int(math.log2(min(image.height, image.width)))} is the most",
            option="blocks",
        )


def build_generator(options: GeneratorOptions, image: ImageSpec, latent: LatentSpec) -> nn.Module:
    """Return the generator, `(N, latent.dim) [, labels] -> (N, C, H, W)` in [-1, 1]."""
    from ganlab_dcgan.networks import Generator

    image.require_sides(SMALLEST, LARGEST, "dcgan")
    return Generator(
        image, latent.dim, options.width, options.widest, options.normalisation, options.upsampling
    )


def build_discriminator(options: DiscriminatorOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> Verdict` with logits `(N,)`."""
    from ganlab_dcgan.networks import Discriminator

    image.require_sides(SMALLEST, LARGEST, "dcgan")
    return Discriminator(
        image, options.width, options.widest, options.normalisation, options.slope, options.labels
    )


def build_encoder(options: EncoderOptions, image: ImageSpec, latent: LatentSpec) -> nn.Module:
    """Return the encoder, `(N, C, H, W) -> (mean, log_variance)`, each `(N, latent.dim)`."""
    from ganlab_dcgan.networks import Encoder

    image.require_sides(SMALLEST, LARGEST, "dcgan")
    return Encoder(image, latent.dim, options.width, options.widest, options.normalisation, options.slope)


def build_tutorial_generator(
    options: TutorialGeneratorOptions, image: ImageSpec, latent: LatentSpec
) -> nn.Module:
    """Return the generator, `(N, latent.dim) [, labels] -> (N, C, H, W)` in [-1, 1]."""
    from ganlab_dcgan.tutorial import TutorialGenerator

    _check_blocks(image, options.blocks)
    return TutorialGenerator(image, latent.dim, options.width, options.widest, options.blocks)


def build_tutorial_discriminator(options: TutorialDiscriminatorOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> (N,)`."""
    from ganlab_dcgan.tutorial import TutorialDiscriminator

    _check_blocks(image, options.blocks)
    return TutorialDiscriminator(image, options.width, options.widest, options.blocks, options.slope)


@hookimpl
def ganlab_generators() -> Iterator[GeneratorComponent]:
    """Offer the generators."""
    yield GeneratorComponent(
        name="dcgan",
        summary="Transposed convolutions from a latent to 16–256 pixels (Radford et al., 2016)",
        options=GeneratorOptions,
        build=build_generator,
        takes_labels=True,
    )
    yield GeneratorComponent(
        name="dcgan-tutorial",
        summary="A dense layer to 4×4, four transposed convolutions with BN, a last convolution",
        options=TutorialGeneratorOptions,
        build=build_tutorial_generator,
        takes_labels=True,
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminators."""
    yield DiscriminatorComponent(
        name="dcgan",
        summary="Strided convolutions to one logit (Radford et al., 2016)",
        options=DiscriminatorOptions,
        build=build_discriminator,
        takes_labels=True,
    )
    yield DiscriminatorComponent(
        name="dcgan-tutorial",
        summary="Four blocks of convolution and strided convolution with BN, average pooling, a dense layer",
        options=TutorialDiscriminatorOptions,
        build=build_tutorial_discriminator,
        takes_labels=True,
    )


@hookimpl
def ganlab_encoders() -> Iterator[EncoderComponent]:
    """Offer the encoder."""
    yield EncoderComponent(
        name="dcgan",
        summary="The discriminator's body with a mean and a log-variance, for a VAE of the same generator",
        options=EncoderOptions,
        build=build_encoder,
    )
