"""Penalties on the discriminator against closed forms and finite differences."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from playing import on_logits, play, require_right_gradient, require_shared_equally

from ganlab import Loss
from ganlab_penalties.lecam import Lecam
from ganlab_penalties.losses import R1, R2, Dragan, GradientPenalty

REAL = torch.tensor([2.0, -1.0, 0.5])
FAKE = torch.tensor([-3.0, 1.5, 0.25])
MEAN_REAL, MEAN_FAKE = 0.5, -1.25 / 3


def lecam_between(real: float, fake: float) -> Loss:
    """Return LeCam with averages that stay as they are, since gradients do not pass through them."""
    loss = Lecam(decay=1.0)
    averages = {"real": real, "fake": fake}
    loss.load_state_dict({kind: torch.tensor(each) for kind, each in averages.items()})
    return loss


@pytest.mark.parametrize(
    "make",
    [
        R1,
        R2,
        GradientPenalty,
        lambda: GradientPenalty(0.0),
        lambda: GradientPenalty(0.5, one_sided=True),
        Dragan,
        lambda: lecam_between(0.5, -0.25),
    ],
    ids=["r1", "r2", "gradient-penalty", "0-gp", "one-sided", "dragan", "lecam"],
)
def test_gradients_are_those_of_finite_differences(make: Callable[[], Loss]) -> None:
    require_right_gradient(make)


def test_r2_of_a_quadratic_discriminator() -> None:
    fake = torch.randn(7, 2)
    value = play("discriminator", R2(), real=torch.zeros(7, 2), fake=fake, judge=lambda x: x.square().sum(1))
    assert value.item() == pytest.approx(float((2 * fake).square().sum(1).mean() / 2), rel=1e-5)


@pytest.mark.parametrize("make", [R1, R2, GradientPenalty, lambda: Dragan(deviation=0.5)])
def test_of_several_logits_the_mean_is_held_however_many_there_are(make: Callable[[], Loss]) -> None:
    draw = torch.Generator().manual_seed(0)
    real, fake, weight = (torch.randn(*shape, generator=draw) for shape in ((5, 2), (5, 2), (2, 12)))

    def patches(samples: torch.Tensor) -> torch.Tensor:
        return torch.tanh(samples @ weight).unflatten(1, (3, 4))

    def penalty(judge: Callable[[torch.Tensor], torch.Tensor]) -> float:
        value: float = play("discriminator", make(), real=real, fake=fake, judge=judge).item()
        return value

    assert penalty(patches) == pytest.approx(penalty(lambda x: patches(x).mean(dim=(1, 2))), rel=1e-5)
    assert penalty(lambda x: patches(x).repeat(1, 7, 1)) == pytest.approx(penalty(patches), rel=1e-5)


def test_dragan_of_a_linear_discriminator() -> None:
    weight = torch.tensor([3.0, 4.0])
    samples = torch.randn(5, 2)
    value = play("discriminator", Dragan(2.0), real=samples, fake=samples, judge=lambda x: x @ weight)
    assert value.item() == pytest.approx((5 - 2) ** 2, rel=1e-5)


@pytest.mark.parametrize("deviation", [None, 10.0])
def test_dragan_looks_near_real_samples(deviation: float | None) -> None:
    seen: list[torch.Tensor] = []

    def judge(samples: torch.Tensor) -> torch.Tensor:
        seen.append(samples.detach())
        return samples.sum(dim=1)

    real = 10 * torch.tensor([[-1.0, 1.0]]).expand(1000, 2)  # deviates by 10
    play("discriminator", Dragan(amplitude=0.5, deviation=deviation), real=real, fake=real, judge=judge)
    moved = (seen[0] - real) / (0.5 * 10)
    # The product of two uniform numbers: one for the sample, one for the element.
    assert 0 <= moved.min() < moved.max() <= 1
    assert moved.mean().item() == pytest.approx(1 / 4, abs=0.02)
    assert moved.square().mean().item() == pytest.approx(1 / 9, abs=0.02)
    assert torch.corrcoef(moved.T)[0, 1].item() == pytest.approx(
        (1 / 12 - 1 / 16) / (1 / 9 - 1 / 16), abs=0.1
    )


def test_processes_share_dragan() -> None:
    require_shared_equally(Dragan, "discriminator")


def lecam(loss: Lecam, real: torch.Tensor, fake: torch.Tensor) -> float:
    value: float = on_logits("discriminator", loss, real, fake).item()
    return value


def test_lecam_begins_at_the_first_batch() -> None:
    expected = (REAL - MEAN_FAKE).square().mean() + (FAKE - MEAN_REAL).square().mean()
    assert lecam(Lecam(), REAL, FAKE) == pytest.approx(expected.item())


def test_lecam_remembers_what_came_before() -> None:
    loss = Lecam(decay=0.75)
    lecam(loss, REAL, FAKE)
    average_real, average_fake = 0.75 * MEAN_REAL + 0.25 * 4, 0.75 * MEAN_FAKE - 0.25 * 4
    expected = ((4 - average_fake) ** 2, (-4 - average_real) ** 2)
    assert lecam(loss, torch.full((3,), 4.0), torch.full((3,), -4.0)) == pytest.approx(sum(expected))


def test_one_sided_lecam_lets_logits_be_that_are_too_close() -> None:
    loss = Lecam(one_sided=True)
    expected = (REAL - MEAN_FAKE).clamp_min(0).square().mean() + (MEAN_REAL - FAKE).clamp_min(
        0
    ).square().mean()
    assert lecam(loss, REAL, FAKE) == pytest.approx(expected.item())


@pytest.mark.parametrize("one_sided", [False, True])
def test_processes_share_lecam(one_sided: bool) -> None:
    require_shared_equally(lambda: Lecam(one_sided=one_sided), "discriminator")
