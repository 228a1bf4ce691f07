"""Images to pack whose pixels tell which they are."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganlab import BadImageError, ImageSource, ImageSpec

SPEC = ImageSpec(3, 4, 5)


class Drawn(ImageSource):
    """Image i is all `i`; some are bad."""

    def __init__(self, count: int, bad: Iterable[int] = (), labels: bool = False, seed: int = 0) -> None:
        self.count, self.bad, self.labeled, self.seed = count, set(bad), labels, seed
        self.reads = 0

    def __len__(self) -> int:
        return self.count

    def fingerprint(self) -> str:
        return f"drawn {self.count} {sorted(self.bad)} {self.labeled} {self.seed}"

    def labels(self) -> NDArray[np.int64] | None:
        return np.arange(self.count) % 3 if self.labeled else None

    @property
    def class_names(self) -> tuple[str, ...]:
        return ("a", "b", "c") if self.labeled else ()

    def read(self, index: int) -> Image.Image:
        self.reads += 1
        if index in self.bad:
            raise BadImageError(f"/faces/{index}.jpg", "cut off")
        return Image.new("RGB", (10, 8), (index % 256, index // 256, self.seed))


def values(samples: NDArray[np.uint8]) -> list[int]:
    """Return which images were packed."""
    assert (samples == samples[:, :1, :1]).all()
    pixels = samples[:, 0, 0].astype(int)
    return (pixels[:, 0] + 256 * pixels[:, 1]).tolist()
