from __future__ import annotations

import math

import pytest
import torch

import ganlab_frechet
from ganlab import ComponentError, FeatureBank, VectorSpec
from ganlab.evaluation.banks import Moments
from ganlab_frechet.chance import distance_of_equals, population_variances
from ganlab_frechet.distance import covariance_factor, gram_root_trace, root_trace
from ganlab_frechet.evaluator import FrechetEvaluator


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def white(n: int, d: int, seed: int = 0) -> torch.Tensor:
    """Samples whose mean is 0 and whose covariance is the identity, exactly."""
    x = draw(n, d, seed)
    x = x - x.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(x.T))
    return x @ vectors / values.sqrt()


def rotation(d: int, seed: int = 3) -> torch.Tensor:
    return torch.linalg.qr(draw(d, d, seed))[0]


def moments_bank(features: torch.Tensor) -> FeatureBank:
    return FeatureBank(moments=Moments.of(features))


def distance(real: torch.Tensor, fake: torch.Tensor) -> float:
    return FrechetEvaluator().evaluate(moments_bank(real), moments_bank(fake))["frechet"].value


def test_the_component_asks_for_moments_and_is_not_called_fid() -> None:
    component, _ = ganlab_frechet.ganlab_evaluators()
    assert (component.name, component.needs) == ("frechet", "moments")
    assert isinstance(component.build(component.options(), VectorSpec(2)), FrechetEvaluator)


@pytest.mark.parametrize("n", [400, 20])
def test_identical_sets_are_none_apart(n: int) -> None:
    x = draw(n, 32) @ draw(32, 32, 1) + 5
    trace = float(Moments.of(x).covariance.trace())
    assert distance(x, x) == pytest.approx(0, abs=1e-11 * trace)


def test_a_shift_counts_its_square() -> None:
    x, shift = draw(300, 16) @ draw(16, 16, 1), draw(1, 16, 2)
    assert distance(x, x + shift) == pytest.approx(float(shift.square().sum()), rel=1e-10)


def test_standard_normals_one_apart_in_each_dimension() -> None:
    assert distance(white(200, 24), white(300, 24, 1) + 1) == pytest.approx(24, rel=1e-12)


def test_diagonal_covariances_and_a_common_rotation() -> None:
    d = 12
    a, b = torch.linspace(0.1, 4, d).double(), torch.linspace(5, 0.01, d).double()
    mean = torch.linspace(-1, 1, d).double()
    expected = float(mean.square().sum() + (a.sqrt() - b.sqrt()).square().sum())
    x, y = white(100, d) * a.sqrt(), white(150, d, 1) * b.sqrt() + mean
    turn = rotation(d)
    assert distance(x, y) == pytest.approx(expected, rel=1e-11)
    assert distance(x @ turn, y @ turn) == pytest.approx(expected, rel=1e-11)


def test_it_is_the_definition_where_the_product_is_not_symmetric() -> None:
    x, y = draw(200, 10) @ draw(10, 10, 1), draw(200, 10, 2) @ draw(10, 10, 3) + 0.5
    one, other = Moments.of(x), Moments.of(y)
    values, vectors = torch.linalg.eigh(one.covariance)
    root = vectors * values.sqrt() @ vectors.T
    inner = torch.linalg.eigvalsh(root @ other.covariance @ root).sqrt().sum()
    expected = (one.mean - other.mean).square().sum() + one.covariance.trace() + other.covariance.trace()
    assert distance(x, y) == pytest.approx(float(expected - 2 * inner), rel=1e-10)


def test_scaling_both_counts_the_square() -> None:
    x, y = draw(100, 8), draw(100, 8, 1) @ draw(8, 8, 2)
    assert distance(3 * x, 3 * y) == pytest.approx(9 * distance(x, y), rel=1e-11)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (100, 10), (10, 100), (12, 9)])
def test_symmetric(n: int, m: int) -> None:
    x, y = draw(n, 24) @ draw(24, 24, 1), draw(m, 24, 2) + 0.3
    assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-9)


def test_streamed_and_merged_are_the_batch() -> None:
    x, y = draw(500, 16), draw(400, 16, 1) @ draw(16, 16, 2)
    streamed = Moments(16)
    for batch in y.split(37):
        streamed.update(batch)
    merged = Moments.merged(Moments.of(shard) for shard in y.split([100, 5, 295]))
    for moments in streamed, merged:
        estimates = FrechetEvaluator().evaluate(moments_bank(x), FeatureBank(moments=moments))
        assert estimates["frechet"].value == pytest.approx(distance(x, y), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (30, 50), (5, 63)])
def test_the_gram_matrix_of_few_samples_gives_the_same(n: int, m: int) -> None:
    x, y = draw(n, 64) @ draw(64, 64, 1), draw(m, 64, 2) @ draw(64, 64, 3)
    dense = root_trace(covariance_factor(torch.cov(x.T)), torch.cov(y.T))
    assert gram_root_trace(x, y) == pytest.approx(dense, rel=1e-11)
    features = FrechetEvaluator().evaluate(FeatureBank(x), FeatureBank(y))["frechet"].value
    assert features == pytest.approx(distance(x, y), rel=1e-10)


def test_dead_and_repeated_dimensions_add_nothing() -> None:
    x, y = draw(300, 10), draw(300, 10, 1) * 2
    plain = distance(x, y)
    dead = torch.zeros(300, 6, dtype=torch.float64)
    assert distance(torch.cat([x, dead], 1), torch.cat([y, dead], 1)) == pytest.approx(plain, rel=1e-12)
    twice = distance(torch.cat([x, x], 1), torch.cat([y, y], 1))
    assert twice == pytest.approx(2 * plain, rel=1e-10)
    assert distance(dead, dead) == 0


def test_the_factor_is_a_root_of_the_covariance() -> None:
    for n in (100, 6):
        covariance = torch.cov((draw(n, 12) @ draw(12, 12, 1)).T)
        factor = covariance_factor(covariance)
        torch.testing.assert_close(factor @ factor.T, covariance, rtol=1e-10, atol=1e-10)
    assert covariance_factor(torch.cov(draw(6, 12).T)).shape[1] <= 12


def test_how_far_apart_two_samples_of_white_features_are() -> None:
    assert distance_of_equals(torch.ones(256).double(), 5000, 5000) == pytest.approx(6.68, abs=0.005)


@pytest.mark.parametrize("counts", [(1500, 1000), (80, 80), (30, 60), (20, 20)])
def test_how_far_apart_two_samples_of_one_gaussian_are(counts: tuple[int, int]) -> None:
    n, m = counts
    scale = torch.logspace(0, -0.8, 48).double()
    expected = distance_of_equals(scale.square(), n, m)
    measured = [distance(draw(n, 48, 2 * i) * scale, draw(m, 48, 2 * i + 1) * scale) for i in range(20)]
    assert sum(measured) / 20 == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("n", [36, 60, 192])
def test_it_is_told_from_one_sample(n: int) -> None:
    """Whose own eigenvalues would say 40, 25 and 10 % too little."""
    scale = torch.linspace(1, 0.3, 120).double()
    expected = distance_of_equals(scale.square(), n, n)
    found = torch.linalg.eigvalsh(torch.cov((draw(n, 120) * scale).T))
    assert distance_of_equals(population_variances(found, n), n, n) == pytest.approx(expected, rel=0.05)


def test_many_dimensions_are_simulated_by_fewer() -> None:
    scale = torch.linspace(1, 0.1, 1100).double()
    x, y = (draw(330, 1100, seed) * scale for seed in (0, 1))
    found = torch.linalg.eigvalsh(torch.cov(x.T))
    told = distance_of_equals(population_variances(found, 330), 330, 330)
    assert told == pytest.approx(distance(x, y), rel=0.05)


def test_features_that_never_vary_are_nothing_apart() -> None:
    assert distance_of_equals(population_variances(torch.zeros(6).double(), 4), 4, 4) == 0


def warnings(n: int, m: int, shift: float, d: int = 8) -> str:
    evaluator = FrechetEvaluator()
    estimate = evaluator.evaluate(moments_bank(draw(n, d)), moments_bank(draw(m, d, 1) + shift))
    return " ".join(estimate["frechet"].warnings)


def test_warnings_name_what_limits_the_number() -> None:
    few = warnings(100, 7, 1)
    assert "7 samples in 8 dimensions is singular" in few and "real samples this large are about" in few
    assert "within twice" in warnings(1000, 1000, 0)
    assert "two sets of real samples this large are about 0.0" in warnings(1000, 1000, 1)
    assert warnings(10_000, 10_000, 1) == ""


def test_the_reference_is_factored_once_and_belongs_to_its_bank() -> None:
    evaluator, one, other = FrechetEvaluator(), moments_bank(draw(100, 6)), moments_bank(draw(100, 6, 5) * 3)
    fake = moments_bank(draw(100, 6, 7))
    first = evaluator.evaluate(one, fake)
    remembered = evaluator._reference
    assert evaluator.evaluate(one, fake) == first and evaluator._reference is remembered
    assert evaluator.evaluate(other, fake) == FrechetEvaluator().evaluate(other, fake)


def test_one_sample_has_no_covariance() -> None:
    with pytest.raises(ComponentError, match="at least 2"):
        FrechetEvaluator().evaluate(moments_bank(draw(5, 2)), moments_bank(draw(1, 2)))
    assert math.isfinite(distance(draw(2, 2), draw(2, 2, 1)))


def test_features_of_two_extractors_are_refused() -> None:
    with pytest.raises(ComponentError, match="2 and of 3 elements"):
        FrechetEvaluator().evaluate(moments_bank(draw(5, 2)), moments_bank(draw(5, 3)))


def test_nearly_singular_covariances_keep_their_digits() -> None:
    """Variances over ten orders of magnitude in a common basis, where the answer is known."""
    d, turn = 64, rotation(64)
    a = torch.logspace(0, -10, d).double()
    b = a * torch.linspace(0.5, 2, d).double()
    one, other = ((turn * each) @ turn.T for each in (a, b))
    expected = float((a * b).sqrt().sum())
    assert root_trace(covariance_factor(one), (other + other.T) / 2) == pytest.approx(expected, rel=1e-6)


def test_few_samples_need_no_covariance_matrix() -> None:
    bank, fake = FeatureBank(draw(8, 20).float()), FeatureBank(draw(9, 20, 1).float())
    (told,) = FrechetEvaluator().evaluate(bank, fake)["frechet"].warnings
    assert bank._moments is None
    (same,) = (
        FrechetEvaluator()
        .evaluate(moments_bank(draw(8, 20)), moments_bank(draw(9, 20, 1)))["frechet"]
        .warnings
    )
    assert told == same
