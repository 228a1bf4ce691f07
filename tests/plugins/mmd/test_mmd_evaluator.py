from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

import ganlab_mmd
from ganlab import ComponentError, FeatureBank, VectorSpec
from ganlab.evaluation.banks import Moments
from ganlab_mmd.evaluator import MmdEvaluator, median_distance

KERNELS = ["rbf", "rational-quadratic", "energy", "polynomial", "linear"]


def bank(n: int = 200, seed: int = 0, shift: float = 0.0, scale: float = 1.0) -> FeatureBank:
    return FeatureBank(scale * torch.randn(n, 4, generator=torch.Generator().manual_seed(seed)) + shift)


def build(**options: Any) -> MmdEvaluator:
    (component,) = ganlab_mmd.ganlab_evaluators()
    evaluator = component.build(component.options(**options), VectorSpec(4))
    assert isinstance(evaluator, MmdEvaluator)
    return evaluator


def value(evaluator: MmdEvaluator, real: FeatureBank, fake: FeatureBank) -> float:
    return evaluator.evaluate(real, fake)["mmd2"].value


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_tells_a_shift_from_chance(kernel: str) -> None:
    evaluator, real = build(kernel=kernel), bank()
    evaluator.prepare(real, None)
    far = evaluator.evaluate(real, bank(seed=1, shift=0.7))["mmd2"]
    near = evaluator.evaluate(real, bank(seed=2))["mmd2"]
    assert far.standard_error is not None and near.standard_error is not None
    assert far.value > 4 * far.standard_error
    assert abs(near.value) < 3 * near.standard_error


@pytest.mark.parametrize("kernel", ["rbf", "rational-quadratic"])
def test_the_width_follows_the_units_of_the_features(kernel: str) -> None:
    one, other = build(kernel=kernel), build(kernel=kernel)
    one.prepare(bank(), None)
    other.prepare(bank(scale=1000.0), None)
    small = value(one, bank(), bank(seed=1, scale=1.5))
    assert value(other, bank(scale=1000.0), bank(seed=1, scale=1500.0)) == pytest.approx(small, rel=1e-4)


def test_the_width_is_frozen_and_kept_in_the_state() -> None:
    evaluator = build()
    evaluator.prepare(bank(), None)
    restored = build()
    restored.prepare(bank(scale=7.0), None)
    assert value(restored, bank(), bank(seed=1)) != value(evaluator, bank(), bank(seed=1))
    restored.load_state_dict(evaluator.state_dict())
    assert value(restored, bank(), bank(seed=1)) == value(evaluator, bank(), bank(seed=1))
    assert evaluator.state_dict() == {"scale": median_distance(bank().features)}  # type: ignore[arg-type]


def test_what_is_remembered_of_the_reference_belongs_to_it() -> None:
    evaluator, one, other = build(), bank(), bank(seed=5, shift=2.0)
    evaluator.prepare(one, None)
    fresh = build()
    fresh.prepare(one, None)
    value(evaluator, one, bank(seed=1))
    assert value(evaluator, other, bank(seed=1)) == value(fresh, other, bank(seed=1))


def test_bandwidths_and_estimator_are_obeyed() -> None:
    real, fake = bank(), bank(seed=1)
    values = []
    for options in ({}, {"bandwidths": [1.0]}, {"estimator": "biased"}):
        evaluator = build(**options)
        evaluator.prepare(real, None)
        values.append(value(evaluator, real, fake))
    assert len(set(values)) == 3
    assert values[2] > max(0, values[0])


@pytest.mark.parametrize("options", [{"bandwidths": []}, {"bandwidths": [0.0]}, {"kernel": "laplace"}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        build(**options)


def test_the_median_is_over_points_that_differ() -> None:
    points = torch.tensor([[0.0], [0.0], [0.0], [2.0]])
    assert median_distance(points) == 2.0
    with pytest.raises(ComponentError, match="first 4 are all equal") as refusal:
        median_distance(torch.ones(4, 3))
    assert refusal.value.option == "kernel"


@pytest.mark.parametrize("bad", [FeatureBank(torch.zeros(1, 4)), FeatureBank(moments=Moments(4))])
def test_a_bank_without_two_features_is_refused(bad: FeatureBank) -> None:
    evaluator = build(kernel="energy")
    evaluator.prepare(bank(), None)
    with pytest.raises(ComponentError, match="at least 2"):
        evaluator.evaluate(bank(), bad)


def test_the_p_value_stands_beside_the_estimate() -> None:
    (component,) = ganlab_mmd.ganlab_evaluators()
    assert [(metric.name, metric.better) for metric in component.metrics] == [
        ("mmd2", "lower"),
        ("p-value", None),
    ]
    evaluator = build(permutations=99)
    evaluator.prepare(bank(), None)
    assert evaluator.evaluate(bank(), bank(seed=1, shift=1.0))["p-value"].value == 1 / 100
    assert evaluator.evaluate(bank(), bank(seed=1))["p-value"].value > 0.02


def test_the_block_estimate_needs_two_blocks_of_two() -> None:
    evaluator = build(estimator="block", kernel="energy")
    assert evaluator.evaluate(bank(), bank(seed=1, shift=0.7))["mmd2"].value > 0
    with pytest.raises(ComponentError, match="at least 4") as refusal:
        evaluator.evaluate(bank(), bank(3))
    assert refusal.value.option == "estimator"


def test_features_of_two_extractors_are_refused() -> None:
    with pytest.raises(ComponentError, match="4 and of 5 elements"):
        build(kernel="energy").evaluate(bank(), FeatureBank(torch.randn(9, 5)))


def test_few_samples_and_equal_ones_are_told() -> None:
    evaluator = build()
    evaluator.prepare(bank(), None)
    assert "20 samples on one side are few" in evaluator.evaluate(bank(), bank(20))["mmd2"].warnings[0]
    assert not evaluator.evaluate(bank(), bank(seed=1))["mmd2"].warnings
    mostly = FeatureBank(torch.cat([torch.ones(90, 4), torch.randn(10, 4)]))
    evaluator.prepare(mostly, None)
    assert "81% of the pairs of real samples" in evaluator.evaluate(mostly, bank())["mmd2"].warnings[0]
