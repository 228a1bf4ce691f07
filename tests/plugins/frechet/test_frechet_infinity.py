from __future__ import annotations

import pytest
import torch

import ganlab_frechet
from ganlab import ComponentError, Estimate, FeatureBank, VectorSpec
from ganlab_frechet.distance import sampling_variance
from ganlab_frechet.evaluator import FrechetEvaluator
from ganlab_frechet.infinity import FrechetInfinityEvaluator, intercept_weights


def draw(n: int, d: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def extrapolated(x: torch.Tensor, y: torch.Tensor) -> Estimate:
    return FrechetInfinityEvaluator().evaluate(FeatureBank(x), FeatureBank(y))["frechet-infinity"]


def test_the_component_asks_for_features() -> None:
    _, component = ganlab_frechet.ganlab_evaluators()
    assert (component.name, component.needs) == ("frechet-infinity", "features")
    assert isinstance(component.build(component.options(), VectorSpec(2)), FrechetInfinityEvaluator)


def test_a_straight_line_is_met_exactly_and_a_bent_one_by_least_squares() -> None:
    x = torch.tensor([0.1, 0.2, 0.4, 0.5], dtype=torch.float64)
    assert float(intercept_weights(x.tolist()) @ (3 + 2 * x)) == pytest.approx(3, abs=1e-12)
    assert intercept_weights([1, 2, 3]).tolist() == pytest.approx([4 / 3, 1 / 3, -2 / 3])


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_it_takes_the_bias_off(shift: float) -> None:
    """8 draws: the plain distance is too large by far, the intercept is right on average."""
    true, plain, straight = 12 * shift**2, [], []
    for seed in range(8):
        x, y = draw(400, 12, 2 * seed), draw(400, 12, 2 * seed + 1, shift)
        plain.append(FrechetEvaluator().distance(FeatureBank(x), FeatureBank(y)) - true)
        straight.append(extrapolated(x, y).value - true)
    bias, left = torch.tensor(plain).mean(), torch.tensor(straight)
    assert left.mean().abs() < 3 * left.std() / 8**0.5
    assert left.mean().abs() < bias / 2


def test_the_same_samples_give_the_same_estimate_and_no_global_randomness_is_used() -> None:
    x, y = draw(200, 6, 0), draw(150, 6, 1)
    state = torch.get_rng_state()
    assert extrapolated(x, y) == extrapolated(x, y)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_sampling_variance_is_that_of_many_draws() -> None:
    scale = torch.linspace(0.5, 1.5, 6)
    values, variances = [], []
    for seed in range(150):
        x, y = draw(300, 6, 2 * seed), draw(500, 6, 2 * seed + 1) * scale + 0.4
        values.append(FrechetEvaluator().distance(FeatureBank(x), FeatureBank(y)))
        variances.append(sampling_variance(x, y))
    spread, predicted = torch.tensor(values).std(), torch.tensor(variances).mean().sqrt()
    assert float(predicted / spread) == pytest.approx(1, abs=0.2)


def test_the_error_holds_what_the_luck_of_the_subsets_makes_of_one_bank() -> None:
    """A bank is 0 apart from itself; shuffled, it gives other subsets, and other samples would vary more."""
    x = draw(200, 4, 0)
    orders = [torch.randperm(200, generator=torch.Generator().manual_seed(seed)) for seed in range(25)]
    found = [extrapolated(x[order], x) for order in orders]
    spread = torch.tensor([each.value for each in found]).std()
    error = torch.tensor([each.standard_error for each in found]).square().mean().sqrt()
    assert 1 < float(error / spread) < 1.6


def test_dead_features_change_nothing() -> None:
    x, y = draw(300, 6, 0), draw(300, 6, 1, 0.3)
    dead = torch.ones(300, 3)
    plain, wider = (
        sampling_variance(x, y),
        sampling_variance(torch.cat([x, dead], 1), torch.cat([y, dead], 1)),
    )
    assert wider == pytest.approx(plain, rel=1e-9)


def test_one_feature_is_enough() -> None:
    one, other = torch.randn(2, 400, 1, generator=torch.Generator().manual_seed(0))
    padded = (torch.cat([each, torch.zeros(400, 1)], 1) for each in (one, 1.5 * other))
    alone = FrechetInfinityEvaluator().evaluate(FeatureBank(one), FeatureBank(1.5 * other))[
        "frechet-infinity"
    ]
    beside = FrechetInfinityEvaluator().evaluate(*map(FeatureBank, padded))["frechet-infinity"]
    assert alone.value == pytest.approx(beside.value) and alone.value > 0.1
    assert alone.standard_error == pytest.approx(beside.standard_error)


def test_few_samples_are_refused_or_told() -> None:
    with pytest.raises(ComponentError, match="at least 30"):
        extrapolated(draw(29, 4, 0), draw(100, 4, 1))
    assert "too few in 12 dimensions" in extrapolated(draw(40, 12, 0), draw(100, 12, 1)).warnings[0]
    assert not extrapolated(draw(100, 12, 0), draw(100, 12, 1)).warnings
