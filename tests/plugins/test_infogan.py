"""InfoGAN's bound against densities."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Categorical, Normal

sys.path.insert(0, str(Path(__file__).parent))
from playing import play

from ganlab import ComponentError, LatentSpec
from ganlab.engine.latents import draw_latents
from ganlab_infogan.losses import InfoGan

FAKE = torch.tensor([[0.0, 1.0], [-2.0, 2.0], [1.0, 0.5]])
LOG_VARIANCE = torch.tensor([[0.5, -1.0], [0.0, 2.0], [1.0, 0.25]])
CODES = torch.arange(3.0)[:, None].expand(3, 2)
"""The latents of the fakes are their numbers."""


def played(loss: InfoGan) -> Any:
    return play("generator", loss, real=FAKE, fake=FAKE, encode=lambda samples: (samples, LOG_VARIANCE))


def played_with_categories(loss: InfoGan) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Return what the loss makes of choices among 3 and 2, and 4 other latents; those, and the means."""
    latent = LatentSpec(9, categories=(3, 2))
    draw = torch.Generator().manual_seed(0)
    latents, answer = draw_latents(latent, 5, draw), torch.randn(5, 9, generator=draw)
    value = play(
        "generator",
        loss,
        real=torch.zeros(5, 2),
        fake=torch.zeros(5, 2),
        latents=latents,
        latent=latent,
        encode=lambda samples: (answer, torch.full((5, 9), 0.5)),
    )
    return value, latents, answer


@pytest.mark.parametrize("codes", [1, 2])
@pytest.mark.parametrize("learned", [False, True])
def test_it_is_the_negative_log_likelihood_of_the_codes(codes: int, learned: bool) -> None:
    deviation = (LOG_VARIANCE / 2).exp() if learned else torch.ones(3, 2)
    expected = -Normal(FAKE, deviation).log_prob(CODES)[:, :codes].sum(dim=1).mean()
    assert played(InfoGan(codes, learned_variance=learned)).item() == pytest.approx(expected.item())


def categorical(latents: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    first = Categorical(logits=logits[:, :3]).log_prob(latents[:, :3].argmax(dim=1))
    second = Categorical(logits=logits[:, 3:5]).log_prob(latents[:, 3:5].argmax(dim=1))
    return -(first + second).mean()


def test_categories_are_codes_too() -> None:
    value, latents, answer = played_with_categories(InfoGan(2, 0.1, learned_variance=True))
    continuous = -Normal(answer, math.exp(0.25)).log_prob(latents)[:, 5:7].sum(dim=1).mean()
    assert value["categorical"].item() == pytest.approx(categorical(latents, answer).item())
    assert value["continuous"].item() == pytest.approx(0.1 * continuous.item())


def test_fakes_are_read_through_noise() -> None:
    seen = []

    def encode(samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(samples)
        return samples, LOG_VARIANCE

    for noise in (0.0, 0.5):
        play("generator", InfoGan(2, noise=noise), real=FAKE, fake=FAKE, encode=encode)
    drawn = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(seen[0], FAKE)
    torch.testing.assert_close(seen[1], FAKE + 0.5 * drawn)


def test_categories_can_be_all_codes_there_are() -> None:
    value, latents, answer = played_with_categories(InfoGan(0))
    assert value.item() == pytest.approx(categorical(latents, answer).item())


def test_more_codes_than_latents_are_refused() -> None:
    with pytest.raises(ComponentError, match=r"3 of the latents cannot be continuous codes: .* has 2"):
        played(InfoGan(3))
    with pytest.raises(ComponentError, match=r"5 of the latents cannot be continuous codes: .* has 4"):
        played_with_categories(InfoGan(5))


def test_no_codes_are_refused() -> None:
    with pytest.raises(ComponentError, match="there are no codes"):
        played(InfoGan(0))
