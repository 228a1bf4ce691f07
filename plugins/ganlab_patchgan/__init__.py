"""PatchGAN discriminators (Isola et al., 2017), alone or as a committee, at one scale or at several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ganlab import ComponentError, DiscriminatorComponent, ImageSpec, Options, hookimpl

if TYPE_CHECKING:
    from torch import nn


class PatchganOptions(Options):
    """Options of the PatchGAN discriminator."""

    width: int = Field(64, ge=1, le=2**14)
    """Channels after the first convolution; they double with every one."""
    widest: int = Field(8, ge=1, le=2**14)
    """Largest multiple of `width`."""
    layers: int = Field(3, ge=1, le=8)
    """Strided convolutions: a logit sees patches of 34 pixels for 2, 70 for 3 (the paper's), 142 for 4."""
    normalisation: Literal["batch", "instance", "spectral", "none"] = "batch"
    """What follows every hidden convolution but the first; `spectral` normalises all weights instead."""
    scales: int = Field(1, ge=1, le=8)
    """Discriminators for the image, for half of it, a quarter … (pix2pixHD, Wang et al., 2018)."""
    members: int = Field(1, ge=1, le=100)
    """Discriminators at each scale, alike but for where they begin (Durugkar et al., 2017)."""
    pack: int = Field(1, ge=1, le=64)
    """Images that are judged together, each with the ones before it in the batch (PacGAN, Lin et al., 2018):
    a lack of variety shows. A batch needs as many at the least."""


def build(options: PatchganOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> (N, logits)`."""
    from ganlab_patchgan.networks import SMALLEST, Committee

    smallest = SMALLEST * 2 ** (options.layers + options.scales - 1)
    if min(image.height, image.width) < smallest:
        raise ComponentError(
            f"layers = {options.layers} with scales = {options.scales} needs images of {smallest} "
            f"pixels a side, and [image] asks for {image.height}×{image.width}",
            option="layers",
        )
    return Committee(
        image,
        options.width,
        options.widest,
        layers=options.layers,
        normalisation=options.normalisation,
        scales=options.scales,
        members=options.members,
        pack=options.pack,
    )


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="patchgan",
        summary="A logit for each patch; several scales, a committee, packs of images (Isola et al., 2017)",
        options=PatchganOptions,
        build=build,
        takes_labels=True,
    )
