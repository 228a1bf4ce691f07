"""The parts of the residual networks: normalised layers, conditional batch norm, self-attention."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["ConditionalBatchNorm", "SelfAttention", "convolution", "normalised"]

LayerT = TypeVar("LayerT", nn.Conv2d, nn.Linear, nn.Embedding)


def normalised(layer: LayerT, spectral: bool, gain: float = 1.0) -> LayerT:
    """Return a layer with weights from Glorot's uniform distribution times `gain`, biases of 0.

    Args:
        layer: changed in place.
        spectral: keep the largest singular value of its weight at 1 (Miyato et al., 2018).
        gain: factor on the weights as they begin.
    """
    nn.init.xavier_uniform_(layer.weight, gain)
    if isinstance(getattr(layer, "bias", None), nn.Parameter):
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    if spectral:
        spectral_norm(layer)
    return layer


def convolution(inputs: int, outputs: int, spectral: bool, kernel: int = 3, gain: float = 1.0) -> nn.Conv2d:
    """Return a convolution that leaves the sides as they are."""
    return normalised(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), spectral, gain)


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation whose scale and shift follow from a vector (de Vries et al., 2017).

    Args:
        channels: of the feature map.
        condition: elements of the vector; 0 for an ordinary batch normalisation.
        spectral: normalise the weights of the two maps spectrally.

    Shapes: `(N, channels, H, W)` and `(N, condition)` -> `(N, channels, H, W)`.
    """

    def __init__(self, channels: int, condition: int, spectral: bool) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(channels, affine=not condition)
        self.affine = None
        if condition:
            self.affine = normalised(nn.Linear(condition, 2 * channels, bias=False), spectral)

    def forward(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Return the features, normalised over the batch."""
        standard: torch.Tensor = self.normalise(features)
        if self.affine is None:
            return standard
        affine: torch.Tensor = self.affine(condition)[:, :, None, None]
        scale, shift = affine.chunk(2, dim=1)
        return standard * (1 + scale) + shift


class SelfAttention(nn.Module):
    """Every place looks at all others, of half the resolution (SAGAN, Zhang et al., 2019).

    What it finds comes in with a weight that starts at 0.

    Shapes: `(N, channels, H, W)` -> the same.
    """

    def __init__(self, channels: int, spectral: bool) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query = normalised(nn.Conv2d(channels, narrow, 1, bias=False), spectral)
        self.key = normalised(nn.Conv2d(channels, narrow, 1, bias=False), spectral)
        self.value = normalised(nn.Conv2d(channels, half, 1, bias=False), spectral)
        self.output = normalised(nn.Conv2d(half, channels, 1, bias=False), spectral)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features and what they attend to."""
        query = self.query(features).flatten(2)
        key = F.max_pool2d(self.key(features), 2).flatten(2)
        value = F.max_pool2d(self.value(features), 2).flatten(2)
        # Written out: torch's fused attention has no second derivative, which gradient penalties take.
        attention = (query.transpose(1, 2) @ key).softmax(dim=2)
        found: torch.Tensor = (value @ attention.transpose(1, 2)).unflatten(2, features.shape[2:])
        found = self.output(found)
        return features + self.gain * found
