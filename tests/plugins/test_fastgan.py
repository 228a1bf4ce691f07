"""FastGAN's networks and its loss: shapes for any size, excitation, and drawing again."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from ganlab import ComponentError, Game, ImageSpec, LatentSpec, Verdict
from ganlab_fastgan import NetworkOptions, build_discriminator, build_generator
from ganlab_fastgan.losses import Reconstruction

SMALL = NetworkOptions(width=2, widest=2)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(height=st.integers(16, 140), width=st.integers(16, 140), channels=st.sampled_from([1, 3]))
def test_any_size_and_channel_count(height: int, width: int, channels: int) -> None:
    image = ImageSpec(channels, height, width)
    images = build_generator(SMALL, image, LatentSpec(5))(torch.randn(2, 5))
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    verdict = build_discriminator(SMALL, image)(images)
    assert verdict.logits.shape[0] == 2 and verdict.logits.dim() == 3
    assert verdict.output("reconstruction_error").shape[:2] == (2, channels)


def test_the_generators_parameters_at_64() -> None:
    network = build_generator(NetworkOptions(width=16), ImageSpec(3, 64, 64), LatentSpec(256))
    widths = [256, 128, 64, 32, 16]
    count = 256 * 2 * widths[0] * 16 + 4 * widths[0]
    for stage, (coarse, fine) in enumerate(pairwise(widths)):
        count += coarse * 2 * fine * 9 + 4 * fine
        if stage % 2 == 0:
            count += fine * 2 * fine * 9 + 4 * fine + 2
    # The 4×4 map excites the 64×64 one.
    count += widths[0] * widths[-1] * 16 + widths[-1] ** 2
    assert parameters(network) == count + widths[-1] * 3 * 9


@pytest.mark.parametrize(("side", "excitations"), [(16, 1), (32, 1), (64, 1), (128, 2)])
def test_small_maps_excite_large_ones(side: int, excitations: int) -> None:
    network = build_generator(SMALL, ImageSpec(1, side, side), LatentSpec(4))
    assert len(network.excitations) == excitations
    seen = []
    for layer in network.excitations:
        layer.register_forward_hook(lambda _, given, __: seen.append(tuple(m.shape[2] for m in given)))
    network(torch.randn(2, 4))
    skip = min(4, {16: 2, 32: 3, 64: 4, 128: 5}[side])
    assert seen == [(4 * 2**stage, 4 * 2 ** (stage + skip)) for stage in range(excitations)]


def test_a_verdict_shows_what_is_missed() -> None:
    network = build_discriminator(SMALL, ImageSpec(1, 64, 64)).eval()
    images = torch.rand(2, 1, 64, 64) * 2 - 1
    verdict = network(images)
    assert verdict.logits.shape == (2, 5, 5)
    drawn = verdict.output("reconstruction_error") + adaptive_avg_pool2d(images, (32, 32))
    assert torch.allclose(drawn, network.decoder(network.body(images)), atol=1e-5)


class Judged:
    """As much of a game as the loss looks at."""

    def __init__(self, **outputs: torch.Tensor) -> None:
        self.real_verdict = Verdict(torch.zeros(2), torch.zeros(2, 3), outputs=outputs)


def reconstruction(**outputs: torch.Tensor) -> float:
    game: Game = Judged(**outputs)  # type: ignore[assignment]
    return Reconstruction().discriminator(game).item()


def test_the_loss_is_what_is_missed_squared() -> None:
    assert reconstruction(reconstruction_error=torch.tensor([[1.0, -1.0], [2.0, 0.0]])) == 1.5
    with pytest.raises(ComponentError, match="looks at `reconstruction_error`"):
        reconstruction()


def test_labels_change_what_is_made_and_judged() -> None:
    image = ImageSpec(1, 16, 16, classes=3)
    images = build_generator(SMALL, image, LatentSpec(8))(torch.randn(3, 8)[:1].expand(3, 8), torch.arange(3))
    assert not torch.allclose(images[0], images[1])
    logits = build_discriminator(SMALL, image).eval()(images[:1].expand(3, 1, 16, 16), torch.arange(3)).logits
    assert logits[:, 0, 0].unique().numel() == 3
