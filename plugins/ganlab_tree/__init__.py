"""Soft decision trees and forests that tell real from fake (Frosst & Hinton, 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import (
    ComponentError,
    DiscriminatorComponent,
    ImageSpec,
    LossComponent,
    Options,
    SampleSpec,
    VectorSpec,
    hookimpl,
)

if TYPE_CHECKING:
    from torch import nn

    from ganlab import Loss


class TreeOptions(Options):
    """Options of the soft tree."""

    depth: int = Field(6, ge=1, le=12)
    """Splits from the root to a leaf; a tree has 2 to this power of leaves."""
    trees: int = Field(1, ge=1, le=1000)
    """Trees of a forest, whose probabilities are averaged (Kontschieder et al., 2015)."""
    steepness: float = Field(1.0, gt=0)
    """Factor on what a split decides by: the larger it is, the harder the splits."""
    convolutions: int = Field(3, ge=0, le=8)
    """Strided convolutions, learned with the tree, whose features images are split by; 0 splits them by their
    pixels, as vectors always are by their elements."""
    width: int = Field(32, ge=1, le=2**14)
    """Channels after the first convolution; they double with every one."""


def build_tree(options: TreeOptions, samples: SampleSpec) -> nn.Module:
    """Return the discriminator, `(N, …) [, labels] -> Verdict` with logits `(N,)`."""
    from ganlab_tree.networks import SoftForest

    convolutions = options.convolutions if isinstance(samples, ImageSpec) else 0
    if convolutions and min(samples.shape[1:]) < 2**convolutions:
        raise ComponentError(
            f"{convolutions} convolutions halve the sides {convolutions} times, and {samples} are too small",
            option="convolutions",
        )
    return SoftForest(
        samples,
        options.depth,
        options.trees,
        steepness=options.steepness,
        convolutions=convolutions,
        width=options.width,
    )


def build_balance(options: Options) -> Loss:
    """Return the loss."""
    from ganlab_tree.losses import BalancedSplits

    return BalancedSplits()


@hookimpl
def ganlab_discriminators() -> Iterator[DiscriminatorComponent]:
    """Offer the discriminator."""
    yield DiscriminatorComponent(
        name="soft-tree",
        summary="A decision tree, or a forest, whose splits are probabilities (Frosst & Hinton, 2017)",
        options=TreeOptions,
        build=build_tree,
        accepts=(ImageSpec, VectorSpec),
        takes_labels=True,
        outputs=frozenset({"splits"}),
    )


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="balanced-splits",
        summary="Keeps the splits of a soft tree in use: half goes either way (Frosst & Hinton, 2017)",
        build=build_balance,
        needs=frozenset({"discriminator"}),
        needs_outputs=frozenset({"splits"}),
    )
