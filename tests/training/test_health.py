"""Warnings of a run's health: when they come, and that they come once; and runs made to earn them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganlab.commands.cli import run
from ganlab.runs.state import HealthWarning
from ganlab.training.health import WINDOW, Health, diversity


def log(health: Health, pairs: list[tuple[float, float]]) -> list[str]:
    """Return the warnings about a discriminator with these accuracies and generator's gradients."""
    found: list[HealthWarning] = []
    for step, (accuracy, gradient) in enumerate(pairs, 1):
        found += health.log(step, {"balance/accuracy": accuracy, "gradient-norm/generator": gradient})
    return [warning.name for warning in found]


def draw(health: Health, diversities: list[float], every: int = 10) -> list[int]:
    """Return the steps at which drawings with these diversities were warned of."""
    found: list[HealthWarning] = []
    for index, each in enumerate(diversities):
        found += health.drawn(index * every, each)
    assert all(warning.name == "collapse" for warning in found)
    return [warning.step for warning in found]


def healthy(patience: int = 3, steps: int = 400) -> Health:
    return Health(patience=patience, steps=steps)


def test_samples_that_are_all_the_same_have_no_diversity() -> None:
    real = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    assert diversity(real[:1].repeat(20, 1), real) == 0
    assert diversity(real + 7, real) == pytest.approx(1)
    images = torch.randint(
        0, 256, (6, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    assert diversity(images, images) == 1


@given(scale=st.floats(0.01, 100))
def test_diversity_is_in_proportion_to_distances(scale: float) -> None:
    real = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    assert diversity(real * scale, real) == pytest.approx(scale, rel=1e-4)


def test_where_real_samples_are_all_the_same_nothing_is_wrong() -> None:
    assert diversity(torch.zeros(3, 2), torch.ones(3, 2)) == 1


def test_a_saturated_discriminator_is_told_of_once() -> None:
    lively, stuck = [(0.8, 1.0)] * WINDOW, [(1.0, 0.001)] * 20
    assert log(healthy(), lively + stuck) == ["discriminator-saturated"]


def test_a_discriminator_that_is_right_but_still_teaches_is_no_reason_to_warn() -> None:
    assert log(healthy(), [(0.8, 1.0)] * WINDOW + [(1.0, 0.5)] * 20) == []
    assert log(healthy(), [(0.8, 1.0)] * WINDOW + [(0.7, 0.001)] * 20) == []


def test_a_single_log_point_is_no_reason_to_warn() -> None:
    assert log(healthy(), [(0.8, 1.0), (1.0, 0.001)] * 20) == []


def test_saturation_is_told_of_again_when_it_comes_again() -> None:
    lively, stuck = [(0.8, 1.0)] * WINDOW, [(1.0, 0.001)] * WINDOW
    assert log(healthy(), lively + stuck + lively + stuck) == ["discriminator-saturated"] * 2


def test_without_log_odds_no_discriminator_is_judged() -> None:
    health = healthy()
    assert not any(health.log(step, {"gradient-norm/generator": 0.0}) for step in range(30))


def test_a_generator_that_loses_its_diversity_is_told_of_once() -> None:
    assert draw(healthy(), [0.01, 0.4, 0.9, 0.8, 0.2, 0.1, 0.1]) == [40]


def test_a_generator_that_varies_within_reason_is_not() -> None:
    assert draw(healthy(), [0.01, 0.4, 0.9, 0.5, 0.9, 0.4, 1.3, 0.6]) == []


def test_a_collapse_is_told_of_again_only_after_it_has_clearly_ended() -> None:
    assert draw(healthy(), [0.9, 0.2, 0.4, 0.2]) == [10]
    assert draw(healthy(), [0.9, 0.2, 0.8, 0.2]) == [10, 30]


def test_a_generator_that_never_unfolds_is_told_of_after_a_quarter_of_the_training() -> None:
    assert draw(healthy(steps=4000), [0.02] * 41, every=100) == [1000]
    assert draw(healthy(steps=4000), [0.02] * 9 + [0.15] * 32, every=100) == []
    assert draw(healthy(steps=4000), [0.02] * 12 + [0.25] + [0.02] * 10, every=100) == [1000, 1300]


def test_a_short_training_is_given_time_to_unfold() -> None:
    assert draw(healthy(steps=400), [0.02] * 41) == [200]


def test_no_new_best_for_long_is_told_of_once() -> None:
    health = healthy(patience=3)
    improved = [True, False, False, True, False, False, False, False, True, False, False, False]
    found = [warning for step, each in enumerate(improved) for warning in health.evaluated(step, each)]
    assert [(warning.step, warning.name) for warning in found] == [(6, "no-progress"), (11, "no-progress")]
    assert found[0].message.startswith("the last 3 evaluations brought no new best")


def test_no_patience_means_no_warning() -> None:
    health = healthy(patience=0)
    assert not any(health.evaluated(step, False) for step in range(50))


@given(
    diversities=st.lists(st.floats(0, 1.5), max_size=12),
    pairs=st.lists(st.tuples(st.sampled_from([0.5, 0.98, 1.0]), st.floats(1e-6, 10)), max_size=16),
    improved=st.lists(st.booleans(), max_size=12),
    data=st.data(),
)
def test_warnings_are_the_same_wherever_a_run_is_taken_up_again(
    diversities: list[float],
    pairs: list[tuple[float, float]],
    improved: list[bool],
    data: st.DataObject,
) -> None:
    straight = disturbed = healthy()
    for step in range(16):
        if data.draw(st.booleans()):
            state = json.loads(json.dumps(disturbed.state_dict()))
            disturbed = healthy()
            disturbed.load_state_dict(state)
        found = []
        for health in (straight, disturbed) if disturbed is not straight else (straight,):
            told = health.drawn(step * 20, diversities[step]) if step < len(diversities) else []
            if step < len(pairs):
                accuracy, gradient = pairs[step]
                told += health.log(step, {"balance/accuracy": accuracy, "gradient-norm/generator": gradient})
            told += health.evaluated(step, improved[step]) if step < len(improved) else []
            found.append(told)
        assert found[0] == found[-1]


EXPERIMENT = """
title = "Made to fail"
{data}
[[losses]]
name = "{loss}"
[optimizer.generator]
learning_rate = {generator}
[optimizer.discriminator]
learning_rate = {discriminator}
[training]
steps = {steps}
batch_size = 32
precision = "fp32"
log_every = 10
{training}
[samples]
every = 25
count = 16
[health]
patience = 3
[[evaluators]]
name = "mmd"
every = {every}
samples = 50
[checkpoint]
best = "mmd"
"""
RING = """
[dataset]
name = "gaussians"
count = 500
[latent]
dim = 2
[generator]
name = "mlp"
width = 32
[discriminator]
name = "mlp"
width = 32
"""
FACES = """
[image]
size = 16
[dataset]
name = "faces"
count = 100
[generator]
name = "dcgan"
width = 8
[discriminator]
name = "dcgan"
width = 8
"""
SANE = {
    "data": RING,
    "loss": "non-saturating",
    "generator": 1e-3,
    "discriminator": 1e-3,
    "training": "",
    "steps": 200,
    "every": 50,
}
FATES: dict[str, dict[str, object]] = {
    "none": {},
    "discriminator-saturated": {
        "data": FACES,
        "loss": "minimax",
        "generator": 2e-4,
        "discriminator": 5e-3,
        "training": "discriminator_steps = 5",
        "steps": 80,
    },
    "collapse": {"training": "generator_steps = 10", "steps": 80},
    # So low that no weight moves.
    "no-progress": {"generator": 1e-30, "steps": 40, "every": 10},
}


@pytest.mark.slow
@pytest.mark.parametrize("fate", FATES)
def test_a_run_is_warned_of_what_it_was_made_to_suffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    (tmp_path / "x.toml").write_text(EXPERIMENT.format(**(SANE | FATES[fate])))
    monkeypatch.chdir(tmp_path)
    assert run(["run", "x.toml", "--quiet"]) == 0
    (state,) = tmp_path.glob("runs/*/*/run.json")
    told = [warning["name"] for warning in json.loads(state.read_text())["warnings"]]
    assert (fate in told) if fate != "none" else not told
