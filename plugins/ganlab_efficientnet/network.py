"""EfficientNet-Lite0 (Tan & Le, 2019; the Lite variants: TensorFlow, 2020), for inference only.

EfficientNet-B0 without squeeze-and-excitation and with ReLU6. Batch normalisation stands
still, so it is folded into the convolution before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["FEATURES", "Network"]

BATCH_NORM_EPSILON = 1e-3
FEATURES = 1280
STAGES = (
    (1, 1, 1),
    (2, 2, 6),
    (2, 2, 6),
    (3, 2, 6),
    (3, 1, 6),
    (4, 2, 6),
    (1, 1, 6),
)
"""Blocks of a stage, the first one's stride, and by how much channels are expanded."""


class Convolution(nn.Module):
    """A convolution and the batch normalisation after it, with TensorFlow's padding."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(
        self, state: Mapping[str, torch.Tensor], name: str, norm: str, stride: int = 1, activate: bool = True
    ) -> None:
        super().__init__()
        weight = state[f"{name}.weight"].double()
        scale = (
            state[f"{norm}.weight"].double()
            / (state[f"{norm}.running_var"].double() + BATCH_NORM_EPSILON).sqrt()
        )
        bias = state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * scale
        self.register_buffer("weight", (weight * scale.view(-1, 1, 1, 1)).float())
        self.register_buffer("bias", bias.float())
        self.stride, self.activate = stride, activate
        self.depthwise = weight.shape[1] == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, C, H, W)` to `(N, D, ⌈H/stride⌉, ⌈W/stride⌉)`."""
        padding = [p for size in (x.shape[3], x.shape[2]) for p in self._padding(size)]
        groups = x.shape[1] if self.depthwise else 1
        x = F.conv2d(F.pad(x, padding), self.weight, self.bias, self.stride, groups=groups)
        return F.relu6(x) if self.activate else x

    def _padding(self, size: int) -> tuple[int, int]:
        # The odd pixel goes to the end, where PyTorch's own padding would put it on both sides.
        total = max((-(-size // self.stride) - 1) * self.stride + self.weight.shape[2] - size, 0)
        return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Channels expanded, filtered one by one, and projected (MobileNetV2, Sandler et al., 2018)."""

    def __init__(self, state: Mapping[str, torch.Tensor], name: str, stride: int, expansion: int) -> None:
        super().__init__()
        expand = [Convolution(state, f"{name}._expand_conv", f"{name}._bn0")] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            Convolution(state, f"{name}._depthwise_conv", f"{name}._bn1", stride),
            Convolution(state, f"{name}._project_conv", f"{name}._bn2", activate=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, C, H, W)` to `(N, D, H/stride, W/stride)`, and add what shapes allow."""
        y: torch.Tensor = self.layers(x)
        return x + y if x.shape == y.shape else y


class Network(nn.Module):
    """The network up to its pooled features.

    Args:
        state: the published state dict.
    """

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Convolution(state, "_conv_stem", "_bn0", stride=2),
            *_blocks(state),
            Convolution(state, "_conv_head", "_bn1"),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map RGB `(N, 3, H, W)` in [-1, 1] to `(N, 1280)`, the mean over places."""
        features: torch.Tensor = self.layers(images).mean((2, 3))
        return features


def _blocks(state: Mapping[str, torch.Tensor]) -> Iterator[InvertedResidual]:
    number = 0
    for repeats, stride, expansion in STAGES:
        for repeat in range(repeats):
            yield InvertedResidual(state, f"_blocks.{number}", stride if repeat == 0 else 1, expansion)
            number += 1
