"""Any folder tree or zip archive of images as a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from ganlab import ComponentError, DatasetComponent, ImageSource, ImageSpec, Options, hookimpl

FEWEST_IN_A_CLASS = 5
"""Images on average; with fewer, folders are more likely an album's than classes."""


class ImageFolderOptions(Options):
    """What makes an `image-folder` dataset."""

    root: Path
    """A folder, looked through with all its subfolders, or a .zip archive, read in place."""
    labels: bool = False
    """Take each image's class from the folder that it lies in, nearest to `root`."""
    extensions: list[str] = Field(
        [".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"], min_length=1
    )
    """Which files are images, in upper or lower case; hidden files never are."""


def build(options: ImageFolderOptions, image: ImageSpec) -> ImageSource:
    """Return the images below `root`, in the order of their names."""
    from ganlab_image_folder.source import ImageFolder

    return ImageFolder(options.root, labels=options.labels, extensions=options.extensions)


def recognise(path: Path) -> Mapping[str, Any] | None:
    """Return the options for a folder or zip of images; folders in it are classes if they are few."""
    from ganlab_image_folder.source import ImageFolder, published

    extensions = ImageFolderOptions.model_fields["extensions"].default
    for labels in (True, False):
        with suppress(ComponentError):
            images = ImageFolder(path, labels=labels, extensions=extensions)
            if published(path):
                return None
            if not labels or 1 < len(images.class_names) <= len(images) / FEWEST_IN_A_CLASS:
                return {"root": path, "labels": labels}
    return None


@hookimpl
def ganlab_datasets() -> Iterable[DatasetComponent]:
    """Offer `image-folder`."""
    yield DatasetComponent(
        name="image-folder",
        summary="Your own images: any folder tree or zip, any size, class folders as labels",
        options=ImageFolderOptions,
        build=build,
        recognise=recognise,
    )
