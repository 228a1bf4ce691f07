"""Memorisation: copies, near copies, the yardstick, the picture."""

from __future__ import annotations

import pytest
import torch

from ganlab import ComponentError, Estimate, FeatureBank, Shown
from ganlab.config import load_experiment
from ganlab_neighbours.memorisation import Memorisation

TRAINING = torch.randn(1200, 8, generator=torch.Generator().manual_seed(0))


def normal(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))


def judge(fake: torch.Tensor, held_out: torch.Tensor | None = None) -> dict[str, Estimate]:
    evaluator, real = Memorisation(), FeatureBank(TRAINING)
    evaluator.prepare(real, FeatureBank(normal(1000, 1) if held_out is None else held_out))
    return dict(evaluator.evaluate(real, FeatureBank(fake)))


def loud(estimates: dict[str, Estimate]) -> list[str]:
    return [warning for warning in estimates["ratio"].warnings if "MEMORISATION" in warning.upper()]


def test_fresh_samples_are_as_far_from_the_training_set_as_held_out_ones() -> None:
    result = judge(normal(1000, 2))
    ratio, near, copies = result.values()
    assert ratio.standard_error is not None and abs(ratio.value - 1) < 3 * ratio.standard_error < 0.1
    assert near.standard_error is not None and abs(near.value - 0.01) < 3 * near.standard_error < 0.03
    assert copies.value < 0.005
    assert result["ratio"].warnings == ()


def test_the_held_out_samples_themselves_score_exactly_one() -> None:
    held_out = normal(1000, 1)
    assert judge(held_out, held_out)["ratio"].value == 1.0
    assert judge(held_out, held_out)["near"].value == pytest.approx(0.01)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_copies_are_caught_by_name(noise: float) -> None:
    result = judge(TRAINING[:1000] + noise * normal(1000, 2))
    assert result["ratio"].value < 0.01 and result["near"].value == result["copies"].value == 1.0
    (warning,) = loud(result)
    assert warning.startswith("MEMORISATION: 1,000 of 1,000 generated samples are copies of training samples")


def test_a_few_copies_among_good_samples_are_caught() -> None:
    result = judge(torch.cat([TRAINING[:100], normal(900, 2)]))
    assert 0.9 < result["ratio"].value < 1.05
    assert 0.1 <= result["copies"].value < 0.11
    assert "100 of 1,000" in loud(result)[0]


def test_samples_that_hug_the_training_set_without_copying_are_suspicious() -> None:
    hugging = TRAINING[:1000] + 0.36 * normal(1000, 2)
    (warning,) = loud(judge(hugging))
    assert "nearer to a training sample than 99%" in warning and not warning.startswith("MEMORISATION")


def test_samples_that_are_unlike_the_data_are_no_memorisation() -> None:
    result = judge(normal(1000, 2) + 5)
    assert result["ratio"].value > 2 and result["near"].value == 0.0
    assert loud(result) == []
    assert (result["copies"].standard_error or 0) > 0


def test_without_held_out_samples_training_ones_are_the_yardstick() -> None:
    evaluator, real = Memorisation(), FeatureBank(TRAINING)
    evaluator.prepare(real, None)
    result = dict(evaluator.evaluate(real, FeatureBank(normal(1000, 2))))
    assert result["ratio"].value == pytest.approx(judge(normal(1000, 2))["ratio"].value, rel=0.05)
    assert "no samples are held out" in result["ratio"].warnings[0]
    assert "1,000 of 1,000" in loud(dict(evaluator.evaluate(real, FeatureBank(TRAINING[:1000]))))[0]


def test_copies_in_the_data_itself_do_not_accuse_the_generator() -> None:
    held_out = torch.cat([TRAINING[:50], normal(950, 1)])
    assert loud(judge(torch.cat([TRAINING[50:100], normal(950, 2)]), held_out)) == []


def test_few_held_out_samples_accuse_nobody_by_chance() -> None:
    """Of ten, the nearest is as near as one in ten is, and now and then much farther than others."""
    evaluator, real = Memorisation(), FeatureBank(TRAINING[:, :2])
    for seed in range(1, 41):
        held_out, fake = normal(10, seed)[:, :2], normal(300, 100 + seed)[:, :2]
        evaluator.prepare(real, FeatureBank(held_out))
        result = dict(evaluator.evaluate(real, FeatureBank(fake)))
        assert loud(result) == []
        assert any("10 real samples are too few" in warning for warning in result["ratio"].warnings)
    evaluator.prepare(real, FeatureBank(normal(10, 1)[:, :2]))
    copies = dict(evaluator.evaluate(real, FeatureBank(TRAINING[:300, :2])))
    assert loud(copies)[0].startswith("MEMORISATION: 300 of 300")


def test_noise_is_never_the_best_for_copying_nothing() -> None:
    """Nothing is as far from the training set as noise is, nor has fewer twins."""
    tables = {
        "title": "Ring",
        "training": {"steps": 10},
        "dataset": {"name": "gaussians"},
        "latent": {"dim": 2},
        "generator": {"name": "mlp"},
        "discriminator": {"name": "mlp"},
        "losses": [{"name": "hinge"}],
    }
    evaluators = [{"name": name} for name in ("memorisation", "diversity", "mmd")]
    best = load_experiment({**tables, "evaluators": evaluators}).best
    assert best is not None and (best.label, best.metric.name) == ("mmd", "mmd2")
    assert load_experiment({**tables, "evaluators": evaluators[:2]}).best is None
    asked = load_experiment(
        {**tables, "evaluators": evaluators, "checkpoint": {"best": "memorisation.copies"}}
    )
    assert asked.best is not None and asked.best.label == "memorisation"


def test_features_that_tell_nothing_apart_are_refused() -> None:
    evaluator = Memorisation()
    with pytest.raises(ComponentError, match="choose other `features`"):
        evaluator.prepare(FeatureBank(torch.ones(20, 3)), FeatureBank(torch.ones(10, 3)))


def test_the_picture_has_the_nearest_samples_beside_their_training_samples() -> None:
    evaluator, real = Memorisation(), FeatureBank(TRAINING)
    evaluator.prepare(real, FeatureBank(normal(1000, 1)))
    fake = normal(30, 2)
    fake[7], fake[3] = TRAINING[900], TRAINING[5] + 0.01
    rows = evaluator.pictures(real, FeatureBank(fake))["nearest-training"]
    assert len(rows) == 8 and {len(row) for row in rows} == {4}
    assert rows[0][:2] == [Shown("fake", 7), Shown("real", 900)]
    assert rows[1][:2] == [Shown("fake", 3), Shown("real", 5)]
    assert {shown.which for row in rows for shown in row[1:]} == {"real"}


def test_the_yardstick_is_kept_in_the_state() -> None:
    real, fake = FeatureBank(TRAINING), FeatureBank(normal(200, 2))
    first, second = Memorisation(), Memorisation()
    first.prepare(real, FeatureBank(normal(1000, 1)))
    second.prepare(real, FeatureBank(normal(500, 5) * 2))
    assert second.evaluate(real, fake) != first.evaluate(real, fake)
    second.load_state_dict(first.state_dict())
    assert second.evaluate(real, fake) == first.evaluate(real, fake)
