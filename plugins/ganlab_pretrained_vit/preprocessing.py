"""How images are brought to what a network reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from ganlab_features.resize import Filter, Resize

__all__ = ["CLIP_COLOURS", "IMAGENET_COLOURS", "Colours", "Preprocessing"]


@dataclass(frozen=True)
class Colours:
    """Mean and standard deviation that are taken out of each channel, of values in [0, 1]."""

    mean: Sequence[float]
    std: Sequence[float]


IMAGENET_COLOURS = Colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP_COLOURS = Colours((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


class Preprocessing:
    """Maps uint8 images to normalised squares.

    Args:
        size: height and width of the images.
        side: of the squares.
        colours: what is taken out.
        fit: `stretch` both sides to the square; `crop` the middle square, then resize it; `resize` the
            shorter side to the square's, then crop the middle.
        resample: the filter.
        finish: what becomes of fractions, as of `Resize`.
    """

    def __init__(
        self,
        size: tuple[int, int],
        side: int,
        colours: Colours,
        *,
        fit: Literal["stretch", "crop", "resize"] = "stretch",
        resample: Filter = "bicubic",
        finish: Literal["round", "clamp", "none"] = "round",
    ) -> None:
        short = min(size)
        cut, target = size, (side, side)
        if fit == "crop":
            cut = (short, short)
        elif fit == "resize":
            target = (side * size[0] // short, side * size[1] // short)
        self._before = _middle(size, cut, math.floor)
        # Halves go to even, as torchvision's CenterCrop rounds them.
        self._after = _middle(target, (side, side), round)
        self._resize = Resize(resample, cut, target, finish)
        self._mean, self._std = (torch.tensor(each).view(-1, 1, 1) for each in (colours.mean, colours.std))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Map uint8 `(N, C, H, W)` to float32 `(N, channels, side, side)`; gray is repeated.

        Raises:
            TypeError: the images are not uint8.
        """
        if images.dtype != torch.uint8:
            raise TypeError(f"the protocols are defined on uint8 images, not on {images.dtype}")
        squares = self._resize(images[..., *self._before])[..., *self._after]
        device = images.device
        return (squares / 255 - self._mean.to(device)) / self._std.to(device)


def _middle(
    size: tuple[int, int], part: tuple[int, int], whole: Callable[[float], int]
) -> tuple[slice, slice]:
    """Return rows and columns of the middle part."""
    top, left = (whole((outer - inner) / 2) for outer, inner in zip(size, part, strict=True))
    return slice(top, top + part[0]), slice(left, left + part[1])
