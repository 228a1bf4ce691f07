from __future__ import annotations

import torch

from ganlab.data.convert import quantise, to_unit


def test_all_levels_come_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(quantise(to_unit(levels)), levels)


def test_the_ends_are_exact() -> None:
    unit = to_unit(torch.tensor([0, 255], dtype=torch.uint8))
    assert unit.tolist() == [-1.0, 1.0] and unit.dtype == torch.float32


def test_outside_is_clamped_and_halves_go_to_even() -> None:
    images = torch.tensor([-7.0, 7.0, 0.0, 2 * 128.5 / 255 - 1])
    assert quantise(images).tolist() == [0, 255, 128, 128]
    assert images.tolist()[:3] == [-7.0, 7.0, 0.0]  # Not changed in place.


def test_low_precision_is_quantised_in_float32() -> None:
    images = to_unit(torch.arange(0, 256, 5, dtype=torch.uint8))
    assert torch.equal(quantise(images.to(torch.float64)), quantise(images))
    rounded = images.to(torch.bfloat16)
    assert torch.equal(quantise(rounded), quantise(rounded.float()))


def test_the_memory_format_is_kept() -> None:
    images = torch.zeros(2, 5, 4, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    for converted in (to_unit(images), quantise(to_unit(images))):
        assert converted.is_contiguous(memory_format=torch.channels_last)
