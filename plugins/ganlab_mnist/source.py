"""Digits, and whatever else comes in MNIST's files."""

from __future__ import annotations

import hashlib
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
_WHERE = "MNIST's four files are at https://ossci-datasets.s3.amazonaws.com/mnist/"


class Mnist(ImageSource):
    """Grayscale images from IDX files: the training set before the test set, in their order.

    Args:
        root: the folder with the files; EMNIST's names (`emnist-letters-train-…`) are
            understood too, as long as the folder holds one dataset.
        subset: `train`, `test`, or `all` for whichever are there.
        labels: whether to read the label files.

    Raises:
        ComponentError: a file is missing, ambiguous or damaged.
    """

    def __init__(self, root: Path, *, subset: str, labels: bool) -> None:
        if not root.is_dir():
            raise ComponentError(f"{root} is not a folder; {_WHERE}", option="root")
        wanted = ("train", "test") if subset == "all" else (subset,)
        images = {part: _find(root, part, "images-idx3") for part in wanted}
        parts = [part for part in wanted if images[part]]
        if not parts or (subset != "all" and len(parts) < len(wanted)):
            names = " or ".join(f"{_PREFIXES[part][0]}-images-idx3-ubyte" for part in wanted)
            message = f"{root} holds no {names} (gzipped or not); {_WHERE}"
            raise ComponentError(message, option="root")
        arrays = [read_idx(path, 3) for part in parts if (path := images[part])]
        if len({array.shape[1:] for array in arrays}) > 1:
            raise ComponentError(f"the images in {root} are not all of one size", option="root")
        self._images: NDArray[np.uint8] = np.concatenate(arrays)
        self._labels: NDArray[np.int64] | None = None
        if labels:
            found = [_labels_of(root, part, len(array)) for part, array in zip(parts, arrays, strict=True)]
            self._labels = np.concatenate(found).astype(np.int64)

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
        """The numbers up to the largest label."""
        if self._labels is None or not len(self._labels):
            return ()
        return tuple(str(number) for number in range(int(self._labels.max()) + 1))

    def read(self, index: int) -> Image:
        """Return image `index`, grayscale, as it is."""
        from PIL.Image import fromarray

        return fromarray(self._images[index])


def _labels_of(root: Path, part: str, count: int) -> NDArray[np.uint8]:
    path = _find(root, part, "labels-idx1")
    if path is None:
        name = f"{_PREFIXES[part][0]}-labels-idx1-ubyte"
        message = f"labels are asked for, but {root} holds no {name} (gzipped or not)"
        raise ComponentError(message, option="labels")
    labels = read_idx(path, 1)
    if len(labels) != count:
        raise ComponentError(f"{path} has {len(labels):,} labels for {count:,} images", option="root")
    return labels


def _find(root: Path, part: str, what: str) -> Path | None:
    """Return the one file of a part, the unpacked one where both are there."""
    content, rank = what.split("-")
    found = {
        path.name.removesuffix(".gz"): path
        # Unpacked names sort before gzipped ones, so in reverse they come last and stay.
        for path in sorted(root.iterdir(), reverse=True)
        for prefix in _PREFIXES[part]
        for separator in "-."
        if path.name.removesuffix(".gz").endswith(f"{prefix}-{content}{separator}{rank}-ubyte")
    }
    if len(found) > 1:
        names = ", ".join(sorted(found))
        raise ComponentError(f"{root} holds several datasets ({names}): give each a folder", option="root")
    return next(iter(found.values()), None)
