"""Curves as pictures: what is drawn is where it belongs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ganlab.drawing.curves import Curve, draw_curves

LINE = (32, 92, 160)


def heights(picture: NDArray[np.uint8]) -> list[float]:
    """Return the mean row of the line's pixels in each third of the picture, from left to right."""
    near = np.abs(picture.astype(int) - LINE).sum(2) < 60
    rows, columns = near.nonzero()
    edges = np.linspace(columns.min(), columns.max() + 1, 4)
    return [float(rows[(columns >= a) & (columns < b)].mean()) for a, b in pairwise(edges)]


def test_a_falling_value_falls_and_panels_fill_a_grid() -> None:
    falling, rising = Curve("falls", better="lower"), Curve("rises")
    for step in range(0, 1000, 100):
        falling.add(step, 10.0 - step / 100, 0.1, 1.0)
        rising.add(step, step / 100)
    picture = draw_curves([falling, rising])
    assert picture.shape == (340, 1120, 3) and picture.dtype == np.uint8
    left, right = heights(picture[:, :560]), heights(picture[:, 560:])
    assert left[0] < left[1] < left[2]
    assert right[0] > right[1] > right[2]
    assert draw_curves([falling, rising, rising]).shape == (680, 1120, 3)


def test_odd_curves_are_drawn_all_the_same() -> None:
    empty, single, flat = Curve("empty"), Curve("single", better="higher"), Curve("flat", better="lower")
    empty.add(0, float("nan"))
    single.add(7, 1e-9, None, None)
    for step in (0, 1, 2):
        flat.add(step, 0.0, 0.0, 0.0)
    assert draw_curves([empty, single, flat]).shape == (680, 1120, 3)


def test_a_share_that_is_always_zero_lies_on_the_bottom() -> None:
    """Below it there is nothing: no axis, and no band."""
    share, lowest = Curve("share", better="lower"), Curve("lowest", better="lower")
    for step in (0, 1, 2):
        share.add(step, 0.0, 0.1, 0.0)
        lowest.add(step, float(step), 0.1, 0.0)
    picture = draw_curves([share])
    bottom = draw_curves([lowest])
    line = (np.abs(picture.astype(int) - LINE).sum(2) < 60).nonzero()[0]
    start = (np.abs(bottom.astype(int) - LINE).sum(2) < 60).nonzero()[0].max()
    assert abs(int(line.max()) - int(start)) <= 1 and line.min() > picture.shape[0] * 0.8
    band = (np.abs(picture.astype(int) - (206, 222, 240)).sum(2) < 12).nonzero()[0]
    assert band.max() <= line.max()
