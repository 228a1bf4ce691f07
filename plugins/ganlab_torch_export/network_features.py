"""Features of a network of the user's own, whatever runs it."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

import torch

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_pretrained_vit.preprocessing import Colours, Preprocessing
from ganlab_torch_export.options import NetworkOptions

__all__ = ["Network", "NetworkFeatures"]

IMAGES_AT_ONCE = 32
"""Images in the network together, where it leaves their number open."""


class Network(Protocol):
    """What runs a network from a file.

    Attributes:
        identity: what runs it, in which version of the definition.
        digest: of all that was read.
        fewest: images that the network takes at once.
        most: images that it takes at once; `None` where any number will do.
    """

    identity: str
    digest: str
    fewest: int
    most: int | None

    def __call__(self, images: torch.Tensor) -> object:
        """Map float32 images `(N, channels, side, side)` to what should be features `(N, d)`.

        Raises:
            Exception: the network does not take such images; any.
        """


class NetworkFeatures(FeatureExtractor):
    """What a user's network says of an image.

    Args:
        image: what an image is.
        options: where the network came from, and how images are brought to it.
        network: the network; gray images are repeated to as many channels as it reads.

    Raises:
        ComponentError: images have other channels than the network, or the options disagree.
    """

    def __init__(self, image: ImageSpec, options: NetworkOptions, network: Network) -> None:
        channels = len(options.mean)
        if len(options.std) != channels:
            raise ComponentError(
                f"has {len(options.std)} numbers and `mean` {channels}: each channel has one of both",
                option="std",
            )
        if channels == 2 or image.channels not in (1, channels):
            raise ComponentError(
                f"has {channels} number{'s' * (channels > 1)}, one for each channel that the network reads, "
                f"and these are {image}; networks of gray images have 1, those of RGB 3",
                option="mean",
            )
        self._preprocess = Preprocessing(
            (image.height, image.width),
            options.size,
            Colours(options.mean, options.std),
            fit=options.fit,
            resample=options.resample,
            finish=options.finish,
        )
        self._path = options.program
        self._channels = channels
        self._network = network
        definition = options.model_dump_json(exclude={"program"})
        self._content = f"{network.identity}: {definition} {network.digest}"
        # It becomes a part of tags.
        self.protocol = re.sub(r"[^\w.-]+", "-", options.program.stem).strip("-")

    @torch.no_grad()
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, d)`.

        Raises:
            ComponentError: the network does not take such images, or does not return `(N, d)`.
            TypeError: the images are not uint8.
        """
        at_once = max(self._network.fewest, min(IMAGES_AT_ONCE, self._network.most or IMAGES_AT_ONCE))
        pieces = torch.split(samples, at_once)
        return torch.cat([self._features(self._preprocess(piece)) for piece in pieces])

    def fingerprint(self) -> str:
        """Return a digest of the definition's version, the options and the file."""
        return hashlib.sha256(self._content.encode()).hexdigest()

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        count, fewest = len(images), self._network.fewest
        images = images.expand(-1, self._channels, -1, -1)
        if count < fewest:
            # A network of a fixed batch sees the last image again and again.
            images = torch.cat([images, images[-1:].expand(fewest - count, -1, -1, -1)])
        try:
            features = self._network(images.contiguous())
        except Exception as error:  # A user's network fails in any way.
            raise ComponentError(
                f"{self._path} does not take images of {tuple(images.shape)}: {error}", option="program"
            ) from error
        if (
            not isinstance(features, torch.Tensor)
            or features.shape[:1] != images.shape[:1]
            or features.ndim != 2
        ):
            found = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
            raise ComponentError(
                f"{self._path} makes {found} of images of {tuple(images.shape)}; export a network that "
                f"returns one tensor, ({len(images)}, features)",
                option="program",
            )
        return features[:count].float()
