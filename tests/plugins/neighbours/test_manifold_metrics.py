"""Precision, recall, density and coverage: exact cases, bad input, standard errors."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
import torch
from pydantic import ValidationError

import ganlab_neighbours
from ganlab import ComponentError, Evaluator, FeatureBank, VectorSpec
from ganlab.evaluation.banks import Moments

COMPONENTS = {each.name: each for each in ganlab_neighbours.ganlab_evaluators()}
BOTH = ["precision-recall", "density-coverage"]


def build(name: str, **options: Any) -> Evaluator:
    component = COMPONENTS[name]
    evaluator = component.build(component.options(**options), VectorSpec(2))
    assert isinstance(evaluator, Evaluator)
    return evaluator


def values(name: str, real: torch.Tensor, fake: torch.Tensor, **options: Any) -> list[float]:
    estimates = build(name, **options).evaluate(FeatureBank(real), FeatureBank(fake))
    return [estimate.value for estimate in estimates.values()]


def normal(n: int, d: int = 8, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_the_example_that_is_worked_out_by_hand() -> None:
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    fake = torch.tensor([[0.5], [1.5], [20.0]])
    assert values("precision-recall", real, fake, k=1) == [pytest.approx(2 / 3), 1.0]
    assert values("density-coverage", real, fake, k=1) == [pytest.approx(4 / 3), 0.75]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(("n", "offset"), [(30, 0.0), (1500, 0.0), (1500, 500.0)])
def test_identical_sets_score_one(name: str, n: int, offset: float) -> None:
    real = normal(n, d=64, shift=offset)
    shuffled = real[torch.randperm(n, generator=torch.Generator().manual_seed(1))]
    assert values(name, real, shuffled) == [1.0, 1.0]


def test_copies_among_real_samples_are_covered_by_one_more() -> None:
    real = torch.cat([normal(20), normal(20)])
    assert values("precision-recall", real, real, k=1) == [1.0, 1.0]
    assert values("density-coverage", real, real, k=1)[1] == 1.0


@pytest.mark.parametrize("name", BOTH)
def test_sets_far_apart_score_nothing(name: str) -> None:
    assert values(name, normal(100), normal(90, seed=1, shift=50.0)) == [0.0, 0.0]


def test_what_is_not_generated_costs_recall_and_what_is_not_real_costs_precision() -> None:
    one, other = normal(300), normal(300, seed=1, shift=30.0)
    both = torch.cat([normal(150, seed=2), normal(150, seed=3, shift=30.0)])
    precision, recall = values("precision-recall", torch.cat([one, other]), normal(300, seed=4))
    assert precision > 0.7 and 0.3 < recall < 0.52
    precision, recall = values("precision-recall", one, both)
    assert 0.3 < precision < 0.52 and recall > 0.7


def test_density_counts_balls_and_may_exceed_one() -> None:
    real = normal(400)
    density, coverage = values("density-coverage", real, 0.1 * normal(400, seed=1))
    assert density > 1.5 and coverage < 0.8


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(("n", "m"), [(5, 50), (50, 5)])
def test_too_few_samples_for_k_are_blamed_on_it(name: str, n: int, m: int) -> None:
    with pytest.raises(
        ComponentError, match=r"k = 5 needs at least 6 samples on each side .* one has 5"
    ) as info:
        values(name, normal(n), normal(m), k=5)
    assert info.value.option == "k"


@pytest.mark.parametrize("name", BOTH)
def test_impossible_input_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        build(name, k=0)
    with pytest.raises(ComponentError, match="only moments"):
        build(name).evaluate(FeatureBank(normal(9)), FeatureBank(moments=Moments(8)))


@pytest.mark.parametrize("name", BOTH)
def test_few_samples_are_said(name: str) -> None:
    many = FeatureBank(normal(1000))
    (first, _) = build(name).evaluate(many, FeatureBank(normal(1000, seed=1))).values()
    assert first.warnings == ()
    (first, _) = build(name).evaluate(many, FeatureBank(torch.ones(50, 8))).values()
    assert [warning.split(":")[0] for warning in first.warnings] == [
        "only 50 samples on one side",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_standard_errors_are_the_spread_over_draws(name: str, shift: float) -> None:
    draws = []
    for seed in range(40):
        banks = FeatureBank(normal(700, seed=seed)), FeatureBank(normal(700, seed=1000 + seed, shift=shift))
        draws.append(build(name).evaluate(*banks))
    for metric in draws[0]:
        spread = statistics.stdev(draw[metric].value for draw in draws)
        claimed = statistics.fmean(draw[metric].standard_error or 0 for draw in draws)
        assert 0.65 < claimed / spread < 1.8


@pytest.mark.parametrize(("name", "metrics"), [(BOTH[0], 2), (BOTH[1], 1)])
def test_that_none_is_seen_does_not_make_it_certain(name: str, metrics: int) -> None:
    far = FeatureBank(normal(800, seed=1, shift=50.0))
    shares = list(build(name).evaluate(FeatureBank(normal(700)), far).values())[-metrics:]
    for estimate in shares:
        assert estimate.value == 0 and 1e-3 < (estimate.standard_error or 0) < 3e-3


def test_standard_errors_are_left_out_where_blocks_would_be_too_small() -> None:
    estimates = build("precision-recall").evaluate(FeatureBank(normal(300)), FeatureBank(normal(300)))
    assert {estimate.standard_error for estimate in estimates.values()} == {None}


def test_what_is_remembered_of_the_reference_belongs_to_it() -> None:
    evaluator = build("precision-recall")
    fake = FeatureBank(normal(50, seed=2))
    for real in (normal(60), normal(60, seed=1, shift=1.0)):
        fresh = build("precision-recall").evaluate(FeatureBank(real), fake)
        assert evaluator.evaluate(FeatureBank(real), fake) == fresh
