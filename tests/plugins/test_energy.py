"""Energy-based GANs: the loss against closed forms, and the autoencoder's shapes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from playing import PlayerName, on_logits, play, require_shared_equally, with_features

from ganlab import ComponentError, ImageSpec, SampleSpec, VectorSpec, Verdict
from ganlab_energy import AutoencoderOptions, EbganOptions, build_autoencoder
from ganlab_energy.losses import Ebgan

ENERGIES = torch.tensor([0.5, 2.0, 0.25])


def energies(samples: torch.Tensor) -> Verdict:
    """Read energies straight off the samples."""
    return Verdict(-samples, outputs={"energy": samples})


def on_energies(player: PlayerName, loss: Ebgan) -> Any:
    return play(player, loss, real=ENERGIES, fake=ENERGIES, judge=energies)


def test_margins() -> None:
    value = on_energies("discriminator", Ebgan(1.0))
    assert value.item() == pytest.approx((0.5 + 0 + 0.75) / 3 + 2.75 / 3)
    value = on_energies("generator", Ebgan(1.0))
    assert {name: part.item() for name, part in value.items()} == pytest.approx({"energy": 2.75 / 3})


def test_pulling_away_is_the_mean_squared_cosine() -> None:
    codes = torch.tensor([[3.0, 0.0], [0.0, 0.2], [1.0, 1.0]])
    value = play("generator", Ebgan(1.0, 0.1), real=codes, fake=codes, judge=with_features)
    assert value["pulling-away"].item() == pytest.approx(0.1 * (0 + 0.5 + 0.5) / 3)
    assert value["energy"].item() == pytest.approx(-codes.sum().item() / 3)


def test_only_pulling_away_couples() -> None:
    assert not Ebgan(1.0).couples_samples
    require_shared_equally(lambda: Ebgan(1.0, 0.1), "generator")


def test_what_pulling_away_lacks_is_named() -> None:
    with pytest.raises(ComponentError, match="`autoencoder`"):
        on_energies("generator", Ebgan(1.0, 0.1))
    one = torch.ones(1, 2)
    with pytest.raises(ComponentError, match="batch_size"):
        play("generator", Ebgan(1.0, 0.1), real=one, fake=one, judge=with_features)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_logits_that_are_no_energies_are_refused(player: PlayerName) -> None:
    with pytest.raises(ComponentError, match="looks at `energy`"):
        on_logits(player, Ebgan(), -ENERGIES, -ENERGIES)


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (VectorSpec(3), (5,)),
        (ImageSpec(1, 8, 8), (5, 4, 4)),
        (ImageSpec(3, 17, 30), (5, 4, 7)),
        (ImageSpec(2, 64, 32), (5, 8, 4)),
    ],
    ids=str,
)
def test_logits_are_minus_the_error_of_reconstruction(spec: SampleSpec, code: tuple[int, ...]) -> None:
    network = build_autoencoder(AutoencoderOptions(width=4, code=5), spec)
    samples = torch.rand(3, *spec.shape)
    verdict = network(samples)
    assert verdict.features.shape == (3, *code)
    error = (network.decoder(verdict.features) - samples).square().flatten(1).mean(dim=1)
    torch.testing.assert_close(verdict.logits, -error)
    assert torch.equal(verdict.output("energy"), -verdict.logits)


def test_images_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ComponentError, match="from 8 pixels a side"):
        build_autoencoder(AutoencoderOptions(), ImageSpec(3, 7, 64))


def test_the_margin_is_what_its_description_recommends() -> None:
    assert 0.05 <= EbganOptions().margin <= 0.1
