"""The `inception` feature extractor."""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_inception.network import Inception
from ganlab_inception.protocols import Preprocessing, Protocol
from ganlab_inception.weights import PUBLISHED, Weights

__all__ = ["InceptionFeatures"]

IMAGES_AT_ONCE = 32
"""Images in the network together: more need more memory and are no faster."""


class InceptionFeatures(FeatureExtractor):
    """What the published InceptionV3 says of an image.

    Args:
        image: what an image is: RGB, or gray, which is repeated to three channels.
        protocol: how images are brought to 299×299.
        output: `pool` for the 2048 features of FID, `logits` for those of the 1008 classes.
        weights: of the network.

    Raises:
        ComponentError: images have an alpha channel.
    """

    def __init__(
        self, image: ImageSpec, protocol: Protocol, output: Literal["pool", "logits"], weights: Weights
    ) -> None:
        if image.channels not in (1, 3):
            raise ComponentError(
                f"Inception sees RGB or gray, and these are {image}: what is seen of an image with alpha "
                "depends on its background; set `image.channels` to 3 (or 1)"
            )
        self.protocol = protocol
        if weights.sha256 != PUBLISHED.sha256:
            self.warnings = (
                f"not on the published Inception network: these weights have the SHA-256 "
                f"{weights.sha256[:8]}…, and no published number may stand beside this one",
            )
        self._output = output
        self._sha256 = weights.sha256
        self._preprocess = Preprocessing(protocol, image.height, image.width)
        self._network = Inception(weights.state)

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, 2048)`, or `(N, 1008)` logits.

        Raises:
            TypeError: the images are not uint8.
        """
        if samples.dtype != torch.uint8:
            raise TypeError(f"Inception's protocols are defined on uint8 images, not on {samples.dtype}")
        network = self._network.to(samples.device)
        with torch.no_grad():
            pieces = [network(self._preprocess(piece)) for piece in torch.split(samples, IMAGES_AT_ONCE)]
            features = torch.cat(pieces)
            return features if self._output == "pool" else network.logits(features)

    def fingerprint(self) -> str:
        """Return a digest of the definition's version, the protocol, the output and the weights."""
        content = f"inception, version 1: {self.protocol} {self._output} {self._sha256}"
        return hashlib.sha256(content.encode()).hexdigest()
