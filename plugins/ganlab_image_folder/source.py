"""Images from a folder tree or zip, with the folders as classes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganlab import ComponentError, ImageFiles, ImageSource

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


_PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
"""Folders that are no classes where folders lie in them."""


_PUBLISHED = {
    "celeba": re.compile(r"^img_align_celeba(_png)?(\.zip)?$"),
    "cifar10": re.compile(r"^cifar-10-(binary|python)\.tar\.gz$|^cifar-10-batches-(bin|py)$"),
    "cifar100": re.compile(r"^cifar-100-(binary|python)(\.tar\.gz)?$"),
    "mnist": re.compile(r"-images[-.]idx3-ubyte(\.gz)?$"),
}
"""Component -> what a file or folder that it reads is called."""


class ImageFolder(ImageSource):
    """All image files below a folder or in a zip, sorted by name, whole.

    Folders that all images share (`photos.zip/photos/…`) say nothing about classes: a
    class is the first folder below them. Nor do `train/`, `val/` and `test/` where the
    classes lie in them: images of a class in several parts belong together. Classes are
    numbered in the order of their names, numbers in them by value: 2 before 10.

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
            wanted, advice = ", ".join(extensions), _advice(self._files)
            message = f"{root} holds no images (looked for {wanted})" + (f"; {advice}" if advice else "")
            raise ComponentError(message, option="root")
        self._parts, folders = _folders(self._files.names)
        self._labels: NDArray[np.int64] | None = None
        self._class_names: tuple[str, ...] = ()
        if labels:
            _refuse_without_class(root, self._files.names, self._parts, folders)
            self._class_names = tuple(sorted(set(folders), key=_natural))
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

    @property
    def notes(self) -> Sequence[str]:
        """The files that were left out, and the parts that were put together."""
        remarks = []
        root = self._files.root
        if left_out := self._files.describe_left_out():
            remarks.append(f"left out of {root}, as their suffixes are not among the extensions: {left_out}")
        if len(self._parts) > 1:
            classes = ", and the folders in them are the classes" if self._class_names else ""
            remarks.append(
                f"{root} is divided into {_listed(self._parts)}: the images of all are used{classes}"
                + _one_part(root, self._parts)
            )
        elif len(self._class_names) > 1 and _are_parts(self._class_names):
            remarks.append(
                f"warning: {root} has no folders in {_listed(self._class_names)}, so these are the classes"
            )
        elif parts := [name for name in self._class_names if _are_parts([name])]:
            remarks.append(f"warning: {_listed(parts)} beside other folders of {root} counts as a class")
        return remarks

    def revisions(self) -> list[str]:
        """Return a text for each image that changes with its file."""
        return self._files.revisions()

    def read(self, index: int) -> Image:
        """Return image `index`, whole."""
        return self._files.open(self._files.names[index])

    def place(self, index: int) -> str:
        """Return the path of the file of image `index`."""
        return self._files.place(self._files.names[index])


def published(root: Path) -> bool:
    """Return whether a folder, or what lies in it, is called as the files that another dataset reads."""
    names = [root.name, *(each.name for each in root.iterdir())] if root.is_dir() else [root.name]
    return any(pattern.search(name) for pattern in _PUBLISHED.values() for name in names)


def _advice(files: ImageFiles) -> str:
    for file in sorted(files.root.rglob("*")):
        for dataset, pattern in _PUBLISHED.items():
            if pattern.search(file.name):
                return f'name = "{dataset}" in [dataset] reads {file.name}'
    if pictures := files.pictures_left_out():
        return f"extensions = {json.dumps(pictures)} takes what is in it: {files.describe_left_out()}"
    return files.advice()


def _folders(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the parts that a dataset is divided into, and each image's class folder, empty for none."""
    shared = os.path.commonpath([f"/{name.rpartition('/')[0]}" for name in names]).strip("/")
    depth = len(shared.split("/")) if shared else 0
    ways = [name.split("/")[depth:-1] for name in names]
    first = {way[0] if way else "" for way in ways}
    if _are_parts(first) and any(len(way) > 1 for way in ways):
        return sorted(first, key=_natural), [way[1] if len(way) > 1 else "" for way in ways]
    return [], [way[0] if way else "" for way in ways]


def _are_parts(folders: Iterable[str]) -> bool:
    return all(folder.lower() in _PARTS for folder in folders)


def _refuse_without_class(
    root: Path, names: Sequence[str], parts: Sequence[str], folders: Sequence[str]
) -> None:
    for name, folder in zip(names, folders, strict=True):
        if not folder:
            place = (
                f"lies in no folder inside {_listed(parts)}"
                if parts
                else "lies beside them rather than in one"
            )
            message = (
                f"labels = true takes classes from folders, but {root / name} {place}; use one folder for "
                f"each class, or labels = false{_one_part(root, parts)}"
            )
            raise ComponentError(message, option="labels")


def _one_part(root: Path, parts: Sequence[str]) -> str:
    """Return how to take one part alone, which is in reach where it is a folder on the disk."""
    found = sorted(
        (root / part for part in parts if (root / part).is_dir()),
        key=lambda folder: not folder.name.lower().startswith("train"),
    )
    return f'; root = "{found[0]}" takes one part alone' if found else ""


def _listed(folders: Sequence[str]) -> str:
    *others, last = (f"{folder}/" for folder in folders)
    return f"{', '.join(others)} and {last}" if others else last


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts the numbers in names by value."""
    pieces = re.split(r"([0-9]+)", name)
    for place in range(1, len(pieces), 2):
        pieces[place] = pieces[place].lstrip("0")
    # Of two numbers without leading zeros, the longer is the greater.
    return [(len(piece) if place % 2 else 0, piece) for place, piece in enumerate(pieces)], name
