"""MMD-GAN and its repulsive loss against sums over pairs."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from playing import PlayerName, on_logits, play, require_shared_equally, with_features

from ganlab import ComponentError, Loss
from ganlab_mmd.gan_loss import MmdGan

REAL = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]])
FAKE = torch.tensor([[0.0, 1.0], [-2.0, 2.0], [1.0, 0.5]])
WIDTHS = (1.0, 3.0)


def on_features(player: PlayerName, loss: Loss) -> float:
    value: float = play(player, loss, real=REAL, fake=FAKE, judge=with_features).item()
    return value


def kernel(x: torch.Tensor, y: torch.Tensor) -> float:
    square = float((x - y).square().sum())
    return sum(math.exp(-square / (2 * width**2)) for width in WIDTHS) / len(WIDTHS)


def mean_kernels() -> tuple[float, float, float]:
    """Return the mean kernel of two different reals, two different fakes, and a real and a fake."""
    pairs = [(i, j) for i in range(3) for j in range(3)]
    apart = [(i, j) for i, j in pairs if i != j]
    real = sum(kernel(REAL[i], REAL[j]) for i, j in apart) / 6
    fake = sum(kernel(FAKE[i], FAKE[j]) for i, j in apart) / 6
    return real, fake, sum(kernel(REAL[i], FAKE[j]) for i, j in pairs) / 9


@pytest.mark.parametrize("repulsive", [False, True])
def test_the_generator_minimises_the_unbiased_discrepancy(repulsive: bool) -> None:
    real, fake, across = mean_kernels()
    loss = MmdGan(bandwidths=WIDTHS, repulsive=repulsive)
    assert on_features("generator", loss) == pytest.approx(real + fake - 2 * across, rel=1e-4)


def test_the_discriminator_maximises_it_or_parts_real_samples() -> None:
    real, fake, across = mean_kernels()
    loss = on_features("discriminator", MmdGan(bandwidths=WIDTHS))
    assert loss == pytest.approx(2 * across - real - fake, rel=1e-4)
    loss = on_features("discriminator", MmdGan(bandwidths=WIDTHS, repulsive=True))
    assert loss == pytest.approx(real - fake, rel=1e-4)


def test_on_logits() -> None:
    real, fake = REAL[:, 0], FAKE[:, 0]
    columns = play("generator", MmdGan(), real=real[:, None], fake=fake[:, None], judge=with_features)
    assert on_logits("generator", MmdGan("logits"), real, fake).item() == pytest.approx(columns.item())


def test_what_it_lacks_is_named() -> None:
    with pytest.raises(ComponentError, match='space = "logits"'):
        on_logits("generator", MmdGan(), REAL, FAKE)
    with pytest.raises(ComponentError, match="batch_size"):
        on_logits("generator", MmdGan("logits"), REAL[:1], FAKE[:1])


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("repulsive", [False, True])
def test_processes_share_it(repulsive: bool, player: PlayerName) -> None:
    require_shared_equally(lambda: MmdGan(repulsive=repulsive), player)
