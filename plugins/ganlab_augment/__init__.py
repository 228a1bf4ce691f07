"""Augmentations of what the discriminator sees: flip, DiffAugment, and adaptive augmentation (ADA)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from ganlab import AugmentationComponent, ComponentError, ImageSpec, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Augmentation

SMALLEST = 8
"""Pixels a side."""

Share = Annotated[float, Field(ge=0, le=1)]


class FlipOptions(Options):
    """Options of `flip`."""

    horizontal: Share = 0.5
    """How often an image is mirrored left to right. At 0.5 the generator may make mirrored images too;
    below it, it has a reason not to."""
    vertical: Share = 0.0
    """How often an image is turned upside down."""


class DiffAugmentOptions(Options):
    """Options of DiffAugment."""

    colour: bool = True
    """Change brightness, saturation and contrast."""
    translation: float = Field(0.125, ge=0, lt=1)
    """Largest shift, as a share of the side; what is shifted in is 0, mid-grey."""
    cutout: float = Field(0.5, ge=0, lt=1)
    """Side of the box that is set to 0, as a share of the image's."""

    @model_validator(mode="after")
    def _does_something(self) -> DiffAugmentOptions:
        if not (self.colour or self.translation or self.cutout):
            raise ValueError("with `colour = false`, `translation` or `cutout` must be above 0")
        return self


Transform = Literal["blit", "geometry", "colour", "filter", "noise", "cutout"]


class AdaOptions(Options):
    """Options of adaptive discriminator augmentation."""

    transforms: list[Transform] = Field(default=["blit", "geometry", "colour"], min_length=1)
    """What may happen to an image: `blit` (mirrored, turned by 90°, shifted by whole pixels), `geometry`
    (scaled, turned, stretched, shifted), `colour`, `filter` (bands of frequencies), `noise`, `cutout`."""
    target: float = Field(0.6, ge=-1, le=1)
    """The mean sign of the logits of real samples that `p` is steered to. Losses that leave logits without a
    zero, as `relativistic`, `wasserstein` and `ebgan` do, are heard by the mean sign of a real sample's
    logit minus a fake's instead, which is somewhat nearer to 1."""
    images: int = Field(500_000, ge=1)
    """Images in which `p` could go from 0 to 1; fewer follow faster."""
    interval: int = Field(4, ge=1)
    """Discriminator turns between adjustments of `p`."""
    p: Share = 0.0
    """Probability of each transform, at the start."""
    adaptive: bool = True
    """Adjust `p`; `false` keeps it."""
    most: Share = 0.8
    """Largest `p`: above, what is done to images cannot be told from them, and leaks into the generator's."""

    @model_validator(mode="after")
    def _p_is_possible(self) -> AdaOptions:
        if self.p > self.most:
            raise ValueError("`p` must be at most `most`")
        return self


def build_flip(options: FlipOptions, image: ImageSpec) -> Augmentation:
    """Return the flip."""
    from ganlab_augment.flip import Flip

    return Flip(options.horizontal, options.vertical)


def build_diffaugment(options: DiffAugmentOptions, image: ImageSpec) -> Augmentation:
    """Return DiffAugment."""
    from ganlab_augment.diffaugment import DiffAugment

    return DiffAugment(options.colour, options.translation, options.cutout)


def build_ada(options: AdaOptions, image: ImageSpec) -> Augmentation:
    """Return ADA, at its first `p`.

    Raises:
        ComponentError: the images are too small for its filters.
    """
    from ganlab_augment.ada import AdaptiveAugmentation

    if min(image.height, image.width) < SMALLEST:
        raise ComponentError(
            f"ada changes images of at least {SMALLEST}×{SMALLEST} pixels, not {image.height}×{image.width}"
        )
    return AdaptiveAugmentation(
        options.transforms,
        p=options.p,
        most=options.most,
        target=options.target,
        images=options.images,
        interval=options.interval,
        adaptive=options.adaptive,
    )


@hookimpl
def ganlab_augmentations() -> Iterator[AugmentationComponent]:
    """Yield the augmentations."""
    yield AugmentationComponent(
        name="flip",
        summary="Images mirrored at random",
        options=FlipOptions,
        build=build_flip,
    )
    yield AugmentationComponent(
        name="diffaugment",
        summary="Colour, translation and cutout, differentiable (DiffAugment; Zhao et al., 2020)",
        options=DiffAugmentOptions,
        build=build_diffaugment,
    )
    yield AugmentationComponent(
        name="ada",
        summary="As much augmentation as keeps the discriminator from overfitting (ADA; Karras et al., 2020)",
        options=AdaOptions,
        build=build_ada,
    )
