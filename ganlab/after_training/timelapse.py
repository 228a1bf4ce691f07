"""A run's own pictures, one after the other: how its samples came to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganlab.drawing.films import captioned, enlargement, framed, scaled
from ganlab.errors import UsageError
from ganlab.files import explained
from ganlab.runs.reading import Run

__all__ = ["choose_pictures", "timelapse"]

_USUAL = ("fixed_ema", "fixed")
"""Pictures of the fixed latents: of the averaged generator, where there is one, before the raw."""


def choose_pictures(run: Run, name: str | None, most: int) -> dict[int, Path]:
    """Return the pictures that a film is made of, by their step.

    Args:
        run: whose.
        name: of the pictures; those of the fixed latents if `None`.
        most: how many; of more, these are evenly spread over all, the first and the last among them.

    Raises:
        UsageError: the run has none of that name.
    """
    names = run.picture_names()
    name = name or next((usual for usual in _USUAL if usual in names), "")
    if name not in names:
        there = f"there are {', '.join(names)}" if names else "it has drawn none yet"
        wanted = f" called {name!r}" if name else ""
        raise UsageError(f"{run.name} has no pictures{wanted}: {there}")
    found = list(run.pictures(name).items())
    if most == 1:
        return dict(found[-1:])
    last = len(found) - 1
    places = range(len(found)) if last < most else [last * turn // (most - 1) for turn in range(most)]
    return dict(found[place] for place in places)


def timelapse(
    pictures: dict[int, Path], size: int | None = None, *, caption: bool = True
) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of one size, uint8 `(H, W, 3)`.

    Args:
        pictures: files by their step, the earliest first.
        size: pixels of a picture's longer side; if `None`, small ones are enlarged.
        caption: write the step underneath, above a line that grows from the first to the last.

    Raises:
        GanlabError: a picture cannot be read.
    """
    sides = [_read(path).shape for path in pictures.values()]
    height, width = (max(side[axis] for side in sides) for axis in (0, 1))
    last = max(pictures)
    for step, path in pictures.items():
        # A resumed run may have been told to draw more or fewer samples.
        frame = framed(_read(path), height, width)
        frame = scaled(frame, enlargement(frame, size))
        yield captioned(frame, f"step {step:,}", step / last if last else 1.0) if caption else frame


def _read(path: Path) -> NDArray[np.uint8]:
    from PIL import Image

    with explained(f"cannot read {path}"), Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
