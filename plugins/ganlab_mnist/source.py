"""Digits, and whatever else comes in MNIST's files."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganlab import ComponentError, ImageSource
from ganlab_mnist.idx import read_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_PREFIXES = {"train": ("train",), "test": ("t10k", "test")}
_IMAGES = "images-idx3-ubyte"
_EMNIST = re.compile(r"emnist-([a-z]+)-")
_DIGITS = string.digits
_MERGED = _DIGITS + string.ascii_uppercase + "abdefghnqrt"
_ALPHABETS = {
    "letters": " " + string.ascii_uppercase,
    "balanced": _MERGED,
    "bymerge": _MERGED,
    "byclass": _DIGITS + string.ascii_uppercase + string.ascii_lowercase,
}
"""What EMNIST's labels stand for (Cohen et al., 2017); letters count from 1."""

_WHERE = "MNIST's four files are at https://ossci-datasets.s3.amazonaws.com/mnist/"


class Mnist(ImageSource):
    """Grayscale images from IDX files: the training set before the test set, in their order.

    Classes are the labels that occur. EMNIST's images, which lie transposed in its files, are
    turned upright, and its classes are named by what was written; files are known as EMNIST's
    by their names.

    Args:
        root: the folder with the files; the names of EMNIST (`emnist-letters-train-…`) and
            QMNIST (`qmnist-train-labels-idx2-int`) are understood too, as long as the folder
            holds one dataset.
        subset: `train`, `test`, or `all` for whichever are there.
        labels: whether to read the label files.

    Raises:
        ComponentError: a file is missing, ambiguous or damaged.
    """

    def __init__(self, root: Path, *, subset: str, labels: bool) -> None:
        if not root.is_dir():
            raise ComponentError(f"{root} is not a folder; {_advice(root)}", option="root")
        wanted = ("train", "test") if subset == "all" else (subset,)
        images = {part: _find(root, part, _IMAGES) for part in wanted}
        parts = [part for part in wanted if images[part]]
        if not parts or (subset != "all" and len(parts) < len(wanted)):
            names = " or ".join(f"{_PREFIXES[part][0]}-images-idx3-ubyte" for part in wanted)
            message = f"{root} holds no {names} (gzipped or not); {_advice(root)}"
            raise ComponentError(message, option="root")
        arrays = [_upright(path) for part in parts if (path := images[part])]
        if len({array.shape[1:] for array in arrays}) > 1:
            raise ComponentError(f"the images in {root} are not all of one size", option="root")
        self._images: NDArray[np.uint8] = np.concatenate(arrays)
        self._labels: NDArray[np.int64] | None = None
        self._class_names: tuple[str, ...] = ()
        if labels:
            found = [_labels_of(root, part, len(array)) for part, array in zip(parts, arrays, strict=True)]
            occurring, self._labels = np.unique(np.concatenate(found), return_inverse=True)
            self._class_names = tuple(_name(int(label), images[parts[0]]) for label in occurring)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def fingerprint(self) -> str:
        """Return a digest of all pixels and labels."""
        digest = hashlib.sha256(repr(self._images.shape).encode())
        digest.update(self._images.tobytes())
        if self._labels is not None:
            digest.update(self._labels.tobytes())
        return digest.hexdigest()

    def labels(self) -> NDArray[np.int64] | None:
        """Return each image's class."""
        return self._labels

    @property
    def class_names(self) -> Sequence[str]:
        """The labels that occur, as numbers or, in EMNIST, as what was written."""
        return self._class_names

    def read(self, index: int) -> Image:
        """Return image `index`, grayscale, as it is."""
        from PIL.Image import fromarray

        return fromarray(self._images[index])


def _upright(path: Path) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = read_idx(path, 3)
    return images.transpose(0, 2, 1) if _EMNIST.search(path.name) else images


def _name(label: int, images: Path | None) -> str:
    """Return what a label stands for in the dataset of a file."""
    found = _EMNIST.search(images.name) if images else None
    alphabet = _ALPHABETS.get(found[1], _DIGITS) if found else _DIGITS
    return alphabet[label].strip() or str(label) if label < len(alphabet) else str(label)


def _labels_of(root: Path, part: str, count: int) -> NDArray[np.int64]:
    labels: NDArray[np.int64]
    if path := _find(root, part, "labels-idx1-ubyte"):
        labels = read_idx(path, 1).astype(np.int64)
    elif path := _find(root, part, "labels-idx2-int"):
        # QMNIST's: the digit, then who wrote it and where.
        labels = read_idx(path, 2, ">i4")[:, 0].astype(np.int64)
    else:
        name = f"{_PREFIXES[part][0]}-labels-idx1-ubyte"
        message = f"labels are asked for, but {root} holds no {name} (gzipped or not)"
        raise ComponentError(message, option="labels")
    if len(labels) != count:
        raise ComponentError(f"{path} has {len(labels):,} labels for {count:,} images", option="root")
    return labels


def _find(root: Path, part: str, what: str) -> Path | None:
    """Return the one file of a part, the unpacked one where both are there."""
    content, _, form = what.partition("-")
    found = {
        path.name.removesuffix(".gz"): path
        # Unpacked names sort before gzipped ones, so in reverse they come last and stay.
        for path in sorted(root.iterdir(), reverse=True)
        for prefix in _PREFIXES[part]
        for separator in "-."
        if path.name.removesuffix(".gz").endswith(f"{prefix}-{content}{separator}{form}")
    }
    if len(found) > 1:
        names = ", ".join(sorted(found))
        raise ComponentError(f"{root} holds several datasets ({names}): give each a folder", option="root")
    return next(iter(found.values()), None)


def _advice(root: Path) -> str:
    """Return what `root` should be, where it is near, or else where MNIST is to be had."""
    if root.is_file():
        return f'root takes the folder of the IDX files: "{root.parent}", if they lie beside this one'
    below = (folder for way in ("*", "*/*") for folder in sorted(root.glob(way)) if folder.is_dir())
    for folder in below:
        if any(_find(folder, part, _IMAGES) for part in _PREFIXES):
            return f'root = "{folder}" does'
    if arrays := sorted([*root.glob("*.npz"), *root.glob("*.npy")]):
        return f"{arrays[0].name} is a NumPy array; IDX files are needed; {_WHERE}"
    return _WHERE
