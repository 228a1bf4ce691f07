"""Feature matching against its closed form."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

sys.path.insert(0, str(Path(__file__).parent))
from playing import PlayerName, on_logits, play, require_shared_equally, with_features

from ganlab import ComponentError, ImageSpec, Loss
from ganlab.registry import load_registry
from ganlab_feature_matching.losses import FeatureMatching, FeatureMatchingAlone

REAL = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]])
FAKE = torch.tensor([[0.0, 1.0], [-2.0, 2.0], [1.0, 0.5]])


@pytest.mark.parametrize("loss", [FeatureMatching(), FeatureMatchingAlone()])
def test_it_is_the_squared_distance_of_means(loss: Loss) -> None:
    expected = (4.5 / 3 - -1 / 3) ** 2 + (1 / 3 - 3.5 / 3) ** 2
    value = play("generator", loss, real=REAL, fake=FAKE, judge=with_features)
    assert value.item() == pytest.approx(expected)


def test_alone_it_trains_the_discriminator() -> None:
    assert type(FeatureMatching()).discriminator is Loss.discriminator
    real, fake = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([-3.0, 1.5, 0.25])
    value = on_logits("discriminator", FeatureMatchingAlone(), real, fake)
    assert value.item() == pytest.approx((bce(real, torch.ones(3)) + bce(fake, torch.zeros(3))).item())


def test_a_discriminator_without_features_is_named() -> None:
    with pytest.raises(
        ComponentError, match="`Verdict` with `features`, as `dcgan`, `mlp` and `autoencoder` do"
    ):
        on_logits("generator", FeatureMatching(), REAL, FAKE)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_processes_share_it(player: PlayerName) -> None:
    require_shared_equally(FeatureMatchingAlone, player)


@pytest.mark.parametrize("name", ["dcgan", "mlp", "autoencoder"])
def test_the_discriminators_that_it_names_have_features(name: str) -> None:
    component = load_registry().get("discriminator", name).component
    network = component.build(component.options(), ImageSpec(1, 16, 16))
    assert network(torch.zeros(2, 1, 16, 16)).features is not None
