"""Adversarial losses, penalties and the ELBO against closed forms."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

sys.path.insert(0, str(Path(__file__).parent))
from playing import play, require_shared_equally

from ganlab_adversarial.losses import LOSSES
from ganlab_penalties.losses import R1, GradientPenalty
from ganlab_vae.losses import Elbo

REAL_LOGITS = torch.tensor([2.0, -1.0, 0.5])
FAKE_LOGITS = torch.tensor([-3.0, 1.5, 0.25])


def on_logits(player: Literal["discriminator", "generator"], name: str) -> float:
    # The discriminator reads the logit straight off the sample.
    value = play(player, LOSSES[name](), real=REAL_LOGITS, fake=FAKE_LOGITS, judge=lambda samples: samples)
    return value.item()


def bce(logits: torch.Tensor, target: float) -> float:
    return float(binary_cross_entropy_with_logits(logits, torch.full_like(logits, target)))


EXPECTED = {
    "non-saturating": (bce(REAL_LOGITS, 1) + bce(FAKE_LOGITS, 0), bce(FAKE_LOGITS, 1)),
    "minimax": (bce(REAL_LOGITS, 1) + bce(FAKE_LOGITS, 0), -bce(FAKE_LOGITS, 0)),
    "hinge": ((0 + 2 + 0.5) / 3 + (0 + 2.5 + 1.25) / 3, (3 - 1.5 - 0.25) / 3),
    "least-squares": (
        (1 + 4 + 0.25) / 6 + (9 + 2.25 + 0.0625) / 6,
        (16 + 0.25 + 0.5625) / 6,
    ),
    "wasserstein": (-1.25 / 3 - 1.5 / 3, 1.25 / 3),
}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_adversarial_losses_are_what_the_papers_say(name: str) -> None:
    discriminator, generator = EXPECTED[name]
    assert on_logits("discriminator", name) == pytest.approx(discriminator, rel=1e-6)
    assert on_logits("generator", name) == pytest.approx(generator, rel=1e-6)


def test_log_odds_are_declared_where_logits_are_such() -> None:
    assert {name for name, loss in LOSSES.items() if loss().log_odds} == {"minimax", "non-saturating"}


def test_where_a_discriminator_is_undecided_is_halfway_between_its_targets() -> None:
    known = {name: loss().undecided for name, loss in LOSSES.items() if not loss().log_odds}
    assert known == {"hinge": 0.0, "least-squares": 0.5, "wasserstein": None}


WEIGHT = torch.tensor([3.0, 4.0])


def linear(samples: torch.Tensor) -> torch.Tensor:
    return samples @ WEIGHT


def test_r1_of_a_linear_discriminator() -> None:
    value = play("discriminator", R1(), real=torch.randn(5, 2), fake=torch.randn(5, 2), judge=linear)
    assert value.item() == pytest.approx(25 / 2)


def test_r1_of_a_quadratic_discriminator() -> None:
    real = torch.randn(7, 2)
    value = play("discriminator", R1(), real=real, fake=real, judge=lambda x: x.square().sum(dim=1))
    assert value.item() == pytest.approx(float((2 * real).square().sum(dim=1).mean() / 2), rel=1e-5)


@pytest.mark.parametrize(
    ("target", "one_sided", "expected"), [(1.0, False, 16.0), (7.0, False, 4.0), (7.0, True, 0.0)]
)
def test_gradient_penalty_of_a_linear_discriminator(target: float, one_sided: bool, expected: float) -> None:
    loss = GradientPenalty(target, one_sided=one_sided)
    value = play("discriminator", loss, real=torch.randn(5, 2), fake=torch.randn(5, 2), judge=linear)
    assert value.item() == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_gradient_penalty_draws_a_point_for_each_sample() -> None:
    seen: list[torch.Tensor] = []

    def judge(samples: torch.Tensor) -> torch.Tensor:
        seen.append(samples)
        return samples.sum(dim=1)

    real, fake = torch.zeros(64, 2), torch.ones(64, 2)
    play("discriminator", GradientPenalty(), real=real, fake=fake, judge=judge)
    (points,) = seen
    assert torch.equal(points[:, 0], points[:, 1]), "a point left the line between its real and its fake"
    assert points[:, 0].unique().numel() == 64
    assert 0 <= points.min() <= points.max() <= 1


def test_gradient_penalty_is_finite_where_the_gradient_vanishes() -> None:
    weight = torch.zeros(2, requires_grad=True)
    loss = GradientPenalty()
    value = play(
        "discriminator", loss, real=torch.ones(3, 2), fake=torch.ones(3, 2), judge=lambda x: x @ weight
    )
    value.backward()
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()


def test_elbo_terms_are_the_closed_forms() -> None:
    real, mean = torch.full((4, 3), 0.5), torch.tensor([[1.0, -2.0]]).expand(4, 2)
    log_variance = torch.full((4, 2), math.log(0.25))
    terms = play(
        "generator",
        Elbo(beta=2.0, sigma=0.5),
        real=real,
        fake=real,
        encode=lambda images: (mean, log_variance),
        generate=lambda latents: torch.zeros(4, 3),
    )
    kl = 0.5 * ((1 + 4) + 2 * (0.25 - 1 - math.log(0.25)))
    assert terms["kl"].item() == pytest.approx(2 * kl, rel=1e-6)
    likelihood = 3 * (0.25 / 0.25 + math.log(0.25) + math.log(2 * math.pi)) / 2
    assert terms["reconstruction"].item() == pytest.approx(likelihood, rel=1e-6)


def test_optimal_sigma_is_the_least_of_all_sigmas() -> None:
    def reconstruction(sigma: float | None) -> float:
        terms = play(
            "generator",
            Elbo(sigma=sigma),
            real=torch.full((4, 3), 0.5),
            fake=torch.zeros(4, 3),
            encode=lambda images: (torch.zeros(4, 2), torch.zeros(4, 2)),
            generate=lambda latents: torch.zeros(4, 3),
        )
        return terms["reconstruction"].item()

    assert reconstruction(None) == pytest.approx(reconstruction(0.5), rel=1e-6)
    assert all(reconstruction(None) < reconstruction(sigma) for sigma in (0.3, 0.4, 0.6, 1.0))


def test_processes_share_an_open_sigma() -> None:
    def networks(weight: torch.Tensor) -> dict[str, Any]:
        return {
            "encode": lambda samples: (torch.tanh(samples @ weight), samples @ weight / 10),
            "generate": lambda latents: torch.tanh(latents @ weight),
        }

    require_shared_equally(Elbo, "generator", networks)
