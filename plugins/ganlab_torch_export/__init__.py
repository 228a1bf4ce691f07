"""Features of any network: a program that `torch.export` wrote, and how images are brought to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from ganlab import FeaturesComponent, ImageSpec, Options, hookimpl

if TYPE_CHECKING:
    from ganlab_torch_export.extractor import ExportedFeatures

Means: TypeAlias = Annotated[list[float], Field(min_length=1, max_length=3)]
Deviations: TypeAlias = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1, max_length=3)]


class TorchExportOptions(Options):
    """Options of `torch-export`."""

    program: Path
    """File that `torch.export.save` wrote. It can hold code: take only those that you trust."""
    size: int = Field(ge=1, le=4096)
    """Height and width in pixels that the network reads."""
    mean: Means
    """What is taken out of each channel, of values in [0, 1]; as many as channels that the network reads."""
    std: Deviations
    """What each channel is divided by then."""
    resample: Literal["box", "bilinear", "bicubic", "lanczos"] = "bicubic"
    """Pillow's filter, antialiased."""
    fit: Literal["stretch", "crop", "resize"] = "stretch"
    """`stretch` both sides; `crop` the middle square, then resize; `resize` the shorter side, then crop."""
    finish: Literal["round", "clamp", "none"] = "round"
    """`round` to 8 bits, as most published code; `clamp` floats to what 8 bits hold; `none`: overshoot."""


def build_features(options: TorchExportOptions, image: ImageSpec) -> ExportedFeatures:
    """Return the extractor."""
    from ganlab import ComponentError
    from ganlab_pretrained_vit.preprocessing import Colours, Preprocessing
    from ganlab_torch_export.extractor import ExportedFeatures

    if len(options.std) != len(options.mean):
        raise ComponentError(
            f"has {len(options.std)} numbers and `mean` {len(options.mean)}: each channel has one of both",
            option="std",
        )
    preprocessing = Preprocessing(
        (image.height, image.width),
        options.size,
        Colours(options.mean, options.std),
        fit=options.fit,
        resample=options.resample,
        finish=options.finish,
    )
    definition = options.model_dump_json(exclude={"program"})
    return ExportedFeatures(image, options.program, len(options.mean), preprocessing, definition)


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractor."""
    yield FeaturesComponent(
        name="torch-export",
        summary="Any network that maps images to vectors, from a file that torch.export wrote",
        options=TorchExportOptions,
        build=build_features,
    )
