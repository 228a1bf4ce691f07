"""Which class each image of a grid is of, where every row is of one class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ClassRows", "class_rows"]


@dataclass(frozen=True)
class ClassRows:
    """Rows of a grid, each of one class, in the order of the classes.

    Attributes:
        classes: that of each row.
        lengths: images of each row, which differ by one at most.
    """

    classes: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def labels(self) -> list[int]:
        """The class of each image, row by row."""
        rows = zip(self.classes, self.lengths, strict=True)
        return [label for label, length in rows for _ in range(length)]


def class_rows(classes: Sequence[int], count: int, *, whole: bool = False) -> ClassRows:
    """Share a number of images among classes, a row for each.

    Few classes get several rows each, as many as keep the grid about square. Where there are more classes
    than a grid twice as high as wide has rows, those that do not fit are left out: the last ones.

    Args:
        classes: to show, in order; at least one.
        count: images, at least one.
        whole: leave out the images that do not fill all rows alike.
    """
    side = math.ceil(math.sqrt(count))
    shown = tuple(classes)[: min(2 * side, count)]
    each = max(side // len(shown), 1)
    rows = tuple(label for label in shown for _ in range(each))
    length, more = divmod(count, len(rows))
    return ClassRows(rows, tuple(length + (row < more and not whole) for row in range(len(rows))))
