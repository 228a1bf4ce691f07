"""A vision transformer as the discriminator (Dosovitskiy et al., 2021; ViTGAN, Lee et al., 2022)."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ganlab import ComponentError, DiscriminatorComponent, ImageSpec, Options, hookimpl

if TYPE_CHECKING:
    from torch import nn


class VitOptions(Options):
    """Options of the transformer."""

    patch: int = Field(8, ge=1, le=256)
    """Side of a patch in pixels; divides height and width. Time grows with the square of the number of
    patches."""
    width: int = Field(192, ge=1, le=2**14)
    """Elements of a token; divisible by `heads`."""
    depth: int = Field(6, ge=1, le=100)
    """Blocks of attention and perceptron."""
    heads: int = Field(3, ge=1, le=1000)
    """Attentions of a block."""
    attention: Literal["distance", "dot"] = "distance"
    """What tokens attend by: how near they are, which keeps the network Lipschitz (Kim et al., 2021) and
    training stable (ViTGAN), or the dot product of query and key."""


def build(options: VitOptions, image: ImageSpec) -> nn.Module:
    """Return the discriminator, `(N, C, H, W) [, labels] -> (N,)`."""
    from ganlab_vit.networks import Transformer

    if image.height % options.patch or image.width % options.patch:
        raise ComponentError(
            f"images of {image.height}×{image.width} cannot be cut into patches of {options.patch} pixels; "
            f"{_fitting(image, options.patch)}",
            option="patch",
        )
    if options.width % options.heads:
        raise ComponentError(
            f"{options.width} elements cannot be shared among {options.heads} heads", option="heads"
        )
    return Transformer(
        image,
        options.patch,
        options.width,
        options.depth,
        options.heads,
        by_distance=options.attention == "distance",
    )


def _fitting(image: ImageSpec, patch: int) -> str:
    """Say which patches fit an image: those next to a size that does not."""
    common = math.gcd(image.height, image.width)
    sizes = [size for size in range(1, common + 1) if common % size == 0]
    near = sizes[max(0, bisect(sizes, patch) - 1) :][:2]
    fitting = [f"{size} ({image.height * image.width // size**2:,} of them)" for size in near]
    return f"patch = {' or '.join(fitting)} would fit"


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="vit",
        summary="A vision transformer that attends by distance (ViTGAN, Lee et al., 2022)",
        options=VitOptions,
        build=build,
        takes_labels=True,
    )
