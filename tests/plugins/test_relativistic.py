"""Relativistic losses against closed forms."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

sys.path.insert(0, str(Path(__file__).parent))
from playing import PlayerName, on_logits, require_shared_equally

from ganlab import Loss
from ganlab_relativistic.losses import Relativistic, RelativisticAverage

REAL = torch.tensor([2.0, -1.0, 0.5])
FAKE = torch.tensor([-3.0, 1.5, 0.25])
ONES, ZEROS = torch.ones(3), torch.zeros(3)

Form = Literal["standard", "hinge", "least-squares"]
FORMS: tuple[Form, ...] = ("standard", "hinge", "least-squares")


def both(loss: Loss) -> tuple[float, ...]:
    players: tuple[PlayerName, ...] = ("discriminator", "generator")
    return tuple(on_logits(player, loss, REAL, FAKE).item() for player in players)


def test_pairs() -> None:
    expected = bce(REAL - FAKE, ONES), bce(FAKE - REAL, ONES)
    assert both(Relativistic()) == pytest.approx([each.item() for each in expected])


def test_pairs_do_not_couple_their_batch() -> None:
    assert not Relativistic().couples_samples


def squared_to(target: float, logits: torch.Tensor) -> torch.Tensor:
    return (logits - target).square().mean()


def hinge(logits: torch.Tensor) -> torch.Tensor:
    return (1 - logits).clamp_min(0).mean()


@pytest.mark.parametrize(
    ("form", "high", "low"),
    [
        ("standard", lambda x: bce(x, ONES), lambda x: bce(x, ZEROS)),
        ("hinge", hinge, lambda x: hinge(-x)),
        ("least-squares", lambda x: squared_to(1, x), lambda x: squared_to(-1, x)),
    ],
)
def test_averages(
    form: Form,
    high: Callable[[torch.Tensor], torch.Tensor],
    low: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    real, fake = REAL - (-3 + 1.5 + 0.25) / 3, FAKE - 1.5 / 3
    expected = high(real) + low(fake), high(fake) + low(real)
    assert both(RelativisticAverage(form)) == pytest.approx([each.item() for each in expected])


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("form", FORMS)
def test_processes_share_the_averages(form: Form, player: PlayerName) -> None:
    require_shared_equally(lambda: RelativisticAverage(form), player)
