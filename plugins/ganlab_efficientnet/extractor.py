"""The `efficientnet-lite0` feature extractor."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
import torch.nn.functional as F

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_efficientnet.network import FEATURES, Network
from ganlab_efficientnet.weights import PUBLISHED_SHA256

__all__ = ["EfficientNetLite0"]

IMAGES_AT_ONCE = 64
"""Images in the network together: more need more memory and are no faster."""


class EfficientNetLite0(FeatureExtractor):
    """What an EfficientNet-Lite0 trained on ImageNet sees: its pooled last layer.

    Args:
        image: what an image is: RGB, or gray, which is repeated to three channels.
        size: height and width in pixels that images are brought to (antialiased bicubic).
        weights: the published state dict.

    Raises:
        ComponentError: images have an alpha channel.
    """

    def __init__(self, image: ImageSpec, size: int, weights: Mapping[str, torch.Tensor]) -> None:
        if image.channels not in (1, 3):
            raise ComponentError(
                f"`efficientnet-lite0` sees RGB or gray, and these are {image}: what is seen of an image "
                "with alpha depends on its background; set `image.channels` to 3 (or 1)"
            )
        self.protocol = str(size)
        self._size = size
        self._network = Network(weights).eval()

    @torch.no_grad()
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, 1280)`."""
        network = self._network.to(samples.device)
        features = [network(self._preprocess(piece)) for piece in torch.split(samples, IMAGES_AT_ONCE)]
        return torch.cat(features) if features else torch.empty(0, FEATURES, device=samples.device)

    def fingerprint(self) -> str:
        """Return a digest of the definition's version, the size and the weights."""
        content = f"efficientnet-lite0, version 1: {self._size} {PUBLISHED_SHA256}"
        return hashlib.sha256(content.encode()).hexdigest()

    def _preprocess(self, samples: torch.Tensor) -> torch.Tensor:
        images = samples.float().expand(-1, 3, -1, -1)
        if images.shape[2:] != (self._size, self._size):
            images = F.interpolate(images, (self._size, self._size), mode="bicubic", antialias=True)
        # As the Lite networks were trained: 127 and 128, not the moments of ImageNet's colours.
        return ((images.clamp(0, 255) - 127) / 128).contiguous(memory_format=torch.channels_last)
