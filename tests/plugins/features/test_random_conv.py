from __future__ import annotations

import numpy as np
import pytest
import torch

import ganlab_features
from ganlab import ComponentError, ImageSpec
from ganlab_features.random_conv import RandomConv

IMAGE = ImageSpec(3, 32, 32)


def images(n: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)


def test_three_networks_of_neighbouring_seeds_stand_side_by_side() -> None:
    one, next_one = RandomConv(IMAGE, 5).extract(images()), RandomConv(IMAGE, 6).extract(images())
    assert one.shape == (4, 336)
    assert torch.equal(one[:, 112:], next_one[:, :224])
    assert not torch.equal(one[:, :112], one[:, 112:224])


def test_the_seed_is_in_the_fingerprint_and_the_shape_too() -> None:
    prints = {
        RandomConv(IMAGE, 0).fingerprint(),
        RandomConv(IMAGE, 1).fingerprint(),
        RandomConv(ImageSpec(3, 32, 40), 0).fingerprint(),
        RandomConv(ImageSpec(1, 32, 32), 0).fingerprint(),
    }
    assert len(prints) == 4
    assert RandomConv(IMAGE, 0).fingerprint() in prints


def test_features_are_what_they_were() -> None:
    gradient = torch.arange(32, dtype=torch.uint8).mul(8).expand(1, 3, 32, 32)
    features = RandomConv(IMAGE, 0).extract(gradient)[0]
    torch.testing.assert_close(
        features[[0, 1, 20, 111, 335]],
        torch.tensor([0.545887, 0.435893, 0.0, 0.02371, 0.0]),
        rtol=1e-4,
        atol=1e-6,
    )


def test_another_generator_of_random_numbers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(np.random.RandomState):
        def standard_normal(self, *size: object) -> object:  # type: ignore[override]
            return super().standard_normal(*size) + 1e-3  # type: ignore[call-overload]

    monkeypatch.setattr(np.random, "RandomState", Other)
    with pytest.raises(ComponentError, match="draws other random numbers"):
        RandomConv(IMAGE, 0)


def test_small_images_and_seeds_out_of_range_are_refused() -> None:
    with pytest.raises(ComponentError, match="from 8×8 up, not 7×20"):
        RandomConv(ImageSpec(3, 7, 20), 0)
    assert (
        RandomConv(ImageSpec(1, 8, 8), 0).extract(torch.zeros(1, 1, 8, 8, dtype=torch.uint8)).isfinite().all()
    )
    component = next(each for each in ganlab_features.ganlab_features() if each.name == "random-conv")
    with pytest.raises(ValueError, match="seed"):
        component.options(seed=2**32 - 2)
