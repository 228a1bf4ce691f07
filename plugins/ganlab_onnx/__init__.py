"""Features of any network: an ONNX model, and how images are brought to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ganlab import FeaturesComponent, ImageSpec, hookimpl
from ganlab_torch_export.options import NetworkOptions

if TYPE_CHECKING:
    from ganlab_torch_export.network_features import NetworkFeatures


class OnnxOptions(NetworkOptions):
    """Options of `onnx`."""

    program: Path
    """ONNX file of a network that reads one batch of images, channels first, as float32 or float16."""
    output: str | None = None
    """Name of the output that is `(N, features)`; may be left out where the network has only one."""


def build_features(options: OnnxOptions, image: ImageSpec) -> NetworkFeatures:
    """Return the extractor."""
    from ganlab_onnx.model import OnnxModel
    from ganlab_torch_export.network_features import NetworkFeatures

    model = OnnxModel(options.program, len(options.mean), options.size, options.output)
    return NetworkFeatures(image, options, model)


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractor."""
    yield FeaturesComponent(
        name="onnx",
        summary="Any network that maps images to vectors, from an ONNX file; `pip install ganlab[onnx]`",
        options=OnnxOptions,
        build=build_features,
    )
