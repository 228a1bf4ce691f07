"""CelebA: 202,599 faces with 40 attributes (Liu et al., ICCV 2015)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ganlab import DatasetComponent, ImageSource, ImageSpec, Options, hookimpl

MOST_ATTRIBUTES = 6
"""Attributes together: 64 classes."""


class CelebaOptions(Options):
    """What makes a `celeba` dataset."""

    root: Path
    """The folder with `img_align_celeba/` or `img_align_celeba.zip`, and the lists that came with it."""
    label: str | Annotated[list[str], Field(max_length=MOST_ATTRIBUTES)] = ""
    """An attribute of `list_attr_celeba.txt` (or `.csv`) as label, such as "Smiling"; or several, as in
    ["Smiling", "Male"], each of whose combinations is a class; empty for no labels."""
    split: Literal["all", "train", "valid", "test"] = "all"
    """A part of the official partition (`list_eval_partition.txt` or `.csv`)."""
    crop: int = Field(178, ge=1, le=218)
    """Side of the centred crop in pixels of the published 178×218 images; scaled for files of another size.
    178 is the largest square; above it only the height grows, and 218 is the whole image."""
    missing: Literal["fail", "skip"] = "fail"
    """What happens to images that are listed but not there."""


def build(options: CelebaOptions, image: ImageSpec) -> ImageSource:
    """Return the faces, cropped."""
    from ganlab_celeba.source import Celeba

    return Celeba(
        options.root, label=options.label, split=options.split, crop=options.crop, missing=options.missing
    )


def recognise(path: Path) -> Mapping[str, Any] | None:
    """Return the options for a folder of CelebA's, or for the images in one."""
    from ganlab_celeba.source import find_images

    places = (path, path.parent) if path.name.startswith("img_align_celeba") else (path,)
    return next(({"root": place} for place in places if find_images(place)), None)


@hookimpl
def ganlab_datasets() -> Iterable[DatasetComponent]:
    """Offer `celeba`."""
    yield DatasetComponent(
        name="celeba",
        summary="CelebA faces (Liu et al., 2015), from the folder or the zip, any attribute as label",
        options=CelebaOptions,
        build=build,
        image=ImageSpec(channels=3, height=64, width=64),
        recognise=recognise,
    )
