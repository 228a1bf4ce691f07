"""Top-k training: which fakes the generator learns from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from playing import PlayerName, on_logits, require_shared_equally

from ganlab_adversarial.losses import LOSSES
from ganlab_adversarial.top_k import TopK

REAL = torch.tensor([2.0, -1.0, 0.5])
FAKE = torch.tensor([-3.0, 1.5, 0.25])


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_of_all_it_is_the_loss_itself(name: str, player: PlayerName) -> None:
    loss = LOSSES[name]()
    top_k = TopK(loss, 0.5, 0.9, 10)
    assert on_logits(player, top_k, REAL, FAKE) == on_logits(player, loss, REAL, FAKE)
    assert top_k.log_odds == loss.log_odds


@pytest.mark.parametrize(
    ("step", "kept"),
    [(0, 3), (9, 3), (10, 3), (39, 3), (40, 2), (69, 2), (1000, 2)],  # 0.9^4 = 0.656, 0.9^7 = 0.478
)
def test_the_share_falls_to_the_least(step: int, kept: int) -> None:
    fake = FAKE.clone().requires_grad_()
    value = on_logits("generator", TopK(LOSSES["wasserstein"](), 0.4, 0.9, 10), REAL, fake, step=step)
    (gradient,) = torch.autograd.grad(value, fake)
    best = sorted(FAKE.tolist(), reverse=True)[:kept]
    assert value.item() == pytest.approx(-sum(best) / kept)
    assert gradient.tolist() == pytest.approx([-1 / kept if each in best else 0 for each in FAKE.tolist()])


def test_of_several_verdicts_the_best_fakes_are_taken_whole() -> None:
    fake = torch.tensor([[5.0, -5.0], [1.0, 1.0], [0.0, 0.5]])
    loss = TopK(LOSSES["wasserstein"](), 0.3, 1e-9, 1)
    assert on_logits("generator", loss, fake, fake, step=5).item() == -1.0


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_processes_share_it(player: PlayerName) -> None:
    require_shared_equally(lambda: TopK(LOSSES["non-saturating"](), 0.5, 0.5, 1), player)
