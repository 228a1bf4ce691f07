"""The vision transformer (Dosovitskiy et al., 2021) of DINOv2 and of CLIP, for inference alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["CLIP", "DINOV2", "HEAD", "Geometry", "Variant", "VisionTransformer", "resized_positions"]

HEAD = 64
"""Width of a head, in all of them."""

Activation = Callable[[torch.Tensor], torch.Tensor]


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    """Return x·σ(1.702 x), by which OpenAI trained CLIP."""
    return x * torch.sigmoid(1.702 * x)


@dataclass(frozen=True)
class Variant:
    """In what the published networks differ beside their sizes.

    Attributes:
        epsilon: of the normalisations.
        activation: of the perceptrons.
        patch_bias: whether the embedding of patches has a bias.
        pre_norm: whether tokens are normalised before the first block.
        layer_scale: whether what a block adds is scaled, channel by channel (Touvron et al., 2021).
        projects: whether the class token's features are projected in the end.
    """

    epsilon: float
    activation: Activation
    patch_bias: bool
    pre_norm: bool
    layer_scale: bool
    projects: bool


DINOV2 = Variant(1e-6, F.gelu, patch_bias=True, pre_norm=False, layer_scale=True, projects=False)
"""Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023."""

CLIP = Variant(1e-5, quick_gelu, patch_bias=False, pre_norm=True, layer_scale=False, projects=True)
"""The image tower of Radford et al., "Learning Transferable Visual Models From Natural Language
Supervision", 2021."""


@dataclass(frozen=True)
class Geometry:
    """Sizes of a network.

    Attributes:
        patch: side of a patch in pixels.
        grid: patches along each side of an image.
        width: of a token.
        hidden: width inside of a perceptron.
        depth: blocks.
        features: after the projection; `width` where there is none.
    """

    patch: int
    grid: int
    width: int
    hidden: int
    depth: int
    features: int

    @property
    def side(self) -> int:
        """Height and width of the images in pixels."""
        return self.patch * self.grid


class LayerScale(nn.Module):
    """A factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map `(N, tokens, width)` to the same."""
        return tokens * self.gamma


class Block(nn.Module):
    """Attention and a perceptron, each on what is normalised and added to what came in."""

    def __init__(self, width: int, hidden: int, variant: Variant) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, variant.epsilon)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, variant.epsilon)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.scale1 = LayerScale(width) if variant.layer_scale else nn.Identity()
        self.scale2 = LayerScale(width) if variant.layer_scale else nn.Identity()
        self._activation = variant.activation

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map `(N, tokens, width)` to the same."""
        tokens = tokens + self.scale1(self._attention(self.norm1(tokens)))
        result: torch.Tensor = tokens + self.scale2(self.fc2(self._activation(self.fc1(self.norm2(tokens)))))
        return result

    def _attention(self, tokens: torch.Tensor) -> torch.Tensor:
        query, key, value = self.qkv(tokens).unflatten(2, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        result: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return result


class VisionTransformer(nn.Module):
    """The network up to its class token's features; without weights until they are loaded.

    Args:
        variant: which of the published networks.
        geometry: its sizes.
    """

    def __init__(self, variant: Variant, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        width, patch = geometry.width, geometry.patch
        with torch.device("meta"):
            self.patch = nn.Conv2d(3, width, patch, patch, bias=variant.patch_bias)
            self.class_token = nn.Parameter(torch.empty(width))
            self.positions = nn.Parameter(torch.empty(1 + geometry.grid**2, width))
            self.pre_norm = nn.LayerNorm(width, variant.epsilon) if variant.pre_norm else nn.Identity()
            self.blocks = nn.Sequential(
                *(Block(width, geometry.hidden, variant) for _ in range(geometry.depth))
            )
            self.norm = nn.LayerNorm(width, variant.epsilon)
            self.projection = (
                nn.Linear(width, geometry.features, bias=False) if variant.projects else nn.Identity()
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised RGB `(N, 3, side, side)` to `(N, features)`."""
        patches = self.patch(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), 1, -1), patches], 1) + self.positions
        features: torch.Tensor = self.projection(self.norm(self.blocks(self.pre_norm(tokens))[:, 0]))
        return features


def resized_positions(positions: torch.Tensor, grid: int) -> torch.Tensor:
    """Return `(1 + grid², width)` positions, interpolated as DINOv2's own code does.

    That is bicubic without antialiasing, by a factor that is a tenth of a patch too large (rounding
    was not to lose the last patch), which moves every sample.

    Args:
        positions: `(1 + n², width)`, the class token's first.
        grid: patches along each side of the image.
    """
    side = math.isqrt(len(positions) - 1)
    if side == grid:
        return positions
    patches = positions[1:].view(side, side, -1).permute(2, 0, 1)[None]
    factor = (grid + 0.1) / side
    resized = F.interpolate(patches, scale_factor=(factor, factor), mode="bicubic")
    return torch.cat([positions[:1], resized[0].flatten(1).T])
