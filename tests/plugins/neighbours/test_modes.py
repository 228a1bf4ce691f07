"""Modes: classes of generated samples by nearest labelled ones, on the ring of Gaussians."""

from __future__ import annotations

import math
import statistics

import pytest
import torch

import ganlab_neighbours
from ganlab import ComponentError, Estimate, FeatureBank, ImageSpec, VectorSpec
from ganlab_neighbours.modes import Modes

CLASSES = 8


def ring(n: int, seed: int = 0, classes: list[int] | None = None, std: float = 0.05) -> FeatureBank:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(classes) if classes else CLASSES, (n,), generator=generator)
    labels = torch.tensor(classes or range(CLASSES))[drawn]
    angles = labels * (2 * math.pi / CLASSES)
    centres = torch.stack([angles.cos(), angles.sin()], 1)
    return FeatureBank(centres + std * torch.randn(n, 2, generator=generator), labels=labels)


def judge(
    fake: FeatureBank, real: FeatureBank | None = None, held_out: FeatureBank | None = None, **options: float
) -> dict[str, Estimate]:
    (component,) = (each for each in ganlab_neighbours.ganlab_evaluators() if each.name == "modes")
    evaluator = component.build(component.options(**options), VectorSpec(2, CLASSES))
    real = real or ring(800)
    evaluator.prepare(real, held_out)
    return dict(evaluator.evaluate(real, FeatureBank(fake.features)))


def test_all_classes_are_hit_by_samples_of_all() -> None:
    result = judge(ring(1000, 1), held_out=ring(200, 2))
    assert result["classes-hit"].value == 8
    assert 0 <= result["kl"].value < 0.03
    assert result["classes-hit"].notes == (
        "the 5 nearest neighbours name the class of 100.0% of 200 held-out samples",
    )


def test_missing_classes_are_counted_and_named() -> None:
    result = judge(ring(1000, 1, classes=[0, 1, 2, 5]))
    assert result["classes-hit"].value == 4
    assert result["kl"].value == pytest.approx(math.log(2), abs=0.1)
    assert result["classes-hit"].notes[-1] == "missed: class 3, 4, 6, 7"
    assert "800 training samples, each left out in its turn" in result["classes-hit"].notes[0]


def test_the_divergence_is_that_of_the_frequencies() -> None:
    real = FeatureBank(torch.tensor([[0.0], [0.1], [1.0], [1.1]]), labels=torch.tensor([0, 0, 1, 1]))
    fake = FeatureBank(torch.tensor([[0.0]] * 3 + [[1.0]]))
    evaluator = Modes(2, k=1)
    evaluator.prepare(real, None)
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert evaluator.evaluate(real, fake)["kl"].value == pytest.approx(expected)


def test_most_neighbours_decide_and_the_nearer_ones_if_they_are_tied() -> None:
    real = FeatureBank(
        torch.tensor([[0.0], [1.0], [1.1], [1.2], [3.0], [3.1]]), labels=torch.tensor([0, 1, 1, 2, 2, 2])
    )
    evaluator = Modes(3, k=4)
    evaluator.prepare(real, None)
    # Of 0.45 the nearest are 0, 1, 1.1, 1.2: class 1 has two. Of 2.2: 3, 3.1, 1.2 against 1.1.
    for point, missed in ((0.45, "missed: class 0, 2"), (2.2, "missed: class 0, 1")):
        notes = evaluator.evaluate(real, FeatureBank(torch.tensor([[point]])))["classes-hit"].notes
        assert notes[-1] == missed
    evaluator = Modes(3, k=2)
    evaluator.prepare(real, None)
    notes = evaluator.evaluate(real, FeatureBank(torch.tensor([[0.2]])))["classes-hit"].notes
    assert notes[-1] == "missed: class 1, 2"


def test_a_few_samples_do_not_hit_a_class_unless_one_is_enough() -> None:
    bank, stray = ring(996, 1, classes=[0, 1, 2, 3, 4, 5, 6]), ring(4, 2, classes=[7])
    fake = FeatureBank(torch.cat([bank.features, stray.features]))  # type: ignore[list-item]
    assert judge(fake)["classes-hit"].value == 7
    assert judge(fake, least=0)["classes-hit"].value == 8


def test_a_classifier_that_guesses_comes_with_a_warning() -> None:
    real = ring(800, std=1.0)
    (warning,) = (w for w in judge(ring(1000, 1), real)["classes-hit"].warnings if "guesses" in w)
    assert "nearest neighbours name those of only" in warning


def test_classes_without_real_samples_are_said() -> None:
    result = judge(ring(500, 1), ring(500, classes=[0, 1, 2]))
    assert any("5 of 8 classes have no real sample" in w for w in result["classes-hit"].warnings)
    assert math.isfinite(result["kl"].value)


def test_data_without_labels_is_refused_at_once() -> None:
    (component,) = (each for each in ganlab_neighbours.ganlab_evaluators() if each.name == "modes")
    for spec in (VectorSpec(2), ImageSpec(1, 8, 8)):
        with pytest.raises(ComponentError, match="this dataset has no labels"):
            component.build(component.options(), spec)
    with pytest.raises(ComponentError, match="have no labels"):
        Modes(3).prepare(FeatureBank(torch.randn(20, 2)), None)


def test_fewer_real_samples_than_voters_are_blamed_on_k() -> None:
    with pytest.raises(ComponentError, match=r"k = 5 needs .* one has 4") as info:
        judge(ring(50), ring(4))
    assert info.value.option == "k"


def test_the_accuracy_is_kept_in_the_state() -> None:
    real, fake = ring(300), ring(300, 1)
    first, second = Modes(CLASSES), Modes(CLASSES)
    first.prepare(real, ring(200, 2))
    second.prepare(real, ring(200, 2, std=1.0))
    assert first.evaluate(real, fake) != second.evaluate(real, fake)
    second.load_state_dict(first.state_dict())
    assert first.evaluate(real, fake) == second.evaluate(real, fake)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [None, [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]])
def test_the_standard_error_is_the_spread_over_draws(classes: list[int] | None) -> None:
    draws = [judge(ring(400, 500 + seed, classes), ring(400, seed)) for seed in range(100)]
    spread = statistics.stdev(draw["kl"].value for draw in draws)
    claimed = statistics.fmean(draw["kl"].standard_error or 0 for draw in draws)
    assert 0.75 < claimed / spread < 1.6
