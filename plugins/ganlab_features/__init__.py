"""Feature extractors that need no weights and no download."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import FeaturesComponent, ImageSpec, Options, VectorSpec, hookimpl

if TYPE_CHECKING:
    from ganlab_features.coordinates import Coordinates
    from ganlab_features.pixels import Pixels
    from ganlab_features.wavelet import Wavelet


class PixelsOptions(Options):
    """Options of `pixels`."""

    size: int = Field(8, ge=1)
    """Height and width that images are averaged down to."""


def build_wavelet(options: Options, image: ImageSpec) -> Wavelet:
    """Return the `wavelet` extractor."""
    from ganlab_features.wavelet import Wavelet

    return Wavelet(image)


def build_pixels(options: PixelsOptions, image: ImageSpec) -> Pixels:
    """Return the `pixels` extractor."""
    from ganlab_features.pixels import Pixels

    return Pixels(image, options.size)


def build_coordinates(options: Options, vector: VectorSpec) -> Coordinates:
    """Return the `coordinates` extractor."""
    from ganlab_features.coordinates import Coordinates

    return Coordinates(vector)


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractors."""
    yield FeaturesComponent(
        name="wavelet",
        summary="Colour layout and oriented texture energy at all scales; fixed, nothing learned",
        build=build_wavelet,
    )
    yield FeaturesComponent(
        name="pixels",
        summary="Pixels averaged down to a few; blind to detail, for simple data and comparison",
        options=PixelsOptions,
        build=build_pixels,
    )
    yield FeaturesComponent(
        name="coordinates",
        summary="The vector itself, where samples are vectors",
        build=build_coordinates,
        accepts=(VectorSpec,),
    )
