from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganlab_mmd.kernels import (
    Centred,
    EnergyKernel,
    Kernel,
    LinearKernel,
    PolynomialKernel,
    RationalQuadraticKernel,
    RbfKernel,
    squared_distances,
)
from ganlab_mmd.statistic import cross_sums, mmd2, within_sums

pytestmark = pytest.mark.slow

KERNELS = [
    RbfKernel([0.5, 1.0, 2.0]),
    RationalQuadraticKernel([0.5, 2.0]),
    EnergyKernel(),
    PolynomialKernel(),
    LinearKernel(),
]
by_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)


def estimate(
    kernel: Kernel, x: torch.Tensor, y: torch.Tensor, *, unbiased: bool = True, tile: int = 1024
) -> tuple[float, float]:
    return mmd2(
        within_sums(kernel, x, tile),
        within_sums(kernel, y, tile),
        cross_sums(kernel, x, y, tile),
        unbiased=unbiased,
    )


def draw(n: int, d: int = 5, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


GOLDEN_SHIFT = torch.full((5,), 0.3)
GOLDEN_VARIANCES = torch.linspace(0.5, 2, 5)


def golden_other(n: int, generator: torch.Generator) -> torch.Tensor:
    return GOLDEN_SHIFT + torch.randn(n, 5, generator=generator) * GOLDEN_VARIANCES.sqrt()


def closed_form(shift: torch.Tensor, variances: torch.Tensor, s: float = 3.0) -> float:
    """E k of an RBF kernel with σ² = s between Gaussians whose difference has this mean and covariance."""
    return float(
        (1 + variances / s).rsqrt().prod() * torch.exp(-0.5 * (shift.square() / (s + variances)).sum())
    )


def golden() -> float:
    ones, none = torch.ones(5), torch.zeros(5)
    return (
        closed_form(none, 2 * ones)
        + closed_form(none, 2 * GOLDEN_VARIANCES)
        - 2 * closed_form(GOLDEN_SHIFT, ones + GOLDEN_VARIANCES)
    )


def test_the_closed_form_of_two_gaussians() -> None:
    assert golden() == pytest.approx(0.0305305, abs=1e-7)


@pytest.mark.parametrize("unbiased", [True, False])
def test_the_estimate_finds_the_closed_form(unbiased: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(5000, 5, generator=generator), golden_other(4000, generator)
    value, error = estimate(RbfKernel([3**0.5]), x, y, unbiased=unbiased)
    assert error < 0.003
    assert abs(value - 0.0305305) < 3 * error


@pytest.mark.parametrize(("n", "m"), [(120, 120), (80, 240)])
@pytest.mark.parametrize("same", [False, True])
def test_estimate_and_standard_error_over_many_draws(n: int, m: int, same: bool) -> None:
    """Unbiased; the error is the spread of the estimates, and never less where nothing differs."""
    generator = torch.Generator().manual_seed(0)
    kernel, values, errors = RbfKernel([3**0.5]), [], []
    for _ in range(300):
        x = torch.randn(n, 5, generator=generator)
        y = torch.randn(m, 5, generator=generator) if same else golden_other(m, generator)
        value, error = estimate(kernel, x, y)
        values.append(value)
        errors.append(error)
    spread = float(torch.tensor(values).std())
    expected = 0.0 if same else golden()
    assert abs(float(torch.tensor(values).mean()) - expected) < 4 * spread / 300**0.5
    assert min(values) < 0 or not same
    ratio = float(torch.tensor(errors).square().mean().sqrt()) / spread
    assert (0.95 < ratio < 1.6) if same else (0.88 < ratio < 1.14)


def test_with_equal_counts_the_first_order_is_the_u_statistic_variance() -> None:
    """4[(1/n³)Σᵢ(ΣⱼHᵢⱼ)² − ((1/n²)ΣH)²]/n, where distributions differ far beyond chance."""
    x, y, kernel = draw(1000), draw(1000, seed=1, shift=1.0), RbfKernel([2.0])
    h = kernel(x, x) + kernel(y, y) - kernel(x, y) - kernel(x, y).T
    h = h.double().fill_diagonal_(0)
    n = len(x)
    variance = 4 * ((h.sum(1) ** 2).sum() / n**3 - (h.sum() / n**2) ** 2) / n
    value, error = estimate(kernel, x, y)
    assert error == pytest.approx(float(variance.sqrt()), rel=0.05)
    assert value == pytest.approx(float(h.sum()) / (n * (n - 1)), rel=5e-3)


@by_kernel
@given(n=st.integers(2, 40), m=st.integers(2, 40), tile=st.integers(1, 17), seed=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_tiled_is_dense(kernel: Kernel, n: int, m: int, tile: int, seed: int) -> None:
    x, y = draw(n, seed=seed), draw(m, seed=seed + 10, shift=0.5)
    kxx, kyy, kxy = (kernel(a.double(), b.double()) for a, b in ((x, x), (y, y), (x, y)))
    biased = float(kxx.mean() + kyy.mean() - 2 * kxy.mean())
    kxx, kyy = kxx.fill_diagonal_(0), kyy.fill_diagonal_(0)
    unbiased = float(kxx.sum() / (n * (n - 1)) + kyy.sum() / (m * (m - 1)) - 2 * kxy.mean())
    scale = float(kxx.abs().max() + kyy.abs().max())
    assert estimate(kernel, x, y, tile=tile)[0] == pytest.approx(unbiased, abs=3e-6 * scale)
    assert estimate(kernel, x, y, unbiased=False, tile=tile)[0] == pytest.approx(biased, abs=3e-6 * scale)


@by_kernel
def test_the_error_does_not_depend_on_tiles(kernel: Kernel) -> None:
    x, y = draw(60), draw(70, seed=1, shift=0.3)
    assert estimate(kernel, x, y, tile=7)[1] == pytest.approx(estimate(kernel, x, y)[1], rel=1e-5)


def test_the_linear_kernel_measures_the_means() -> None:
    x, y = draw(50, shift=3.0), draw(70, seed=1)
    difference = float((x.double().mean(0) - y.double().mean(0)).square().sum())
    assert estimate(LinearKernel(), x, y, unbiased=False)[0] == pytest.approx(difference, rel=1e-7)


@by_kernel
def test_symmetric_and_zero_for_the_same_set(kernel: Kernel) -> None:
    x, y = draw(50), draw(70, seed=1, shift=0.4)
    forth, back = estimate(kernel, x, y), estimate(kernel, y, x)
    assert forth == pytest.approx(back, rel=1e-5, abs=1e-7)
    assert estimate(kernel, x, x, unbiased=False)[0] == pytest.approx(0, abs=1e-6)


def test_an_offset_far_from_zero_changes_nothing() -> None:
    x, y, kernel = draw(200), draw(200, seed=1, shift=0.5), RbfKernel([1.0])
    plain = estimate(kernel, x.double(), y.double())
    assert estimate(kernel, x.double() + 1e5, y.double() + 1e5) == pytest.approx(plain, rel=1e-4)


def test_squared_distances_are_never_negative() -> None:
    x = draw(100)
    distances = squared_distances(x, x)
    torch.testing.assert_close(
        distances, torch.cdist(x.double(), x.double()).square().float(), atol=1e-5, rtol=1e-5
    )
    assert distances.min() >= 0


@by_kernel
def test_the_diagonal_is_that_of_the_matrix(kernel: Kernel) -> None:
    x = Centred.of(draw(20, shift=2.0), torch.full((5,), 2.0, dtype=torch.float64))
    torch.testing.assert_close(kernel.diagonal(x), kernel.tile(x, x).diagonal(), rtol=1e-5, atol=1e-5)
