"""What a dataset component builds: samples by index, read one at a time.

Sources are pickled into packing workers, so an open file or zip must be
reopened lazily in each process (drop it in `__getstate__`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ganlab.components import SampleSpec, VectorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["ArraySource", "BadImageError", "ImageSource", "Source", "VectorSource"]


class BadImageError(Exception):
    """One image that cannot be used: not an image, truncated, or far too large.

    Args:
        name: the file's path, or `archive.zip/member`.
        reason: what is wrong with it, in words.
        passing: whether this may be otherwise for another user, on another machine or later: nothing
            in the image's content decides it, so it is never remembered.
    """

    def __init__(self, name: str, reason: str, *, passing: bool = False) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason
        self.passing = passing

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class Source(ABC):
    """Samples by index, with labels where there are any."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hex digest that changes whenever any sample or label would.

        It is computed from content (for files: names, sizes and, in an archive, CRCs),
        never from a dataset's name, since caches of packed data and of reference
        statistics are keyed by it.
        """

    def labels(self) -> NDArray[np.int64] | None:
        """Return the labels `(len,)`, each in `range(len(class_names))`, or `None`."""
        return None

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the labels in order; empty where there are none."""
        return ()

    @property
    def notes(self) -> Sequence[str]:
        """What a user should be told about how the data was understood, a sentence each.

        It is shown whenever the data is prepared: files that were left out and why, folders
        that were recognised.
        """
        return ()


class ImageSource(Source):
    """A source of PIL images in their dataset's canonical crop."""

    @abstractmethod
    def read(self, index: int) -> Image:
        """Return image `index`, of any size and mode; the core converts and resizes.

        Raises:
            BadImageError: the image cannot be decoded.
        """

    def place(self, index: int) -> str:
        """Return what errors call image `index`: its file's path, or `archive.zip/member`."""
        return f"number {index}"

    def revisions(self) -> Sequence[str] | None:
        """Return for each image a text that changes whenever `read` would return another.

        No two images have the same, and an empty one stands for what is not known. `None` says nothing of
        any, and is right where images would have to be read for it: of files, `ImageFiles.revisions` knows.
        Packing that a bad image has stopped goes on by it once that image is repaired or removed.
        """
        return None


class ArraySource(Source):
    """A source of arrays that are kept as they are read: samples of any kind that needs no decoding."""

    @property
    @abstractmethod
    def spec(self) -> SampleSpec:
        """What a sample is; how many classes there are, `class_names` tells."""

    @abstractmethod
    def read(self, index: int) -> NDArray[Any]:
        """Return sample `index` as it is kept: of the spec's `row_shape` and `row_dtype`."""


class VectorSource(ArraySource):
    """A source of float32 vectors of one dimension."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Elements of a vector."""

    @property
    def spec(self) -> SampleSpec:
        """Vectors of that dimension."""
        return VectorSpec(self.dimension)

    @abstractmethod
    def read(self, index: int) -> NDArray[np.float32]:
        """Return vector `index`, `(dimension,)`."""
