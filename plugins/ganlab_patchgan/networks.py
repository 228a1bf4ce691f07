"""PatchGAN: convolutions to a logit for each patch (Isola, Zhu, Zhou & Efros, CVPR 2017).

Several may judge side by side: at several scales (Wang et al., "High-resolution image synthesis
and semantic manipulation with conditional GANs", CVPR 2018), or as a committee whose members
begin differently (Durugkar, Gemp & Mahadevan, "Generative multi-adversarial networks", ICLR 2017;
the generator faces their mean). Each may be shown several images at once (Lin, Khetan, Fanti &
Oh, "PacGAN: the power of two samples in generative adversarial networks", NeurIPS 2018).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganlab import ImageSpec

__all__ = ["SMALLEST", "Committee", "PatchDiscriminator"]

SMALLEST = 4
"""Sides of the feature map that the last two convolutions, 4×4 and unstrided, are given at the least."""
SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """Images to a logit for each patch.

    Args:
        channels: of the images.
        classes: number of labels, which are told by projection; 0 where there are none.
        width: channels after the first convolution; they double with every one.
        widest: largest multiple of `width`.
        layers: strided convolutions; one without a stride follows, and the one to the logits.
        normalisation: `batch`, `instance`, `spectral` or `none`.

    Shapes: `(N, channels, H, W)` [and labels `(N,)`] -> `(N, h, w)`.
    """

    def __init__(
        self, channels: int, classes: int, width: int, widest: int, *, layers: int, normalisation: str
    ) -> None:
        super().__init__()
        widths = [width * min(2**layer, widest) for layer in range(layers + 1)]
        body: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for layer, (fine, coarse) in enumerate(pairwise(widths), start=1):
            body += [
                nn.Conv2d(
                    fine,
                    coarse,
                    4,
                    stride=2 if layer < layers else 1,
                    padding=1,
                    bias=normalisation != "batch",
                ),
                *_normalise(coarse, normalisation),
                nn.LeakyReLU(SLOPE),
            ]
        self.body = nn.Sequential(*body)
        self.head = nn.Conv2d(widths[-1], 1, 4, padding=1)
        self.embedding = nn.Embedding(classes, widths[-1]) if classes else None
        self.apply(_initialise)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 0.02)  # as the head's
        if normalisation == "spectral":
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d | nn.Embedding):
                    spectral_norm(module)

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits, higher for patches that look real."""
        features = self.body(images)
        logits: torch.Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            projection = (self.embedding(labels) * features.mean(dim=(2, 3))).sum(dim=1)
            logits = logits + projection[:, None, None]
        return logits


class Committee(nn.Module):
    """PatchGAN discriminators that judge side by side; each logit is one more verdict.

    Args:
        image: what to judge.
        width: as for `PatchDiscriminator`.
        widest: as there.
        layers: as there.
        normalisation: as there.
        scales: the image, half of it, a quarter …
        members: discriminators at each scale.
        pack: images that are judged together.

    Attributes:
        samples_together: as many.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> `(N, logits)`.
    """

    def __init__(
        self,
        image: ImageSpec,
        width: int,
        widest: int,
        *,
        layers: int,
        normalisation: str,
        scales: int,
        members: int,
        pack: int,
    ) -> None:
        super().__init__()
        self.pack = self.samples_together = pack
        self.scales = nn.ModuleList(
            nn.ModuleList(
                PatchDiscriminator(
                    pack * image.channels,
                    image.classes,
                    width,
                    widest,
                    layers=layers,
                    normalisation=normalisation,
                )
                for _ in range(members)
            )
            for _ in range(scales)
        )

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return all logits of each image, higher for what looks real."""
        # Each image heads a pack, so that there is a verdict for each.
        images = torch.cat([images.roll(shift, dims=0) for shift in range(self.pack)], dim=1)
        logits = []
        for scale, members in enumerate(self.scales):
            if scale:
                images = F.avg_pool2d(images, 2)
            assert isinstance(members, nn.ModuleList)
            logits += [member(images, labels).flatten(1) for member in members]
        return torch.cat(logits, dim=1)


def _normalise(channels: int, normalisation: str) -> list[nn.Module]:
    if normalisation == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.InstanceNorm2d(channels)] if normalisation == "instance" else []


def _initialise(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) and scales from N(1, 0.02), as DCGAN and the paper do."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
