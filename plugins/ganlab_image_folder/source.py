"""Images from a folder tree or zip, with the folders as classes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganlab import ComponentError, ImageFiles, ImageSource

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


class ImageFolder(ImageSource):
    """All image files below a folder or in a zip, sorted by name, whole.

    Folders that all images share (`photos.zip/photos/…`) say nothing about classes: a
    class is the first folder below them. Classes are numbered in the order of their names.

    Args:
        root: a folder or a zip.
        labels: whether folders are classes.
        extensions: which files count.

    Raises:
        ComponentError: there is no such folder or zip, no image in it, or, with labels,
            an image that lies in no class folder.
    """

    def __init__(self, root: Path, *, labels: bool, extensions: Sequence[str]) -> None:
        self._files = ImageFiles(root, extensions=extensions, option="root")
        if not len(self._files):
            wanted = ", ".join(extensions)
            raise ComponentError(f"{root} holds no images (looked for {wanted})", option="root")
        self._labels: NDArray[np.int64] | None = None
        self._class_names: tuple[str, ...] = ()
        if labels:
            folders = _class_folders(root, self._files.names)
            self._class_names = tuple(sorted(set(folders)))
            numbers = {name: number for number, name in enumerate(self._class_names)}
            self._labels = np.array([numbers[folder] for folder in folders], dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._files)

    def fingerprint(self) -> str:
        """Return a digest of the files; class names are part of the files' names."""
        content = [self._files.fingerprint(), self._class_names]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def labels(self) -> NDArray[np.int64] | None:
        """Return each image's class."""
        return self._labels

    @property
    def class_names(self) -> Sequence[str]:
        """The class folders' names."""
        return self._class_names

    def read(self, index: int) -> Image:
        """Return image `index`, whole."""
        return self._files.open(self._files.names[index])

    def place(self, index: int) -> str:
        """Return the path of the file of image `index`."""
        return self._files.place(self._files.names[index])


def _class_folders(root: Path, names: Sequence[str]) -> list[str]:
    shared = os.path.commonpath([f"/{name.rpartition('/')[0]}" for name in names]).strip("/")
    depth = len(shared.split("/")) if shared else 0
    parts = [name.split("/")[depth:] for name in names]
    for name, rest in zip(names, parts, strict=True):
        if len(rest) < 2:
            message = (
                f"labels = true takes classes from folders, but {root / name} lies beside them rather than "
                "in one; use one folder for each class, or labels = false"
            )
            raise ComponentError(message, option="labels")
    return [rest[0] for rest in parts]
