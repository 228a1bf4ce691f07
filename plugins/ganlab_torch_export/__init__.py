"""Features of any network: a program that `torch.export` wrote, and how images are brought to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ganlab import FeaturesComponent, ImageSpec, hookimpl
from ganlab_torch_export.options import NetworkOptions

if TYPE_CHECKING:
    from ganlab_torch_export.network_features import NetworkFeatures


class TorchExportOptions(NetworkOptions):
    """Options of `torch-export`."""

    program: Path
    """File that `torch.export.save` wrote. It can hold code: take only those that you trust."""


def build_features(options: TorchExportOptions, image: ImageSpec) -> NetworkFeatures:
    """Return the extractor."""
    from ganlab_torch_export.network_features import NetworkFeatures
    from ganlab_torch_export.program import TorchProgram

    return NetworkFeatures(image, options, TorchProgram(options.program, len(options.mean), options.size))


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractor."""
    yield FeaturesComponent(
        name="torch-export",
        summary="Any network that maps images to vectors, from a file that torch.export wrote",
        options=TorchExportOptions,
        build=build_features,
    )
