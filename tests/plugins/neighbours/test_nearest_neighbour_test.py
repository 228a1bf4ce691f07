"""The leave-one-out test: exact cases, chance, memorisation, calibration."""

from __future__ import annotations

import statistics

import pytest
import torch

from ganlab import ComponentError, Estimate, FeatureBank
from ganlab_neighbours.two_sample import NearestNeighbourTest


def normal(n: int, d: int = 5, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def judge(real: torch.Tensor, fake: torch.Tensor) -> dict[str, Estimate]:
    return dict(NearestNeighbourTest().evaluate(FeatureBank(real), FeatureBank(fake)))


def test_an_example_that_is_worked_out_by_hand() -> None:
    # 0 and 1 are each other's nearest; so are 10 and 10.5; 4 is nearest to 1, and 11.5 to 10.5.
    real = torch.tensor([[0.0], [1.0], [10.0]])
    fake = torch.tensor([[4.0], [10.5], [11.5]])
    result = judge(real, fake)
    assert result["accuracy-real"].value == pytest.approx(2 / 3)
    assert result["accuracy-fake"].value == pytest.approx(1 / 3)
    assert result["accuracy"].value == pytest.approx(1 / 2)
    assert result["departure"].value == pytest.approx(0)


def test_sets_apart_are_told_apart() -> None:
    result = judge(normal(200), normal(200, seed=1, shift=20.0))
    assert [result[name].value for name in ("accuracy", "accuracy-real", "accuracy-fake")] == [1.0] * 3
    assert result["departure"].value == 0.5 and result["p-value"].value < 1e-10
    # That none was taken for the other does not make it certain.
    assert all(
        (result[name].standard_error or 0) > 1e-3 for name in ("accuracy", "accuracy-real", "departure")
    )
    assert not any("MEMORISATION" in warning for warning in result["accuracy"].warnings)


def test_copies_of_the_real_set_are_memorisation_said_loudly() -> None:
    real = normal(200)
    result = judge(real, real.flip(0))
    assert result["accuracy"].value == 0 and result["p-value"].value > 1 - 1e-10
    assert result["accuracy"].warnings[0].startswith("MEMORISATION: ")
    assert "in 0.0% of cases" in result["accuracy"].warnings[0]


def test_samples_of_both_sets_at_the_same_distance_count_half() -> None:
    real = normal(50)
    twice = torch.cat([real, real])
    assert judge(twice, twice)["accuracy"].value == 0.5


def test_sets_of_unequal_size_are_compared_by_their_first_samples() -> None:
    real, fake = normal(300), normal(120, seed=1, shift=0.5)
    assert judge(real, fake)["accuracy"].value == judge(real[:120], fake)["accuracy"].value


def test_one_sample_is_too_few() -> None:
    with pytest.raises(ComponentError, match="one has 1"):
        judge(normal(30), normal(1))


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 12])
def test_p_values_are_uniform_where_there_is_no_difference(d: int) -> None:
    draws = [judge(normal(100, d, seed), normal(100, d, 10_000 + seed)) for seed in range(200)]
    p = sorted(draw["p-value"].value for draw in draws)
    # Kolmogorov–Smirnov at 0.1 %: 1.95/√200.
    assert max(abs(value - (rank + 0.5) / 200) for rank, value in enumerate(p)) < 0.138
    # Three standard errors; with a binomial variance it would be 1.27 at d = 2.
    assert abs(statistics.stdev(map(statistics.NormalDist().inv_cdf, p)) - 1) < 3 / 400**0.5
    assert not any("MEMORISATION" in warning for draw in draws for warning in draw["accuracy"].warnings)


@pytest.mark.slow
def test_standard_errors_are_the_spread_over_draws() -> None:
    draws = [judge(normal(150, seed=seed), normal(150, seed=900 + seed, shift=0.4)) for seed in range(60)]
    for metric in ("accuracy", "accuracy-real", "accuracy-fake"):
        spread = statistics.stdev(draw[metric].value for draw in draws)
        claimed = statistics.fmean(draw[metric].standard_error or 0 for draw in draws)
        assert 0.75 < claimed / spread < 1.35
