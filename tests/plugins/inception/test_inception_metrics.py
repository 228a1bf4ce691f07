"""FID, KID and the Inception Score on features of known distribution, and as users ask for them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from fresh_process import ganlab
from random_network import RandomWeights

import ganlab_inception
from ganlab import ComponentError, Estimate, Evaluator, FeatureBank, ImageSpec
from ganlab_inception.distances import SubsetKid
from ganlab_inception.score import scores_of_splits

COMPONENTS = {component.name: component for component in ganlab_inception.ganlab_evaluators()}


def build(name: str, **options: object) -> Evaluator:
    component = COMPONENTS[name]
    evaluator = component.build(component.options(**options), ImageSpec(3, 32, 32))
    assert isinstance(evaluator, Evaluator)
    return evaluator


def measure(evaluator: Evaluator, real: torch.Tensor, fake: torch.Tensor) -> Estimate:
    banks = FeatureBank(real), FeatureBank(fake)
    evaluator.prepare(banks[0], None)
    (estimate,) = evaluator.evaluate(*banks).values()
    return estimate


def normal(n: int, d: int = 4, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_each_metric_bears_its_own_name() -> None:
    names = ["fid", "fid-pytorch", "fid-clean", "kid", "inception-score"]
    assert [(name, component.metrics[0].name) for name, component in COMPONENTS.items()] == [
        (name, name) for name in names
    ]
    assert COMPONENTS["inception-score"].metrics[0].better == "higher"


@pytest.mark.parametrize("name", ["fid", "fid-pytorch", "fid-clean"])
def test_fid_of_shifted_features_is_the_squared_shift(name: str) -> None:
    real = normal(1000)
    estimate = measure(build(name), real, real + 2)
    assert estimate.value == pytest.approx(4 * 4, rel=1e-5)
    assert any("sets of real samples this large are" in warning for warning in estimate.warnings)


def test_kid_is_the_u_statistic_of_the_cubic_kernel() -> None:
    x, y = normal(60), normal(50, shift=0.5, seed=1)
    kernel = lambda a, b: (a.double() @ b.double().T / 4 + 1) ** 3  # noqa: E731
    within = [
        float((kernel(each, each).sum() - kernel(each, each).trace()) / (len(each) * (len(each) - 1)))
        for each in (x, y)
    ]
    estimate = measure(build("kid"), x, y)
    assert estimate.value == pytest.approx(sum(within) - 2 * float(kernel(x, y).mean()), rel=1e-6)
    assert estimate.standard_error is not None and estimate.standard_error > 0


def test_subsets_estimate_the_same_number_without_a_standard_error() -> None:
    x, y = normal(300), normal(300, shift=0.5, seed=1)
    whole = measure(build("kid"), x, y).value
    published = measure(build("kid", estimator="subsets", subsets=50, subset_size=100), x, y)
    assert published.value == pytest.approx(whole, rel=0.1)
    assert published.standard_error is None
    assert "over 50 subsets of 100" in published.notes[0]


def test_subsets_as_large_as_the_banks_are_the_banks() -> None:
    x, y = normal(40), normal(40, shift=0.5, seed=1)
    estimate = measure(SubsetKid(subsets=3, size=40), x, y)
    assert estimate.value == pytest.approx(measure(build("kid"), x, y).value, rel=1e-9)


def test_too_few_samples_for_a_subset() -> None:
    with pytest.raises(ComponentError, match="cannot be drawn from 40 samples") as caught:
        measure(build("kid", estimator="subsets"), normal(40), normal(50))
    assert caught.value.option == "subset_size"


def test_inception_score_of_certain_and_of_undecided_classes() -> None:
    """As many classes as are hit equally often and beyond doubt; 1 where every image says the same."""
    certain = 100 * torch.eye(8).repeat(1000, 1)
    assert scores_of_splits(certain, 1)[0] == pytest.approx(8)
    assert measure(build("inception-score"), certain, certain).value == pytest.approx(8, rel=0.01)
    alike = normal(1, 8).expand(100, 8)
    estimate = measure(build("inception-score", splits=5), certain, alike)
    assert estimate.value == pytest.approx(1)
    assert "over 5 splits" in estimate.notes[0] and "50,000" in estimate.warnings[0]


def test_inception_score_by_hand() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)
    marginal = [0.6, 0.4]
    divergence = sum(
        float(p) * math.log(float(p) / q) for row in probabilities for p, q in zip(row, marginal, strict=True)
    )
    assert scores_of_splits(probabilities.log(), 1) == [pytest.approx(math.exp(divergence / 2))]


def test_too_few_samples_for_the_splits() -> None:
    with pytest.raises(ComponentError, match="cannot be cut into 10 splits"):
        measure(build("inception-score"), normal(5), normal(5))


def test_evaluators_name_their_features(random_weights: RandomWeights) -> None:
    def table(name: str, **options: object) -> Any:
        component = COMPONENTS[name]
        assert component.features_of is not None
        return component.features_of(component.options(**options))

    assert table("fid") == {"name": "inception", "protocol": "fid", "output": "pool", "download": False}
    given = table("fid-clean", **random_weights.options)
    assert given["protocol"] == "fid-clean" and given["weights"] == str(random_weights.path)
    assert given["weights_sha256"] == random_weights.sha256
    assert table("kid", protocol="fid-clean", subsets=3)["protocol"] == "fid-clean"
    assert table("inception-score", download=True) == {
        "name": "inception",
        "protocol": "fid",
        "output": "logits",
        "download": True,
    }


EXPERIMENT = """
title = "Faces by FID"
[image]
size = 16
[dataset]
name = "faces"
count = 8
holdout = 0.0
[latent]
dim = 4
[generator]
name = "dcgan"
width = 4
[[losses]]
name = "mmd"
[training]
steps = 1
batch_size = 4
[[evaluators]]
name = "fid"
samples = 2
weights = "random.pth"
"""


@pytest.mark.slow
def test_a_run_measures_fid_and_says_what_is_wrong_with_its_weights(
    random_weights: RandomWeights, tmp_path: Path
) -> None:
    (tmp_path / "random.pth").symlink_to(random_weights.path)
    (tmp_path / "x.toml").write_text(EXPERIMENT)
    refused = ganlab("run", "x.toml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "x.toml:22: evaluators.0.weights:" in refused.stderr
    assert f'weights_sha256 = "{random_weights.sha256}"' in refused.stderr
    right = f'evaluators.0.weights_sha256="{random_weights.sha256}"'
    done = ganlab("run", "x.toml", "--set", right, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (lines,) = [path.read_text() for path in tmp_path.glob("runs/*/*/evaluations.jsonl")]
    for part in ('"metric": "fid"', '"protocol": "fid"', '"features": "inception"', "singular"):
        assert part in lines
