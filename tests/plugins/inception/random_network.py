"""Weights and images that anybody can make again, to compare Inception networks without a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganlab_faces.source import FaceSource
from ganlab_inception.network import parameter_shapes


@dataclass(frozen=True)
class RandomWeights:
    """A file of random weights of the right shapes."""

    path: Path
    sha256: str
    state: dict[str, torch.Tensor]

    @property
    def options(self) -> dict[str, object]:
        return {"weights": self.path, "weights_sha256": self.sha256}


def random_state() -> dict[str, torch.Tensor]:
    """Return a state dict from RandomState(1) whose features are neither dead nor huge."""
    rng = np.random.RandomState(1)
    state = {}
    for name, shape in parameter_shapes().items():
        if name.endswith(("bn.weight", "bn.running_var")):
            values = rng.uniform(0.8, 1.2, shape)
        elif len(shape) == 1:
            values = 0.05 * rng.standard_normal(shape)
        else:
            values = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        state[name] = torch.from_numpy(values).float()
    return state


def faces(count: int, side: int, seed: int) -> torch.Tensor:
    """Return drawn faces, uint8 `(count, 3, side, side)`."""
    source = FaceSource(count, seed, side, side)
    images = np.stack([np.asarray(source.read(index)) for index in range(count)])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def others(count: int, side: int) -> torch.Tensor:
    """Return images that are like faces and are none: other faces, cut in two and put together wrongly."""
    images = faces(count, side, seed=1)
    return torch.cat([images[..., side // 2 :], images[..., : side // 2]], dim=-1)
