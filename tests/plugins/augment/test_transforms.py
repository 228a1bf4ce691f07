"""Augmentations against their closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ganlab import Draws
from ganlab_augment.ada import TRANSFORMS, AdaptiveAugmentation
from ganlab_augment.boxes import without_box
from ganlab_augment.chance import Chance
from ganlab_augment.colour import colour_maps
from ganlab_augment.diffaugment import recoloured, shifted
from ganlab_augment.filtering import BANDS, POWER, filtered
from ganlab_augment.flip import Flip
from ganlab_augment.geometry import affine_maps, blitted
from ganlab_augment.resampling import SYM6, resampled


def draws(count: int, seed: int = 0) -> Draws:
    rng = torch.Generator().manual_seed(seed)
    return Draws(lambda kind, shape: kind(count, *shape, generator=rng))


def constant(count: int, value: float) -> Draws:
    """Draws of one value, which is as likely as any."""

    def draw(kind: Callable[..., torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
        return torch.full((count, *shape), value)

    return Draws(draw)


def images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("shape", [(3, 3, 16, 16), (2, 1, 9, 14), (2, 4, 8, 8)])
def test_nothing_happens_without_a_chance(name: str, shape: tuple[int, ...]) -> None:
    given = images(*shape)
    seen = TRANSFORMS[name](given, Chance(torch.tensor(0.0), draws(shape[0])))
    torch.testing.assert_close(seen, given, atol=1e-6, rtol=0)


def test_a_flip_is_a_flip() -> None:
    given = images(200, 1, 2, 3)
    assert torch.equal(Flip(1.0, 0.0)(given, draws(200)), given.flip(3))
    assert torch.equal(Flip(0.0, 1.0)(given, draws(200)), given.flip(2))
    some = Flip(0.3, 0.0)(given, draws(200))
    flipped = (some != given).flatten(1).any(1)
    assert torch.equal(some[flipped], given[flipped].flip(3))
    assert 0.2 < flipped.double().mean() < 0.4


def test_diffaugment_recolours_as_its_paper_has_it() -> None:
    given = images(2, 3, 4, 4)
    value = 0.75
    brighter = given + (value - 0.5)
    grey = brighter.mean(1, keepdim=True)
    saturated = (brighter - grey) * (2 * value) + grey
    mean = saturated.mean((1, 2, 3), keepdim=True)
    expected = (saturated - mean) * (value + 0.5) + mean
    torch.testing.assert_close(recoloured(given, constant(2, value)), expected)


@pytest.mark.parametrize("colours", [1, 3])
def test_diffaugment_recolours_colours_alone(colours: int) -> None:
    given = images(2, colours + 1, 4, 4)
    seen = recoloured(given, draws(2))
    assert torch.equal(seen[:, colours:], given[:, colours:])
    torch.testing.assert_close(seen[:, :colours], recoloured(given[:, :colours], draws(2)))


def test_a_shift_moves_pixels_and_leaves_mid_grey() -> None:
    given = images(1, 2, 8, 16)
    # The largest draw: 1 of 8 rows and 2 of 16 columns, down and to the right.
    seen = shifted(given, 0.125, constant(1, 0.999))
    expected = torch.zeros_like(given)
    expected[..., 1:, 2:] = given[..., :-1, :-2]
    assert not torch.equal(seen, given)
    back = shifted(given, 0.125, constant(1, 0.0))
    other = torch.zeros_like(given)
    other[..., :-1, :-2] = given[..., 1:, 2:]
    assert {seen.numpy().tobytes(), back.numpy().tobytes()} == {
        expected.numpy().tobytes(),
        other.numpy().tobytes(),
    }
    assert torch.equal(shifted(given, 0.125, constant(1, 0.5)), given)


def test_a_box_is_cut_out_around_its_centre() -> None:
    holed = without_box(torch.ones(2, 1, 8, 8), torch.tensor([[0.5, 0.5], [0.0, 0.0]]), 0.5)
    expected = torch.ones(8, 8)
    expected[2:6, 2:6] = 0
    assert torch.equal(holed[0, 0], expected)
    assert holed[1, 0].sum() == 64 - 4


def test_the_wavelet_is_orthonormal() -> None:
    taps = np.array(SYM6)
    assert taps.sum() == pytest.approx(math.sqrt(2), abs=1e-9)
    for lag in range(0, len(taps), 2):
        product = float((taps[: len(taps) - lag] * taps[lag:]).sum())
        assert product == pytest.approx(1.0 if lag == 0 else 0.0, abs=1e-9)


def test_bands_add_up_to_the_image_and_part_the_frequencies() -> None:
    whole = BANDS.sum(0)
    impulse = np.zeros(BANDS.shape[1])
    impulse[BANDS.shape[1] // 2] = 1
    np.testing.assert_allclose(whole, impulse, atol=1e-9)
    np.testing.assert_allclose(BANDS, BANDS[:, ::-1], atol=1e-9)
    centres = [
        float((power * np.arange(len(power))).sum() / power.sum())
        for power in np.abs(np.fft.rfft(BANDS, 256)) ** 2
    ]
    assert centres == sorted(centres)
    assert POWER.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("linear", "expected"),
    [
        ([[-1.0, 0.0], [0.0, 1.0]], lambda given: given.flip(3)),
        ([[0.0, -1.0], [1.0, 0.0]], lambda given: given.rot90(1, (2, 3))),
    ],
)
def test_maps_of_the_pixel_grid_onto_itself_copy_pixels(
    linear: list[list[float]], expected: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    # A smooth image: the filter is not quite symmetric, so that a mirrored one differs a little.
    axis = torch.linspace(0, 3, 24, dtype=torch.float64)
    given = (torch.sin(axis)[:, None] + torch.cos(2 * axis)[None, :])[None, None]
    maps = torch.cat([torch.tensor(linear), torch.zeros(2, 1)], dim=1)[None]
    seen = resampled(given, maps)
    inner = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(seen[inner], expected(given)[inner], atol=0.05, rtol=0)


def test_a_shift_of_whole_pixels_shows_what_is_there() -> None:
    given = images(1, 3, 20, 20)
    maps = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 1.0, -3.0]]])
    seen = resampled(given, maps)
    # What stands at column x comes from column x + 2, and at row y from row y - 3.
    expected = given.roll((3, -2), (2, 3))
    inner = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(seen[inner], expected[inner], atol=1e-6, rtol=0)


def test_gradients_of_gradients_are_exact() -> None:
    given = images(2, 1, 7, 8).requires_grad_()
    maps = torch.tensor(
        [[[0.9, -0.3, 0.7], [0.2, 1.1, -1.3]], [[0.5, 0.6, 0.0], [-0.6, 0.5, 4.0]]], dtype=torch.float64
    )

    def bent(samples: torch.Tensor) -> torch.Tensor:
        return filtered(resampled(samples, maps), Chance(torch.tensor(1.0), draws(2))).tanh()

    assert torch.autograd.gradcheck(bent, given, fast_mode=True)
    assert torch.autograd.gradgradcheck(bent, given, fast_mode=True)


@pytest.mark.parametrize(("height", "width"), [(7, 8), (12, 9)])
def test_resampling_is_what_its_definition_says(height: int, width: int) -> None:
    given = images(2, 1, height, width)
    maps = affine_maps(Chance(torch.tensor(1.0), draws(2)), height, width)
    seen = resampled(given, maps)
    taps = np.array(SYM6)
    centre = float((taps * np.arange(12)).sum() / taps.sum())
    for image, linear, result in zip(given[:, 0].numpy(), maps.double().numpy(), seen[:, 0], strict=True):
        padded = np.pad(image, 6, mode="reflect")
        large = np.zeros([2 * side + 10 for side in padded.shape])
        for row, column in np.ndindex(padded.shape):
            window = large[2 * row : 2 * row + 12, 2 * column : 2 * column + 12]
            window += padded[row, column] * np.outer(taps, taps)
        moved = np.zeros([2 * side + 10 for side in image.shape])
        for row, column in np.ndindex(moved.shape):
            place = (np.array([column, row]) - centre) / 2 - (np.array([width, height]) - 1) / 2
            source = linear[:, :2] @ place + linear[:, 2] + (np.array([width, height]) - 1) / 2
            moved[row, column] = bilinear(large, source, (width, height), centre)
        for row, column in np.ndindex(image.shape):
            window = moved[2 * row : 2 * row + 12, 2 * column : 2 * column + 12]
            expected = (window * np.outer(taps, taps)).sum()
            assert result[row, column].item() == pytest.approx(expected, abs=1e-5)


def bilinear(
    large: np.ndarray[Any, Any], source: np.ndarray[Any, Any], sides: tuple[int, int], centre: float
) -> float:
    """Return what a place (column, row) of the small image shows of the padded one enlarged twofold."""
    value = 0.0
    lower, shares = [], []
    for place, side in zip(source, sides, strict=True):
        if not -3 < place < side + 2:
            place = (side - 1) - abs(place % (2 * (side - 1)) - (side - 1))
        sample = 2 * (place + 6) + centre
        lower.append(math.floor(sample))
        shares.append(sample - math.floor(sample))
    for down, right in np.ndindex(2, 2):
        share = (shares[0] if right else 1 - shares[0]) * (shares[1] if down else 1 - shares[1])
        value += share * large[lower[1] + down, lower[0] + right]
    return value


@pytest.mark.parametrize(("height", "width"), [(5, 40), (64, 9)])
def test_bands_are_filtered_with_each_image_s_own_gains(height: int, width: int) -> None:
    given = images(3, 2, height, width)
    seen = filtered(given, Chance(torch.tensor(1.0), draws(3)))
    chance, gains = Chance(torch.tensor(1.0), draws(3)), np.ones((3, 4))
    for band in range(4):
        factors = np.ones((3, 4))
        factors[:, band] = chance.factor(1.0)
        gains *= factors / np.sqrt((POWER * factors**2).sum(1, keepdims=True))
    margin = BANDS.shape[1] // 2
    for image, taps, result in zip(given.numpy(), gains @ BANDS, seen, strict=True):
        padded = np.pad(image, [(0, 0), (margin, margin), (margin, margin)], mode="reflect")
        for axis in (1, 2):
            padded = np.apply_along_axis(np.convolve, axis, padded, taps, mode="valid")
        np.testing.assert_allclose(result, padded, atol=1e-5)


def test_affine_maps_keep_the_area_on_average_and_turn_about_the_centre() -> None:
    maps = affine_maps(Chance(torch.tensor(1.0), draws(4000)), 32, 64)
    areas = torch.linalg.det(maps[:, :, :2]).log2()
    assert areas.mean().abs() < 0.03
    # The two factors of a scale are one draw, those of a stretch cancel: the standard deviation is 2 × 0.2.
    assert areas.std() == pytest.approx(0.4, rel=0.05)
    sources = (maps[:, :, :2].inverse() @ maps[:, :, 2:]).squeeze(2)
    assert sources.std(0).tolist() == pytest.approx([0.125 * 64, 0.125 * 32], rel=0.05)


def test_blitting_copies_pixels() -> None:
    given = torch.arange(64.0).reshape(1, 1, 8, 8).expand(400, -1, -1, -1)
    seen = blitted(given, Chance(torch.tensor(1.0), draws(400)))
    squares = {row.numpy().tobytes() for row in seen}
    # Without a shift, the eight symmetries of the square are among what comes out.
    for quarter in range(4):
        for turned in (given[0].rot90(quarter, (1, 2)), given[0].flip(2).rot90(quarter, (1, 2))):
            assert turned.contiguous().numpy().tobytes() in squares
    # Shifts are of one pixel at the most, and reflect at the border.
    assert len(squares) <= 8 * 9
    down = given[0].clone()
    down[:, 1:] = given[0][:, :-1]
    down[:, 0] = given[0][:, 1]
    assert down.numpy().tobytes() in squares


def test_colours_change_about_the_grey_axis() -> None:
    linear, offset = colour_maps(Chance(torch.tensor(1.0), draws(500)), coloured=True)
    grey = torch.ones(3)
    moved = linear @ grey
    # Grey stays grey: only brightness, contrast and the sign of luma act on it.
    torch.testing.assert_close(moved, moved.mean(1, keepdim=True).expand(-1, 3), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(offset, offset.mean(1, keepdim=True).expand(-1, 3), atol=1e-5, rtol=1e-5)
    assert 0.3 < (moved[:, 0] < 0).float().mean() < 0.7


def ada(**changes: object) -> AdaptiveAugmentation:
    given = {"p": 0.0, "most": 0.8, "target": 0.6, "images": 1000, "interval": 4, "adaptive": True}
    return AdaptiveAugmentation(["blit"], **{**given, **changes})  # type: ignore[arg-type]


def test_p_follows_the_sign_of_real_logits() -> None:
    augmentation = ada()
    observed = [0.9, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0]
    expected = [0.0, 0.0, 0.0, 0.04, 0.04, 0.04, 0.04, 0.0, 0.0, 0.0]
    for sign, p in zip(observed, expected, strict=True):
        augmentation.observe(torch.tensor(sign), 10)
        assert augmentation.scalars()["p"].item() == pytest.approx(p)
    for _ in range(400):
        augmentation.observe(torch.tensor(1.0), 10)
    assert augmentation.scalars()["p"].item() == pytest.approx(0.8)
    fixed = ada(p=0.3, adaptive=False)
    fixed.observe(torch.tensor(1.0), 10_000)
    assert fixed.scalars()["p"].item() == pytest.approx(0.3)


def test_what_it_has_gathered_is_kept() -> None:
    one, other = ada(), ada()
    for _ in range(6):
        one.observe(torch.tensor(0.9), 10)
    other.load_state_dict(one.state_dict())
    for each in (one, other):
        each.observe(torch.tensor(0.9), 10)
        each.observe(torch.tensor(0.9), 10)
    assert one.scalars()["p"].item() == other.scalars()["p"].item() == pytest.approx(0.08)
