"""The drawn faces as a source of images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ganlab import ImageSource
from ganlab_faces.attributes import ATTRIBUTES
from ganlab_faces.drawing import VERSION, draw_face
from ganlab_faces.sampling import sample_face
from ganlab_faces.traits import Face

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["FaceSource"]


class FaceSource(ImageSource):
    """`count` faces, each a pure function of (seed, index), drawn when it is read.

    Args:
        count: number of faces.
        seed: which faces; two seeds have none in common.
        height: pixels.
        width: pixels.
        attribute: the attribute that labels tell, a key of `ATTRIBUTES`; `None` for no labels.
    """

    def __init__(self, count: int, seed: int, height: int, width: int, attribute: str | None = None) -> None:
        self._count = count
        self._seed = seed
        self._height = height
        self._width = width
        self._attribute = attribute

    def __len__(self) -> int:
        return self._count

    def face(self, index: int) -> Face:
        """Return the traits of face `index`.

        Raises:
            IndexError: there is no such face.
        """
        if not 0 <= index < self._count:
            raise IndexError(f"face {index} of {self._count}")
        return sample_face(self._seed, index)

    def read(self, index: int) -> Image:
        """Return face `index`, RGB, drawn at `height` × `width`."""
        from PIL import Image

        return Image.fromarray(draw_face(self.face(index), self._height, self._width))

    @cached_property
    def _labels(self) -> NDArray[np.int64] | None:
        if self._attribute is None:
            return None
        attribute = ATTRIBUTES[self._attribute]
        codes = {name: code for code, name in enumerate(attribute.names)}
        faces = (sample_face(self._seed, index) for index in range(self._count))
        return np.array([codes[attribute.of(face)] for face in faces], dtype=np.int64)

    def labels(self) -> NDArray[np.int64] | None:
        """Return the attribute of every face, `(count,)`, or `None`."""
        return self._labels

    @property
    def class_names(self) -> Sequence[str]:
        """Values of the attribute in order; empty without labels."""
        return () if self._attribute is None else ATTRIBUTES[self._attribute].names

    def fingerprint(self) -> str:
        """Return a digest of all that decides what is drawn."""
        what = ("faces", VERSION, self._seed, self._count, self._height, self._width, self._attribute)
        return hashlib.sha256(repr(what).encode()).hexdigest()
