"""What MMD² is worth: p-values, blocks, and intervals of twice the standard error."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest

from ganlab_mmd.blocks import block_mmd2
from ganlab_mmd.kernels import EnergyKernel, Kernel, PolynomialKernel, RbfKernel
from ganlab_mmd.permutation import permutation_p_value
from ganlab_mmd.statistic import cross_sums, mmd2, within_sums

KERNEL = RbfKernel([3**0.5])
GOLDEN = 0.0305305
SCALE = torch.linspace(0.5, 2, 5).sqrt()


def drawn(n: int, generator: torch.Generator, *, other: bool = False) -> torch.Tensor:
    x = torch.randn(n, 5, generator=generator)
    return 0.3 + x * SCALE if other else x


def unbiased(kernel: Kernel, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    return mmd2(within_sums(kernel, x), within_sums(kernel, y), cross_sums(kernel, x, y))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(30, 30), (20, 45)])
def test_p_is_uniform_where_nothing_differs(n: int, m: int) -> None:
    generator = torch.Generator().manual_seed(3)
    values = [permutation_p_value(KERNEL, drawn(n, generator), drawn(m, generator), 199) for _ in range(400)]
    assert kstest(values, "uniform").pvalue > 0.02
    assert sum(p <= 0.05 for p in values) / 400 == pytest.approx(0.05, abs=0.03)


def test_p_counts_the_divisions_that_reach_the_observed_one() -> None:
    """All ways to divide {0, 1, 10, 11, 12} into two and three; only the given one is as far apart."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[10.0], [11.0], [12.0]])
    assert permutation_p_value(EnergyKernel(), x, y, 4000) == pytest.approx(1 / 10, abs=0.02)
    assert permutation_p_value(EnergyKernel(), x, x.clone(), 500) > 0.5
    assert permutation_p_value(PolynomialKernel(), torch.ones(4, 3), torch.ones(5, 3), 99) == 1


def test_p_sees_a_difference_and_draws_nothing_from_the_global_generator() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = drawn(300, generator), drawn(300, generator, other=True)
    state = torch.get_rng_state()
    first = permutation_p_value(KERNEL, x, y, 199)
    assert first == permutation_p_value(KERNEL, x, y, 199) == 1 / 200
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
@pytest.mark.parametrize(("other", "expected"), [(True, GOLDEN), (False, 0.0)])
def test_twice_the_standard_error_covers_the_truth(other: bool, expected: float) -> None:
    """For the full estimate and the blocks, in 200 draws; where nothing differs the error is no less."""
    generator = torch.Generator().manual_seed(5)
    covered = {unbiased: 0, block_mmd2: 0}
    for _ in range(200):
        x, y = drawn(200, generator), drawn(200, generator, other=other)
        for estimate in covered:
            value, error = estimate(KERNEL, x, y)
            covered[estimate] += abs(value - expected) < 2 * error
    assert covered[unbiased] >= 180
    assert 176 <= covered[block_mmd2] <= 198


def test_blocks_use_every_sample_once() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = drawn(10, generator), drawn(23, generator, other=True)
    parts = [unbiased(KERNEL, x[k::3], y[k::3])[0] for k in range(3)]
    value, error = block_mmd2(KERNEL, x, y)
    assert value == pytest.approx(sum(parts) / 3)
    assert error == pytest.approx(float(torch.tensor(parts).std()) / 3**0.5)


def test_close_and_equal_points_keep_the_energy_distance_exact() -> None:
    """A collapsed sample far from the origin: every distance within it is a rounding error in float32."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 300, generator=generator) + 50
    for y in (x[:1].expand(80, -1), x[:5].repeat(20, 1) + 1e-4 * torch.randn(100, 300, generator=generator)):
        both = (
            torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist").mean()
            for a, b in ((x, y), (x, x), (y, y))
        )
        cross, one, other = (float(each) for each in both)
        sums = (
            within_sums(EnergyKernel(), x),
            within_sums(EnergyKernel(), y),
            cross_sums(EnergyKernel(), x, y),
        )
        assert mmd2(*sums, unbiased=False)[0] == pytest.approx(2 * cross - one - other, rel=1e-6)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_float32_tiles_of_the_polynomial_kernel_are_as_good_as_float64(offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(200, 512, generator=generator) + offset for _ in range(2))
    kernel = PolynomialKernel()
    kxx, kyy, kxy = (kernel(a.double(), b.double()) for a, b in ((x, x), (y, y), (x, y)))
    pairs = 200 * 199
    expected = (kxx.sum() - kxx.trace() + kyy.sum() - kyy.trace()) / pairs - 2 * kxy.mean()
    value, error = unbiased(kernel, x, y)
    assert abs(value - float(expected)) < 1e-4 * error
