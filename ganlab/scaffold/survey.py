"""A look at data: how many samples there are, and of what kind."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganlab.components import DatasetComponent
from ganlab.config.origin import Origin
from ganlab.config.validation import check_options, default_values
from ganlab.data.images import to_channels
from ganlab.data.source import BadImageError, ImageSource, Source
from ganlab.errors import UsageError
from ganlab.kinds import KINDS
from ganlab.progress import counting
from ganlab.words import counted

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Survey", "survey"]

_LOOKED_AT = 256
"""Images that are decoded, spread over all: enough to know them by, and soon done."""


@dataclass
class Survey:
    """What data is.

    Attributes:
        count: samples.
        classes: how many samples each class has, by its name, in order; empty where there are no labels.
        notes: what the source says of itself.
        looked_at: images that were decoded, or could not be.
        sizes: (width, height) of each image that could.
        gray: whether no image has colours.
        bad: what is wrong with the others.
        copies: how many of them are the same as others, pixel by pixel.
    """

    count: int
    classes: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    looked_at: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)
    gray: bool = True
    bad: list[str] = field(default_factory=list)
    copies: int = 0

    @property
    def side(self) -> int:
        """The shorter side of a typical image: nine of ten are as large."""
        sides = sorted(min(size) for size in self.sizes)
        return sides[len(sides) // 10] if sides else 0

    def remarks(self) -> Iterator[str]:
        """Yield it as sentences for people."""
        yield counted(self.count, "image" if self.looked_at else "sample")
        if self.sizes:
            widths, heights = zip(*self.sizes, strict=True)
            same = len(set(self.sizes)) == 1
            middle = f"{round(statistics.median(widths))}×{round(statistics.median(heights))}"
            spread = "each" if same else f"mostly, from {min(widths)}×{min(heights)} on"
            yield f"{middle} pixels {spread}, {'grayscale' if self.gray else 'in colour'}"
        if self.classes:
            shown = ", ".join(f"{name} ({count:,})" for name, count in list(self.classes.items())[:10])
            more = f", and {len(self.classes) - 10:,} more" if len(self.classes) > 10 else ""
            yield f"{counted(len(self.classes), 'class', 'classes')}: {shown}{more}"
        if self.bad:
            of = "" if self.looked_at == self.count else f" of {self.looked_at:,} that were looked at"
            yield f"{len(self.bad):,}{of} cannot be read, the first: {self.bad[0]}"
        if self.copies:
            yield (
                f"warning: {self.copies:,} of {counted(self.looked_at, 'image')} that were looked at are "
                "copies of others; copies teach nothing new"
            )
        yield from self.notes


def survey(component: DatasetComponent, options: Mapping[str, Any]) -> Survey:
    """Look at the samples of a dataset.

    Args:
        component: the dataset.
        options: as a TOML table would give them, but for paths, which may be `Path`s.

    Raises:
        UsageError: the options are not valid, or there are no images that can be read.
        ComponentError: the dataset refuses.
    """
    source = _build(component, options)
    labels = source.labels()
    counts = [] if labels is None else np.bincount(labels, minlength=len(source.class_names)).tolist()
    found = Survey(
        len(source), dict(zip(source.class_names, counts, strict=labels is not None)), list(source.notes)
    )
    if isinstance(source, ImageSource):
        _look(source, found)
        if not found.sizes:
            raise UsageError(f"no image of {found.looked_at:,} can be read, the first: {found.bad[0]}")
    return found


def _build(component: DatasetComponent, options: Mapping[str, Any]) -> Source:
    values = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
    checked, problems = check_options(
        component.options,
        {**default_values(component.options), **values},
        path="dataset",
        origin=Origin({}),
        core_keys=KINDS[component.kind].core_keys,
        directories=dict.fromkeys(component.options.model_fields, Path.cwd()),
    )
    if checked is None:
        raise UsageError("\n".join(map(str, problems)))
    (kind,) = component.accepts
    source: Source = component.build(checked, component.image if kind.sized_by_image_table else None)
    return source


def _look(source: ImageSource, found: Survey) -> None:
    indices = sorted({round(index) for index in np.linspace(0, len(source) - 1, _LOOKED_AT)})
    found.looked_at = len(indices)
    contents = set()
    with counting("looking at images", len(indices), True) as advance:
        for index in indices:
            try:
                image = source.read(index)
                found.gray = found.gray and _is_gray(image)
                found.sizes.append(image.size)
                contents.add(hashlib.blake2b(image.tobytes(), key=repr(image.size).encode()).digest())
            except BadImageError as error:
                found.bad.append(str(error))
            advance(1)
    found.copies = len(found.sizes) - len(contents)


def _is_gray(image: Image) -> bool:
    """Return whether an image has no colours, in whatever mode it is kept."""
    if image.mode in ("1", "L", "LA"):
        return True
    pixels = np.asarray(to_channels(image, 3))
    return bool((pixels == pixels[..., :1]).all())
