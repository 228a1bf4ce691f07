"""The exponential moving average of a generator's weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ganlab.config.settings import EmaSettings

__all__ = ["MovingAverage"]


class MovingAverage:
    """A copy of a network whose weights trail the original's; buffers are copied as they are.

    The half-life is counted in images, so that it means the same for every batch size
    (Karras et al., 2020), and is at most a share of the images shown so far, so that a
    short run is not dominated by its random start.

    Attributes:
        network: the averaged copy, in evaluation mode; its parameters never need gradients.
    """

    def __init__(self, network: nn.Module, settings: EmaSettings) -> None:
        self._settings = settings
        self._source = network
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._averaged: list[torch.Tensor] = list(self.network.parameters())
        self._weights: list[torch.Tensor] = list(network.parameters())

    def decay(self, images: int, images_seen: int) -> float:
        """Return the share that the average keeps when `images` more were shown after `images_seen`."""
        half_life = self._settings.half_life_images
        if self._settings.ramp_up:
            half_life = min(half_life, self._settings.ramp_up * images_seen)
        return 0.5 ** (images / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, images: int, images_seen: int) -> None:
        """Move the average towards the network after a step that showed `images`."""
        torch._foreach_lerp_(self._averaged, self._weights, 1 - self.decay(images, images_seen))
        for averaged, buffer in zip(self.network.buffers(), self._source.buffers(), strict=True):
            averaged.copy_(buffer)

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged network's state."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.network.load_state_dict(state)
