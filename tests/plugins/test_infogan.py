"""InfoGAN's bound against densities."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Normal

sys.path.insert(0, str(Path(__file__).parent))
from playing import play

from ganlab import ComponentError
from ganlab_infogan.losses import InfoGan

FAKE = torch.tensor([[0.0, 1.0], [-2.0, 2.0], [1.0, 0.5]])
LOG_VARIANCE = torch.tensor([[0.5, -1.0], [0.0, 2.0], [1.0, 0.25]])
CODES = torch.arange(3.0)[:, None].expand(3, 2)
"""The latents of the fakes are their numbers."""


def played(loss: InfoGan) -> Any:
    return play("generator", loss, real=FAKE, fake=FAKE, encode=lambda samples: (samples, LOG_VARIANCE))


@pytest.mark.parametrize("codes", [1, 2])
@pytest.mark.parametrize("learned", [False, True])
def test_it_is_the_negative_log_likelihood_of_the_codes(codes: int, learned: bool) -> None:
    deviation = (LOG_VARIANCE / 2).exp() if learned else torch.ones(3, 2)
    expected = -Normal(FAKE, deviation).log_prob(CODES)[:, :codes].sum(dim=1).mean()
    assert played(InfoGan(codes, learned_variance=learned)).item() == pytest.approx(expected.item())


def test_more_codes_than_latents_are_refused() -> None:
    with pytest.raises(ComponentError, match=r"3 of the latents cannot be codes: \[latent\] has 2"):
        played(InfoGan(3))
