"""Consistency against closed forms and finite differences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from playing import PlayerName, float64, on_logits, play

from ganlab import ComponentError, ImageSpec, LatentSpec, VectorSpec
from ganlab.config import load_experiment
from ganlab.engine.augmentation import Augmentations, Draws
from ganlab.engine.latents import draw_latents
from ganlab.errors import ExperimentError
from ganlab_consistency.losses import Consistency, LatentConsistency

SPEC = ImageSpec(3, 16, 16)
REAL = torch.zeros(4, 3)
MATRIX = torch.tensor([[1.0, -2.0, 0.5], [0.25, 1.0, 3.0]])


class Doubling(Augmentations):
    def augmented(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        return 2 * samples

    def __bool__(self) -> bool:
        return True


def drawing() -> Draws:
    rng = torch.Generator().manual_seed(0)
    return Draws(lambda kind, shape: kind(4, *shape, generator=rng))


@pytest.mark.parametrize("fakes", [True, False])
def test_of_augmented_samples(fakes: bool) -> None:
    real, fake = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([-3.0, 1.5, 0.25])
    doubling = Doubling((), VectorSpec(1))
    value = on_logits("discriminator", Consistency(fakes=fakes), real, fake, augmentations=doubling)
    expected = real.square().mean() + (fake.square().mean() if fakes else 0)
    assert value.item() == pytest.approx(float(expected))


def test_without_augmentations_there_is_nothing_to_be_consistent_with() -> None:
    with pytest.raises(ComponentError, match=r"\[\[augmentations\]\]"):
        on_logits("discriminator", Consistency(), torch.ones(3), torch.ones(3))


def test_that_is_known_before_anything_is_built() -> None:
    faces = Path(__file__).parents[2] / "docs" / "experiments" / "faces-consistency.toml"
    assert len(load_experiment(faces).augmentations) == 2
    with pytest.raises(ExperimentError, match=r"needs an augmentation\n.*add an \[\[augmentations\]\] table"):
        load_experiment(faces, overrides=["augmentations=[]"])


def test_augmentations_that_all_see_are_none_for_the_loss() -> None:
    faces = Path(__file__).parents[2] / "docs" / "experiments" / "faces-consistency.toml"
    shown = [f"augmentations.{number}.always=true" for number in range(2)]
    with pytest.raises(
        ExperimentError, match=r"sees every sample through all augmentations\n.*always = false"
    ):
        load_experiment(faces, overrides=shown)
    experiment = load_experiment(faces, overrides=shown[:1])
    both, second = (
        Augmentations(experiment.augmentations, SPEC),
        Augmentations(experiment.augmentations[1:], SPEC),
    )
    samples = SPEC.noise(4)
    assert torch.equal(both.augmented(samples, drawing()), second.augmented(samples, drawing()))
    with pytest.raises(ComponentError, match="sees every sample through all"):
        Augmentations(experiment.augmentations[:1], SPEC).augmented(samples, drawing())


@pytest.mark.parametrize("distribution", ["normal", "uniform", "sphere"])
def test_near_latents_are_latents(distribution: Any) -> None:
    latent = LatentSpec(9, distribution, categories=(2, 3))
    latents = draw_latents(latent, 50, torch.Generator().manual_seed(1))
    asked: list[torch.Tensor] = []

    def generate(given: torch.Tensor) -> torch.Tensor:
        asked.append(given)
        return given

    play(
        "generator",
        LatentConsistency(0.5, 5.0, 0.25),
        real=latents,
        fake=latents,
        latents=latents,
        latent=latent,
        generate=generate,
    )
    (near,) = (each for each in asked if not torch.equal(each, latents))
    assert torch.equal(near[:, :5], latents[:, :5])
    moved = (near - latents)[:, 5:]
    assert 0.1 < moved.std() < 0.6
    if distribution == "uniform":
        assert near.abs().max() == 1
    if distribution == "sphere":
        torch.testing.assert_close(near[:, 5:].norm(dim=1), torch.full((50,), 2.0))


def played(player: PlayerName, judge: Any, matrix: torch.Tensor = MATRIX) -> torch.Tensor:
    """Return the loss of a linear generator; its latents do not matter, only what is added to them."""
    loss = LatentConsistency(0.5, 5.0, 0.25)
    real = REAL.to(matrix.dtype)
    value: torch.Tensor = play(
        player, loss, real=real, fake=real, judge=judge, generate=lambda latents: latents @ matrix
    )
    return value


def test_of_linear_networks() -> None:
    moved = 0.5 * torch.randn(4, 2, generator=torch.Generator().manual_seed(0)) @ MATRIX
    value = played("generator", judge=None)
    assert value.item() == pytest.approx(-0.25 * float(moved.square().mean()), rel=1e-5)
    value = played("discriminator", judge=lambda samples: 2 * samples.sum(dim=1))
    assert value.item() == pytest.approx(5 * float((2 * moved.sum(dim=1)).square().mean()), rel=1e-5)


@float64()
def test_gradients_are_those_of_finite_differences() -> None:
    draw = torch.Generator().manual_seed(0)
    matrix, weight = torch.randn(2, 3, generator=draw), torch.randn(3, generator=draw)
    assert torch.autograd.gradcheck(lambda each: played("generator", None, each), [matrix.requires_grad_()])
    fixed = matrix.detach()
    assert torch.autograd.gradcheck(
        lambda each: played("discriminator", lambda samples: torch.tanh(samples @ each), fixed),
        [weight.requires_grad_()],
    )
