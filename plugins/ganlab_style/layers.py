"""The parts of StyleGAN2: equalised and modulated layers, blurring, the spread of a minibatch.

Weights are kept at unit variance and scaled where they are used, so that an optimizer like Adam
moves all of them at one relative rate (equalised learning rate, Karras et al., 2018).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

__all__ = [
    "Blur",
    "EqualisedConvolution",
    "EqualisedLinear",
    "ModulatedConvolution",
    "activate",
    "append_spread",
    "standardised",
]

EPSILON = 1e-8
"""What roots and reciprocals stay away from zero by."""


def activate(features: torch.Tensor) -> torch.Tensor:
    """Return leaky ReLU with slope 0.2, times √2 to keep the variance."""
    return F.leaky_relu(features, 0.2) * math.sqrt(2)


def standardised(vectors: torch.Tensor) -> torch.Tensor:
    """Return vectors `(N, d)` scaled to a mean square of 1 each."""
    return vectors * (vectors.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()


class EqualisedLinear(nn.Module):
    """A linear layer at an equalised learning rate.

    Args:
        inputs: elements that come in.
        outputs: elements that go out.
        bias: every bias as it begins.
        rate: factor on the learning rate of weights and biases.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.rate = rate
        self.scale = rate / math.sqrt(inputs)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors `(N, outputs)`."""
        return F.linear(vectors, self.weight * self.scale, self.bias * self.rate)


class Blur(nn.Module):
    """The filter [1, 3, 3, 1] along both axes; beyond the borders all is 0.

    Args:
        padding: rows and columns around; 3 more than twice this are lost.
        stride: 2 keeps every second row and column.
        gain: factor on the result.
    """

    kernel: torch.Tensor

    def __init__(self, padding: int, *, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.padding = padding
        self.stride = stride
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", gain * torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return blurred features."""
        channels = features.shape[1]
        kernel = self.kernel.expand(channels, -1, -1, -1).to(features.dtype)
        blurred = F.conv2d(features, kernel, padding=self.padding, groups=channels)
        # In bf16 a CPU takes many times as long for the gradient of a depthwise convolution with this stride.
        return blurred[:, :, :: self.stride, :: self.stride]


class EqualisedConvolution(nn.Module):
    """A convolution at an equalised learning rate, which may halve the sides behind a blur.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        kernel: 3 or 1.
        halve: halve the sides.
        bias: whether there is one for each channel.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, halve: bool = False, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.padding = 0 if halve else kernel // 2
        # Single pixels are convolved after every second one is gone, which saves three of four.
        self.stride = 2 if halve and kernel > 1 else 1
        self.blur: nn.Module = nn.Identity()
        if halve:
            self.blur = Blur(kernel // 2 + 1, stride=2 // self.stride)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features `(N, outputs, H, W)`, or of half the height and width."""
        return F.conv2d(self.blur(features), self.weight * self.scale, self.bias, self.stride, self.padding)


class ModulatedConvolution(nn.Module):
    """A convolution whose input channels a style scales, sample by sample, and no bias.

    Instead of weights for each sample, the features are scaled before and after: the same, in one
    convolution for all.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        kernel: 3 or 1.
        style: elements of a style.
        double: double the sides; a blur follows.
        demodulate: scale the outputs back to the variance of the inputs.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        style: int,
        *,
        double: bool = False,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.affine = EqualisedLinear(style, inputs, bias=1.0)
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.demodulate = demodulate
        self.blur = Blur(1, gain=4) if double else None

    def forward(self, features: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """Return features `(N, outputs, H, W)`, or of twice the height and width."""
        scales = self.affine(styles)
        weight = self.weight * self.scale
        features = features * scales[:, :, None, None]
        if self.blur is None:
            features = F.conv2d(features, weight, padding=weight.shape[2] // 2)
        else:
            features = self.blur(F.conv_transpose2d(features, weight.transpose(0, 1), stride=2))
        if self.demodulate:
            variance = F.linear(scales.square(), weight.square().sum(dim=(2, 3)))
            features = features * (variance + EPSILON).rsqrt()[:, :, None, None]
        return features


def append_spread(features: torch.Tensor, group: int) -> torch.Tensor:
    """Return features with one more channel: how much they differ from sample to sample.

    Samples are compared in groups of one size, which divides the batch and is the nearest to `group`, the
    smaller of two; a batch of a prime number is one group. A lack of variety among fakes shows
    (minibatch standard deviation, Karras et al., 2018). The spread of a single sample is 0.

    Args:
        features: `(N, C, H, W)`.
        group: samples of a group, as far as the batch allows.
    """
    count, _, height, width = features.shape
    sizes = (size for size in range(2, count + 1) if count % size == 0)
    size = min(sizes, key=lambda size: abs(size - group), default=1)
    groups = features.reshape(size, -1, *features.shape[1:])
    spread = (groups.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(1, 2, 3))
    channel = spread.repeat(size)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat([features, channel], dim=1)
