from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from scipy.stats import kstest

import ganlab_two_sample
from ganlab import ComponentError, Estimate, FeatureBank, VectorSpec
from ganlab_two_sample.logistic import fit
from ganlab_two_sample.trial import Trial, area_under_curve, p_value

COMPONENTS = {component.name: component for component in ganlab_two_sample.ganlab_evaluators()}
BOTH = pytest.mark.parametrize("name", sorted(COMPONENTS))


def evaluate(name: str, real: FeatureBank, fake: FeatureBank, **options: Any) -> Mapping[str, Estimate]:
    component = COMPONENTS[name]
    evaluator = component.build(component.options(**options), VectorSpec(real.dimension))
    estimates: Mapping[str, Estimate] = evaluator.evaluate(real, fake)
    return estimates


def normal(n: int, d: int = 6, seed: int = 0, shift: float = 0.0, names: tuple[str, ...] = ()) -> FeatureBank:
    features = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    features[:, 0] += shift
    return FeatureBank(features, names=names)


@BOTH
def test_what_is_far_apart_is_told_apart(name: str) -> None:
    estimates = evaluate(name, normal(300), normal(300, seed=1, shift=20.0))
    assert estimates["accuracy"].value == 1
    assert estimates["auc"].value == 1
    assert estimates["p-value"].value < 1e-12


def test_a_known_shift_gives_the_accuracy_of_bayes() -> None:
    # Two unit normals 2 apart are told apart with probability Φ(1), and with an AUC of Φ(√2).
    estimates = evaluate("classifier-test", normal(4000, d=3), normal(4000, d=3, seed=1, shift=2.0))
    assert estimates["accuracy"].value == pytest.approx(0.8413, abs=0.012)
    assert estimates["auc"].value == pytest.approx(0.9214, abs=0.009)


@BOTH
def test_copies_are_no_better_than_fresh_samples(name: str) -> None:
    """Below ½ is no better than ½: what chooses and is compared is the departure from it."""
    assert [metric.name for metric in COMPONENTS[name].metrics if metric.better] == ["departure"]
    real = normal(800, d=60)
    assert real.features is not None
    copied = evaluate(name, real, FeatureBank(real.features))
    fresh = evaluate(name, real, normal(800, d=60, seed=1))
    assert copied["departure"].value == pytest.approx(0.5 - copied["accuracy"].value)
    assert copied["departure"].value > fresh["departure"].value
    assert any("fakes are taken for reals" in warning for warning in copied["accuracy"].warnings)
    assert not fresh["accuracy"].warnings


@BOTH
def test_copies_are_not_told_from_originals(name: str) -> None:
    # A held-out sample's twin may have been learned with the other label: below ½, if anything.
    same = normal(400)
    estimates = evaluate(name, same, FeatureBank(same.features))
    assert estimates["accuracy"].value < 0.52
    assert estimates["p-value"].value > 0.4


def test_more_features_than_samples_still_tell() -> None:
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(600, generator=generator) * 0.25
    real, fake, other = torch.randn(3, 150, 600, generator=generator)
    estimates = evaluate("classifier-test", FeatureBank(real), FeatureBank(fake + direction))
    assert estimates["accuracy"].value > 0.8 and estimates["p-value"].value < 1e-3
    null = evaluate("classifier-test", FeatureBank(real), FeatureBank(other))
    assert 0.38 < null["accuracy"].value < 0.62 and null["p-value"].value > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), [(100, 5), (60, 90)])
def test_p_values_of_equal_distributions_are_uniform(n: int, d: int) -> None:
    draws = 250
    estimates = [
        evaluate("classifier-test", normal(n, d, seed=2 * draw), normal(n, d, seed=2 * draw + 1))
        for draw in range(draws)
    ]
    values = [each["p-value"].value for each in estimates]
    assert kstest(values, "uniform").pvalue > 0.01
    assert sum(value < 0.05 for value in values) / draws < 0.10
    # Taken from the five folds together, as this test once was, twice as many would be below.
    naive = [p_value(each["accuracy"].value, 2 * n) for each in estimates]
    assert sum(value < 0.05 for value in naive) > sum(value < 0.05 for value in values)


@pytest.mark.slow
def test_p_values_of_the_tree_are_uniform() -> None:
    values = [
        evaluate("tree-test", normal(50, 4, seed=2 * draw), normal(50, 4, seed=2 * draw + 1))["p-value"].value
        for draw in range(200)
    ]
    assert kstest(values, "uniform").pvalue > 0.005
    assert sum(value < 0.05 for value in values) / 200 < 0.10


@BOTH
def test_the_larger_set_is_cut_to_the_smaller(name: str) -> None:
    # Always saying "real" would be right nine times of ten, were the classes left as they come.
    small, large = normal(60, seed=1), normal(600)
    assert large.features is not None
    cut, equal = evaluate(name, large, small), evaluate(name, FeatureBank(large.features[:60]), small)
    assert [each.value for each in cut.values()] == [each.value for each in equal.values()]
    assert cut["departure"].notes == ("of 600 real and 60 generated samples, the first 60 of both",)
    assert equal["departure"].notes == ()


@BOTH
def test_a_feature_that_never_varies_is_left_alone(name: str) -> None:
    real, fake = normal(100), normal(100, seed=1, shift=1.0)
    assert real.features is not None and fake.features is not None
    for features in (real.features, fake.features):
        features[:, 3] = 1e4
    estimates = evaluate(name, real, fake)
    assert 0.55 < estimates["accuracy"].value < 0.9


@BOTH
def test_units_of_the_features_do_not_matter(name: str) -> None:
    real, fake = normal(200), normal(200, seed=1, shift=1.0)
    assert real.features is not None and fake.features is not None
    stretched = [FeatureBank(bank.features * 1024) for bank in (real, fake)]  # type: ignore[operator]
    for metric, estimate in evaluate(name, *stretched).items():
        assert estimate.value == pytest.approx(evaluate(name, real, fake)[metric].value, abs=1e-9)


@BOTH
def test_torch_s_global_generator_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    evaluate(name, normal(50), normal(50, seed=1))
    assert torch.equal(before, torch.get_rng_state())


def test_logistic_regression_names_what_gives_fakes_away() -> None:
    names = ("brightness", "contrast", "hue", "noise", "blur", "grain")
    real, fake = normal(500, names=names), normal(500, seed=1, shift=-1.5)
    notes = evaluate("classifier-test", real, fake)["accuracy"].notes
    assert notes[0].startswith("fakes have less of: brightness (weight -")
    assert len(notes) == 5
    assert evaluate("classifier-test", normal(50), normal(50, seed=1))["accuracy"].notes == ()


def test_the_tree_says_what_gives_fakes_away() -> None:
    names = ("brightness", "contrast")
    x = torch.linspace(0, 1, 1000)
    real = FeatureBank(torch.stack([x, x.flip(0)], 1), names=names)
    fake = FeatureBank(torch.stack([torch.where(torch.arange(1000) % 10 > 0, 2 + x, x), x.roll(7)], 1))
    notes = evaluate("tree-test", real, fake)["accuracy"].notes
    # Nine fakes of ten are brighter than any real.
    assert notes[0] == "brightness > 1.5 in 90% of the fakes and 0% of the reals"
    assert all(note.startswith("where brightness ≤ 1.5") for note in notes[1:])


def test_unnamed_features_are_numbered() -> None:
    notes = evaluate("tree-test", normal(200), normal(200, seed=1, shift=-4.0))["accuracy"].notes
    assert notes[0].startswith("feature 0 ≤ -")


def test_without_scikit_learn_the_tree_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.tree", None)
    component = COMPONENTS["tree-test"]
    with pytest.raises(ComponentError, match=r"pip install ganlab\[trees\]"):
        component.build(component.options(), VectorSpec(2))


@BOTH
def test_too_few_samples_are_refused_and_few_are_warned_of(name: str) -> None:
    with pytest.raises(ComponentError, match="on 19 real and 19 generated samples; it takes 20 of each"):
        evaluate(name, normal(19), normal(300))
    assert "coarse numbers" in evaluate(name, normal(50), normal(50, seed=1))["p-value"].warnings[0]
    assert not evaluate(name, normal(120), normal(120, seed=1))["p-value"].warnings


def test_classes_are_dealt_in_equal_shares() -> None:
    trial = Trial.of(normal(103), normal(103, seed=1))
    for fold in range(5):
        tested = trial.labels[trial.folds == fold]
        assert int(tested.sum()) * 2 == len(tested) in (40, 42)
    assert trial.subsets().sum(0).tolist()[-1] == 206


def test_the_area_under_the_curve_counts_ties_half() -> None:
    area = area_under_curve(torch.tensor([1.0, 2.0, 2.0]), torch.tensor([0.0, 2.0]))
    assert area == pytest.approx((1 + 0 + 1 + 0.5 + 1 + 0.5) / 6)


def test_p_values_are_those_of_the_normal_tail() -> None:
    assert p_value(0.5, 100) == 0.5
    assert p_value(0.55, 100) == pytest.approx(0.158655, abs=1e-6)  # one deviation


def test_the_optimum_is_where_the_gradient_vanishes() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 100, generator=generator, dtype=torch.float64)
    y = (x[:, 0] + x[:, 1] > 0).double()
    training = torch.stack([torch.arange(60) < 40, torch.ones(60, dtype=torch.bool)], 1).double()
    weights = fit(x, y, training, 0.3)
    gradient = x.T @ (training * (torch.sigmoid(x @ weights) - y[:, None])) + 0.3 * 100 * weights
    assert gradient.abs().max() < 1e-2
    alone = fit(x[:40], y[:40], torch.ones(40, 1, dtype=torch.float64), 0.3)
    torch.testing.assert_close(weights[:, :1], alone, rtol=0, atol=1e-4)
