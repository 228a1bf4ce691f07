"""The `dinov2` and `clip` feature extractors."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_pretrained_vit.preprocessing import CLIP_COLOURS, IMAGENET_COLOURS, Preprocessing
from ganlab_pretrained_vit.weights import Weights

__all__ = ["ClipFeatures", "ClipProtocol", "Dinov2Features", "Dinov2Protocol"]

IMAGES_AT_ONCE = 32
"""Images in the network together: more need more memory and are no faster."""

Dinov2Protocol: TypeAlias = Literal["dgm-eval", "dgm-eval-clean", "edm2"]
"""`dgm-eval`: Pillow's bicubic on 8 bits, as Stein et al. (2023) by default; `dgm-eval-clean`: on floats,
their `--clean_resize`; `edm2`: PyTorch's antialiased bicubic, as Karras et al. (2024)."""

ClipProtocol: TypeAlias = Literal["cmmd", "openai"]
"""`cmmd`: the middle square, resized, and features of length 1, as Jayasumana et al. (2024);
`openai`: resized, then cropped, and features as they are, as CLIP's own code."""


class VitFeatures(FeatureExtractor):
    """What a published vision transformer says of an image.

    Args:
        name: of the extractor.
        image: what an image is: RGB, or gray, which is repeated to three channels.
        model: which published network.
        protocol: how images are brought to it.
        preprocessing: of that protocol.
        weights: the network.

    Raises:
        ComponentError: images have an alpha channel.
    """

    def __init__(
        self,
        name: str,
        image: ImageSpec,
        model: str,
        protocol: str,
        preprocessing: Preprocessing,
        weights: Weights,
    ) -> None:
        if image.channels not in (1, 3):
            raise ComponentError(
                f"`{name}` sees RGB or gray, and these are {image}: what is seen of an image with alpha "
                "depends on its background; set `image.channels` to 3 (or 1)"
            )
        self.protocol = f"{model}-{protocol}"
        if not weights.published:
            self.warnings = (
                f"not on the published file of {name} {model}, but on one of SHA-256 {weights.sha256[:8]}…; "
                "no published number may stand beside this one unless the weights are the same",
            )
        self._content = f"{name}, version 1: {protocol} {weights.sha256}"
        self._preprocess = preprocessing
        self._network = weights.network

    @torch.no_grad()
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, d)`.

        Raises:
            TypeError: the images are not uint8.
        """
        network = self._network.to(samples.device)
        pieces = torch.split(samples, IMAGES_AT_ONCE)
        return torch.cat([self._finished(network(self._preprocess(piece))) for piece in pieces])

    def fingerprint(self) -> str:
        """Return a digest of the definition's version, the protocol and the weights."""
        return hashlib.sha256(self._content.encode()).hexdigest()

    def _finished(self, features: torch.Tensor) -> torch.Tensor:
        return features


class Dinov2Features(VitFeatures):
    """The class token of DINOv2, normalised, at 224×224.

    Args:
        image: what an image is.
        model: which published network.
        protocol: how images are brought to it.
        weights: the network.
    """

    def __init__(self, image: ImageSpec, model: str, protocol: Dinov2Protocol, weights: Weights) -> None:
        finish: dict[Dinov2Protocol, Literal["round", "clamp", "none"]] = {
            "dgm-eval": "round",
            "dgm-eval-clean": "clamp",
            "edm2": "none",
        }
        size, side = (image.height, image.width), weights.network.geometry.side
        preprocessing = Preprocessing(size, side, IMAGENET_COLOURS, finish=finish[protocol])
        super().__init__("dinov2", image, model, protocol, preprocessing, weights)


class ClipFeatures(VitFeatures):
    """CLIP's embedding of an image, in the space that it shares with text.

    Args:
        image: what an image is.
        model: which published network.
        protocol: how images are brought to it, and whether features are brought to length 1.
        weights: the network.
    """

    def __init__(self, image: ImageSpec, model: str, protocol: ClipProtocol, weights: Weights) -> None:
        size, side = (image.height, image.width), weights.network.geometry.side
        fit: Literal["crop", "resize"] = "crop" if protocol == "cmmd" else "resize"
        super().__init__(
            "clip", image, model, protocol, Preprocessing(size, side, CLIP_COLOURS, fit=fit), weights
        )
        self._normalise = protocol == "cmmd"

    def _finished(self, features: torch.Tensor) -> torch.Tensor:
        return F.normalize(features) if self._normalise else features
