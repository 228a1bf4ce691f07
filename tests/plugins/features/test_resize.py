"""The resize against Pillow, bit by bit, and against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from ganlab_features.resize import Filter, Resize

SIZES = [
    ((1, 1), (3, 4)),
    ((32, 32), (56, 56)),
    ((64, 48), (64, 31)),
    ((300, 211), (56, 64)),
    ((40, 90), (63, 50)),
]


def noise(size: tuple[int, int]) -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["box", "bilinear", "bicubic", "lanczos"])
def test_rounded_it_is_pillows_exactly(name: Filter) -> None:
    resample = Image.Resampling[name.upper()]
    for size, (rows, columns) in SIZES:
        images = noise(size)
        # One direction at a time, since Pillow's order of them depends on its version.
        expected = [
            np.asarray(
                Image.fromarray(image.permute(1, 2, 0).numpy())
                .resize((columns, size[0]), resample)
                .resize((columns, rows), resample)
            )
            for image in images
        ]
        found = Resize(name, size, (rows, columns))(images)
        assert torch.equal(found, torch.from_numpy(np.stack(expected)).permute(0, 3, 1, 2).float()), size


def test_unrounded_it_is_that_of_pytorch() -> None:
    for size, target in SIZES:
        images = noise(size)
        expected = F.interpolate(images.double(), target, mode="bicubic", antialias=True)
        assert (Resize("bicubic", size, target, "none")(images) - expected).abs().max() < 2e-4
        clamped = Resize("bicubic", size, target, "clamp")(images)
        assert (clamped - expected.clamp(0, 255)).abs().max() < 2e-4
