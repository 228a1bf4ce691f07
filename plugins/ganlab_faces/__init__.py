"""Friendly faces, drawn on the spot: the dataset that needs no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from ganlab import DatasetComponent, ImageSource, ImageSpec, Options, hookimpl

__all__ = ["FacesOptions", "build", "ganlab_datasets"]


class FacesOptions(Options):
    """Options of `faces`."""

    count: int = Field(default=20_000, ge=1, le=2**30)
    """Number of faces."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Which faces: the same seed draws the same ones, at any size and for every `seed` of training."""
    labels: Literal[
        "none", "smile", "mouth", "glasses", "hair", "hair-color", "skin", "eyes", "beard", "hat"
    ] = "none"
    """The attribute that labels tell."""


def build(options: FacesOptions, image: ImageSpec) -> ImageSource:
    """Return the source, which draws at the experiment's size straight away."""
    from ganlab_faces.source import FaceSource

    attribute = None if options.labels == "none" else options.labels
    return FaceSource(options.count, options.seed, image.height, image.width, attribute)


@hookimpl
def ganlab_datasets() -> Iterator[DatasetComponent]:
    """Offer `faces`."""
    yield DatasetComponent(
        name="faces",
        summary="Drawn faces of any size with attributes as labels; needs no files",
        options=FacesOptions,
        build=build,
    )
