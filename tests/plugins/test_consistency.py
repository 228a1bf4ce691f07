"""Latent consistency against closed forms and finite differences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from playing import PlayerName, float64, play

from ganlab_consistency.losses import LatentConsistency

REAL = torch.zeros(4, 3)
MATRIX = torch.tensor([[1.0, -2.0, 0.5], [0.25, 1.0, 3.0]])


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
