"""DiffAugment: "Differentiable Augmentation for Data-Efficient GAN Training" (Zhao et al., 2020)."""

from __future__ import annotations

import torch

from ganlab import Augmentation, Draws
from ganlab_augment.boxes import without_box

__all__ = ["DiffAugment"]


class DiffAugment(Augmentation):
    """Brightness, saturation and contrast; then a shift; then a box cut out. Each happens every time.

    Args:
        colour: whether colours change.
        translation: largest shift as a share of a side, in [0, 1); 0 for none.
        cutout: side of the box as a share of the image's, in [0, 1); 0 for none.
    """

    def __init__(self, colour: bool, translation: float, cutout: float) -> None:
        self._colour = colour
        self._translation = translation
        self._cutout = cutout

    def __call__(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Return images `(n, C, H, W)`, changed."""
        if self._colour:
            samples = recoloured(samples, draws)
        if self._translation:
            samples = shifted(samples, self._translation, draws)
        if self._cutout:
            samples = without_box(samples, draws.rand(2), self._cutout)
        return samples


def recoloured(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Return images with brightness ±½, saturation × [0, 2) and contrast × [½, 1½); alpha stays."""
    channels = 3 if images.shape[1] >= 3 else 1
    images, alpha = images[:, :channels], images[:, channels:]
    brightness, saturation, contrast = draws.rand(3)[:, :, None, None, None].unbind(1)
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.cat([mean + (images - mean) * (contrast + 0.5), alpha], dim=1)


def shifted(images: torch.Tensor, share: float, draws: Draws) -> torch.Tensor:
    """Return images moved by whole pixels, each way by at most a share of the side, with 0 behind them."""
    count, _, height, width = images.shape
    draw = draws.rand(2)
    rows = _sources(height, share, draw[:, 0])
    columns = _sources(width, share, draw[:, 1])
    sample = torch.arange(count, device=images.device)[:, None, None]
    # One pixel of 0 around the image is what everything outside it looks like.
    framed = torch.nn.functional.pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    return framed[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _sources(side: int, share: float, draw: torch.Tensor) -> torch.Tensor:
    """Return, for each pixel of a side, which one of the framed side it shows, `(n, side)`."""
    most = int(side * share + 0.5)
    shift = (draw * (2 * most + 1)).long() - most
    return (torch.arange(side, device=draw.device) + shift[:, None] + 1).clamp(0, side + 1)
