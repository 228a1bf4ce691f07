"""Each protocol's resize against the library that defines it, and TensorFlow's by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from ganlab_inception.protocols import Preprocessing, resize_matrix

SIZES = [(1, 1), (3, 4), (32, 32), (64, 48), (299, 299), (300, 511), (640, 333)]


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
def test_clean_is_the_bicubic_of_pil_on_floats(size: tuple[int, int]) -> None:
    images = noise(2, 3, *size)
    resized = [
        [
            np.asarray(Image.fromarray(plane).resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255)
            for plane in image
        ]
        for image in images.numpy().astype(np.float32)
    ]
    expected = (torch.from_numpy(np.array(resized)) - 128) / 128
    assert (Preprocessing("fid-clean", *size)(images) - expected).abs().max() < 2e-6


@pytest.mark.parametrize("size", SIZES)
def test_pytorch_is_interpolate_without_antialias(size: tuple[int, int]) -> None:
    images = noise(2, 3, *size)
    expected = 2 * F.interpolate(images.float() / 255, size=(299, 299), mode="bilinear") - 1
    assert (Preprocessing("fid-pytorch", *size)(images) - expected).abs().max() < 2e-5


def test_tensorflow_places_pixels_by_their_corner() -> None:
    """Output i reads input i · in/out: it begins on the first pixel, and the last goes on to the end."""
    ramp = torch.tensor([0, 100, 200], dtype=torch.uint8).expand(1, 3, 3, 3)
    row = Preprocessing("fid", 3, 3)(ramp)[0, 0, 0] * 128 + 128
    expected = [min(100 * 3 * i / 299, 200) for i in range(299)]
    assert torch.allclose(row, torch.tensor(expected), atol=1e-3)


@pytest.mark.parametrize("protocol", ["fid", "fid-pytorch", "fid-clean"])
def test_weights_sum_to_one_and_an_image_of_that_size_stays_as_it_is(protocol: str) -> None:
    for size in (1, 2, 32, 299, 1024):
        matrix = resize_matrix(protocol, size)  # type: ignore[arg-type]
        assert matrix.shape == (299, size)
        assert torch.allclose(matrix.sum(1), torch.ones(299), atol=1e-6)
    assert torch.equal(resize_matrix(protocol, 299), torch.eye(299))  # type: ignore[arg-type]


def test_black_and_white_reach_what_the_network_was_trained_on() -> None:
    images = torch.stack([torch.zeros(3, 8, 8), torch.full((3, 8, 8), 255)]).to(torch.uint8)
    ends = {"fid": (-1.0, 127 / 128), "fid-clean": (-1.0, 127 / 128), "fid-pytorch": (-1.0, 1.0)}
    for protocol, (black, white) in ends.items():
        out = Preprocessing(protocol, 8, 8)(images)  # type: ignore[arg-type]
        assert torch.allclose(out[0], torch.tensor(black), atol=1e-6)
        assert torch.allclose(out[1], torch.tensor(white), atol=1e-6)


def test_gray_is_repeated() -> None:
    gray = noise(1, 1, 20, 20)
    colour = gray.expand(1, 3, 20, 20)
    assert torch.equal(Preprocessing("fid", 20, 20)(gray), Preprocessing("fid", 20, 20)(colour))
