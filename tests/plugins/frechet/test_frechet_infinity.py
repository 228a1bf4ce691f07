from __future__ import annotations

import pytest
import torch

import ganlab_frechet
from ganlab import ComponentError, Estimate, FeatureBank, VectorSpec
from ganlab_frechet.distance import sampling_variance
from ganlab_frechet.evaluator import FrechetEvaluator
from ganlab_frechet.infinity import FrechetInfinityEvaluator, intercept


def draw(n: int, d: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def extrapolated(x: torch.Tensor, y: torch.Tensor) -> Estimate:
    return FrechetInfinityEvaluator().evaluate(FeatureBank(x), FeatureBank(y))["frechet-infinity"]


def test_the_component_asks_for_features() -> None:
    _, component = ganlab_frechet.ganlab_evaluators()
    assert (component.name, component.needs) == ("frechet-infinity", "features")
    assert isinstance(component.build(component.options(), VectorSpec(2)), FrechetInfinityEvaluator)


def test_a_straight_line_is_met_exactly_and_a_bent_one_with_an_error() -> None:
    x = [0.1, 0.2, 0.4, 0.5]
    assert intercept(x, [3 + 2 * each for each in x]) == pytest.approx((3, 0), abs=1e-12)
    # By hand: slope 1/2, intercept 1/6, s² = 2/3, and (1/3 + 4/2)·s² = 14/9.
    assert intercept([1, 2, 3], [1, 0.5, 2]) == pytest.approx((1 / 6, (14 / 9) ** 0.5))


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


def test_dead_features_change_nothing() -> None:
    x, y = draw(300, 6, 0), draw(300, 6, 1, 0.3)
    dead = torch.ones(300, 3)
    plain, wider = (
        sampling_variance(x, y),
        sampling_variance(torch.cat([x, dead], 1), torch.cat([y, dead], 1)),
    )
    assert wider == pytest.approx(plain, rel=1e-9)


def test_few_samples_are_refused_or_told() -> None:
    with pytest.raises(ComponentError, match="at least 30"):
        extrapolated(draw(29, 4, 0), draw(100, 4, 1))
    assert "too few in 12 dimensions" in extrapolated(draw(40, 12, 0), draw(100, 12, 1)).warnings[0]
    assert not extrapolated(draw(100, 12, 0), draw(100, 12, 1)).warnings
